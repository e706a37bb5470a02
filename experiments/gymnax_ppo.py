"""PPO in one file for any environment with gymnax's face: gymnax's own, and the tasks of `curricula`.

    python experiments/gymnax_ppo.py --env=CartPole-v1 --network=mlp
    python experiments/gymnax_ppo.py --env=copy --level=0

Nothing below `make` knows which of the two it was given: what is written for gymnax 1.0 (six values a step) runs on
the tasks. A task shows a token at a time, and what is not remembered is lost: the network is recurrent unless told
otherwise. PPO is by Schulman et al. (2017, arXiv:1707.06347), its advantages by the same (2016, arXiv:1506.02438).

Needs gymnax: pip install 'reward-pretraining[peers]'
"""

import dataclasses
import functools
import sys
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from curricula.gymnax_api import Gymnax
from curricula.tasks import every_task
from rl_pretrain.evaluate import wilson
from rl_pretrain.progress import Progress
from rl_pretrain.settings import SettingError, at_least


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a run."""

    env: str = "copy"
    """A task of curricula or an environment of gymnax, by name."""
    level: int | None = None
    """Of a task. Default: a random training level for each episode."""
    seed: int = 0
    """Decides everything that is random."""
    total_steps: int = 800_000
    """Steps of all environments together. The learning rate falls to 0 along them."""
    eval_episodes: int = 1000
    """Episodes of the last measurement, with the most probable actions."""
    network: Literal["gru", "mlp"] = "gru"
    """With a memory or without."""
    num_units: int = 64
    """Width of its layers."""
    num_envs: int = 256
    """Environments side by side."""
    num_steps: int = 32
    """Steps of each between updates; gradients reach no further back in time."""
    num_epochs: int = 4
    """How often an update goes through what was played."""
    num_minibatches: int = 4
    """Gradient steps in each epoch."""
    learning_rate: float = 2e-3
    """Of Adam, at the beginning."""
    gamma: float = 0.99
    """Discount."""
    gae_lambda: float = 0.95
    """Weight of later steps in the advantages."""
    clip: float = 0.2
    """How far the ratio of a probability to what it was is worth moving from 1."""
    entropy_weight: float = 0.01
    """Of the entropy bonus."""

    def __post_init__(self):
        at_least(1, self, "eval_episodes", "num_units", "num_envs", "num_steps", "num_epochs", "num_minibatches")
        at_least(self.num_envs * self.num_steps, self, "total_steps")
        if self.num_envs % self.num_minibatches:
            raise SettingError(f"num_envs must be a multiple of num_minibatches, got {self.num_envs}")

    @property
    def num_updates(self) -> int:
        return self.total_steps // (self.num_envs * self.num_steps)


class Cell(nn.Module):
    """A step of a GRU that forgets where an episode begins."""

    num_units: int

    @nn.compact
    def __call__(self, memory: jax.Array, inputs: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        is_first, x = inputs
        return nn.GRUCell(self.num_units)(jnp.where(is_first[:, None], 0, memory), x)


class Tower(nn.Module):
    """Two layers, the second recurrent if there is a memory, and outputs."""

    kind: str
    num_units: int
    num_outputs: int

    @nn.compact
    def __call__(self, memory: jax.Array, is_first: jax.Array, observations: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Memory `[B, units]`, bool `[T, B]`, `[T, B, ...]` → memory, `[T, B, outputs]`."""
        dense = functools.partial(nn.Dense, kernel_init=nn.initializers.orthogonal(2**0.5))
        x = nn.tanh(dense(self.num_units)(observations.reshape(*is_first.shape, -1)))
        if self.kind == "gru":
            cells = nn.scan(Cell, variable_broadcast="params", split_rngs={"params": False})
            memory, x = cells(self.num_units)(memory, (is_first, x))
        else:
            x = nn.tanh(dense(self.num_units)(x))
        return memory, nn.Dense(self.num_outputs, kernel_init=nn.initializers.orthogonal(0.01))(x)


class Network(nn.Module):
    """A policy and a value that share nothing, since errors of large values would drown the policy's gradient."""

    kind: str
    num_units: int
    num_actions: int

    @nn.compact
    def __call__(self, memories: jax.Array, *seen: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """As a tower, memories `[B, 2, units]` → memories, logits `[T, B, actions]`, values `[T, B]`."""
        policy_memory, logits = Tower(self.kind, self.num_units, self.num_actions)(memories[:, 0], *seen)
        value_memory, values = Tower(self.kind, self.num_units, 1)(memories[:, 1], *seen)
        return jnp.stack([policy_memory, value_memory], axis=1), logits, values[..., 0]


class Player(NamedTuple):
    """B environments, and what the network remembers of each."""

    state: Any  # of gymnax, [B, ...]
    observation: jax.Array  # [B, ...]
    is_first: jax.Array  # bool [B]: whether an episode begins with this observation
    memory: jax.Array  # [B, 2, units]: before this observation
    total: jax.Array  # float32 [B]: rewards of the episode so far


class Steps(NamedTuple):
    """What was played: `[T, B, ...]`."""

    observation: jax.Array
    is_first: jax.Array
    action: jax.Array
    log_prob: jax.Array  # of the action, as it was drawn
    value: jax.Array  # of the observation
    next_value: jax.Array  # of what the step led to, before a new episode began
    reward: jax.Array
    terminated: jax.Array  # bool: nothing follows
    is_over: jax.Array  # bool: terminated, or truncated by a time limit
    total: jax.Array  # rewards of the episode up to this one
    success: jax.Array  # bool; False where the environment knows no such thing


class Trainer(NamedTuple):
    """An environment, and who learns to act in it."""

    config: Config
    env: Any
    env_params: Any
    network: Any
    optimizer: optax.GradientTransformation

    def begin(self, key: jax.Array, num_envs: int) -> Player:
        """New episodes."""
        observation, state = jax.vmap(self.env.reset, (0, None))(jax.random.split(key, num_envs), self.env_params)
        memory = jnp.zeros((num_envs, 2, self.config.num_units))
        return Player(state, observation, jnp.ones(num_envs, bool), memory, jnp.zeros(num_envs))

    def act(self, weights: Any, player: Player, key: jax.Array, is_greedy: bool = False) -> tuple[Player, Steps]:
        """A step of every environment: `[B, ...]`."""
        action_key, step_key = jax.random.split(key)
        memory, logits, value = self._look(weights, player.memory, player.is_first, player.observation)
        action = jnp.argmax(logits, axis=-1) if is_greedy else jax.random.categorical(action_key, logits)
        step = jax.vmap(self.env.step, (0, 0, 0, None))
        keys = jax.random.split(step_key, len(action))
        observation, state, reward, terminated, truncated, info = step(keys, player.state, action, self.env_params)
        is_over, total = terminated | truncated, player.total + reward
        never = jnp.zeros_like(is_over)
        _, _, next_value = self._look(weights, memory, never, info["final_observation"])
        done = Player(state, observation, is_over, memory, jnp.where(is_over, 0, total))
        drawn = (player.observation, player.is_first, action, log_prob(logits, action), value)
        return done, Steps(*drawn, next_value, reward, terminated, is_over, total, info.get("success", never))

    def update(self, weights: Any, moments: Any, player: Player, key: jax.Array) -> tuple[Any, Any, Player, Any]:
        """Plays on, then learns from it. Returns new weights, moments of the optimiser, player, and what to report."""
        config, memory = self.config, player.memory
        play_key, learn_key = jax.random.split(key)
        play_keys = jax.random.split(play_key, config.num_steps)
        player, steps = jax.lax.scan(lambda player, key: self.act(weights, player, key), player, play_keys)
        gains = advantages(steps, config.gamma, config.gae_lambda)

        def learn(learner: Any, chosen: jax.Array) -> Any:
            """A gradient step on all that the chosen environments played."""
            weights, moments = learner
            batch = (memory[chosen], *jax.tree.map(lambda x: x[:, chosen], (steps, gains)))
            gradient, scalars = jax.grad(self.loss, has_aux=True)(weights, *batch)
            change, moments = self.optimizer.update(gradient, moments, weights)
            return (optax.apply_updates(weights, change), moments), scalars

        keys = jax.random.split(learn_key, config.num_epochs)
        order = jax.vmap(lambda key: jax.random.permutation(key, config.num_envs))(keys)
        chosen = order.reshape(config.num_epochs * config.num_minibatches, -1)
        (weights, moments), scalars = jax.lax.scan(learn, (weights, moments), chosen)
        share = steps.is_over / jnp.maximum(jnp.sum(steps.is_over), 1)
        scalars = {"return": jnp.sum(share * steps.total), "success": jnp.sum(share * steps.success), **scalars}
        return weights, moments, player, jax.tree.map(jnp.mean, scalars)

    def loss(self, weights: Any, memory: jax.Array, steps: Steps, gains: jax.Array) -> tuple[jax.Array, Any]:
        """Equation 9 of Schulman et al. (2017): the clipped objective, the value's error, the entropy."""
        _, logits, value = self.network.apply(weights, memory, steps.is_first, steps.observation)
        ratio = jnp.exp(log_prob(logits, steps.action) - steps.log_prob)
        scaled = (gains - jnp.mean(gains)) / (jnp.std(gains) + 1e-8)
        clipped = jnp.clip(ratio, 1 - self.config.clip, 1 + self.config.clip)
        policy_loss = -jnp.mean(jnp.minimum(ratio * scaled, clipped * scaled))
        value_loss = jnp.mean((value - (steps.value + gains)) ** 2) / 2
        entropy = -jnp.mean(jnp.sum(jax.nn.softmax(logits) * jax.nn.log_softmax(logits), axis=-1))
        total = policy_loss + value_loss - self.config.entropy_weight * entropy
        return total, {"policy_loss": policy_loss, "value_loss": value_loss, "entropy": entropy}

    def measure(self, weights: Any, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return and success of `eval_episodes` episodes: the first of as many environments."""
        begin_key, key = jax.random.split(key)
        player = self.begin(begin_key, self.config.eval_episodes)
        nothing = (player.total, ~player.is_first)  # zeros of the right types

        def play_on(carry: Any) -> Any:
            player, key, is_done, result = carry
            key, act_key = jax.random.split(key)
            player, steps = self.act(weights, player, act_key, is_greedy=True)
            is_new = steps.is_over & ~is_done
            latest = (steps.total, steps.success)
            result = jax.tree.map(lambda new, old: jnp.where(is_new, new, old), latest, result)
            return player, key, is_done | is_new, result

        return jax.lax.while_loop(lambda carry: ~jnp.all(carry[2]), play_on, (player, key, nothing[1], nothing))[3]

    def _look(self, weights: Any, memory: jax.Array, is_first: jax.Array, observation: jax.Array) -> Any:
        """The network on one step: memory, logits `[B, actions]`, values `[B]`."""
        memory, logits, value = self.network.apply(weights, memory, is_first[None], observation[None])
        return memory, logits[0], value[0]


def log_prob(logits: jax.Array, action: jax.Array) -> jax.Array:
    """Of actions `[...]` by logits `[..., actions]`."""
    return jnp.take_along_axis(jax.nn.log_softmax(logits), action[..., None], axis=-1)[..., 0]


def advantages(steps: Steps, gamma: float, gae_lambda: float) -> jax.Array:
    """Generalised advantage estimates, equation 16 of Schulman et al. (2016): `[T, B]`.

    After a truncated episode comes what its last observation promised, after a terminated one nothing.
    """
    surprise = steps.reward + gamma * steps.next_value * ~steps.terminated - steps.value
    weight = gamma * gae_lambda * ~steps.is_over

    def back(later: jax.Array, step: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        gain = step[0] + step[1] * later
        return gain, gain

    return jax.lax.scan(back, jnp.zeros_like(surprise[0]), (surprise, weight), reverse=True)[1]


def make(config: Config) -> tuple[Any, Any]:
    """The environment and its parameters. Raises SettingError or ValueError where there is no such one."""
    tasks = {task.name: task for task in every_task()}
    if config.env in tasks:
        env = Gymnax(tasks[config.env])
        if config.level is None:
            return env, env.default_params
        return env, env.default_params._replace(level=int(env.task.levels.check(config.level)))
    if config.env not in gymnax.registered_envs:
        raise SettingError(f"unknown env {config.env!r}; tasks are {', '.join(tasks)}; others are those of gymnax")
    if config.level is not None:
        raise SettingError(f"level must be left out, {config.env} has none")
    return gymnax.make(config.env)


def prepare(config: Config) -> Trainer:
    """Raises SettingError or ValueError, in one line, where settings make no sense."""
    env, env_params = make(config)
    num_gradients = config.num_updates * config.num_epochs * config.num_minibatches
    schedule = optax.linear_schedule(config.learning_rate, 0.0, num_gradients)
    optimizer = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(schedule, eps=1e-5))
    return Trainer(config, env, env_params, Network(config.network, config.num_units, env.num_actions), optimizer)


def main(trainer: Trainer) -> None:
    """The whole run, top to bottom."""
    config, is_task = trainer.config, isinstance(trainer.env, Gymnax)
    weights_key, player_key, run_key, measure_key = jax.random.split(jax.random.key(config.seed), 4)
    player = trainer.begin(player_key, config.num_envs)
    weights = trainer.network.init(weights_key, player.memory, player.is_first[None], player.observation[None])
    moments = trainer.optimizer.init(weights)
    update = jax.jit(trainer.update)
    brief = ("return", *["success"][: int(is_task)], "entropy", "value_loss")
    with Progress(f"PPO on {config.env}, {config.network}", total=config.num_updates, brief=brief) as progress:
        for i in range(config.num_updates):
            weights, moments, player, scalars = update(weights, moments, player, jax.random.fold_in(run_key, i))
            if (i + 1) % 10 == 0 or i + 1 == config.num_updates:
                progress.update(i + 1, jax.tree.map(float, jax.device_get(scalars)))
    returns, success = jax.device_get(jax.jit(trainer.measure)(weights, measure_key))
    print(f"{config.env}: mean return {np.mean(returns):.3f} over {len(returns)} episodes")
    if is_task:
        low, high = wilson(np.mean(success).item(), len(success))
        print(f"solved {np.mean(success):.1%}, 95 % interval {low:.1%} to {high:.1%}")


if __name__ == "__main__":
    try:
        trainer = prepare(tyro.cli(Config, description=__doc__))
    except (SettingError, ValueError) as error:
        sys.exit(f"gymnax_ppo.py: {error}")
    main(trainer)
