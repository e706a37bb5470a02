"""Steps per second of learning by policy gradients, beside a script of the usual kind, in one process.

    python experiments/bench_policy_gradient.py

An iteration is a rollout and all updates from it. The peer is PPO on gymnax's CartPole as single-file JAX scripts write
it (PureJaxRL's structure, written anew): environments that reset themselves at every step, one flat batch, transitions
shuffled in each epoch. Ours plays the same rules behind the contract, takes new episodes from a list drawn for each
rollout, which then begins with new episodes, and learns from minibatches of places that are whole in time. Network,
optimiser and sizes are the same. Variants take turns; what counts is the ratio of medians.

Needs gymnax: pip install 'reward-pretraining[peers]'
"""

# pyright: reportArgumentType=false, reportOperatorIssue=false

import dataclasses
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, NamedTuple

import flax.linen as nn
import gymnax
import jax
import jax.numpy as jnp
import optax
import tyro

from curricula import pool
from curricula.tasks import copying
from rl_pretrain import advantages, learner, policy_gradient, rollout
from rl_pretrain.networks import policy as policies
from rl_pretrain.networks.initializers import orthogonal
from rl_pretrain.networks.policy import Policy
from rl_pretrain.networks.tokens import TokenConfig
from rl_pretrain.policy_gradient import PolicyGradientConfig
from rl_pretrain.settings import SettingError, at_least


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure."""

    num_envs: int = 64
    """Episodes side by side."""
    num_steps: int = 128
    """Steps of each in an iteration."""
    num_epochs: int = 4
    """Passes over a rollout."""
    num_minibatches: int = 4
    """Updates a pass."""
    num_units: int = 64
    """Width of the layers."""
    num_seeds: int = 5
    """Runs side by side by vmap, beside as many one after another."""
    num_iterations: int = 100
    """Iterations of both on CartPole to see that they learn; not timed."""
    repeats: int = 9
    """Timed calls of each variant, in turn."""

    def __post_init__(self):
        at_least(1, self, "num_envs", "num_steps", "num_epochs", "num_minibatches", "num_units", "num_seeds")
        at_least(1, self, "num_iterations", "repeats")
        if self.num_envs % self.num_minibatches:
            raise SettingError(f"num_envs must be a multiple of num_minibatches, got {self.num_envs}")

    @property
    def learning(self) -> PolicyGradientConfig:
        return PolicyGradientConfig(
            num_epochs=self.num_epochs,
            num_minibatches=self.num_minibatches,
            learning_rate=2.5e-3,
            discount=0.99,
            entropy_weight=0.01,
        )

    def optimizer(self) -> optax.GradientTransformation:
        updates = self.num_iterations * self.num_epochs * self.num_minibatches
        return policy_gradient.make_optimizer(self.learning, updates)


class Variant(NamedTuple):
    """A way to learn."""

    begin: Callable[[jax.Array], Any]
    """key → all that an iteration changes."""
    iterate: Callable[[Any, jax.Array], tuple[Any, jax.Array]]
    """That and a key → that, and steps for each episode that ends."""


def main(config: Config) -> None:
    """Prints speeds, ratios and what both have learnt."""
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, gymnax {version('gymnax')}")
    print(f"{config.num_envs} places × {config.num_steps} steps, {config.num_epochs} epochs of ", end="")
    print(f"{config.num_minibatches} minibatches; median of {config.repeats} calls in turn; compiling apart\n")
    ours, peer, task = ours_on_cartpole(config), peer_on_cartpole(config), ours_on_copy(config)
    loops = {
        "peer, CartPole-v1": loop(peer),
        "ours, CartPole-v1": loop(ours),
        "ours, copy from a pool": loop(task),
        f"ours, {config.num_seeds} seeds in turn": loop(ours, config.num_seeds, is_mapped=False),
        f"ours, {config.num_seeds} seeds by vmap": loop(ours, config.num_seeds),
    }
    compiling = {name: run(0) for name, run in loops.items()}
    times = {name: [] for name in loops}
    for seed in range(config.repeats):
        for name, run in loops.items():
            times[name].append(run(seed))
    seconds = {name: statistics.median(each) for name, each in times.items()}
    for i, (name, each) in enumerate(seconds.items()):
        steps = config.num_envs * config.num_steps * (config.num_seeds if i >= 3 else 1)
        print(f"  {name:24} {steps / each / 1e3:8.1f} k steps/s   first call {compiling[name]:5.2f} s")
    by_peer, by_us, _, in_turn, by_vmap = seconds.values()
    print(f"\nCartPole-v1: ours {by_peer / by_us:.2f} × peer")
    print(f"{config.num_seeds} seeds: by vmap {in_turn / by_vmap:.2f} × in turn")
    for name, variant in (("peer", peer), ("ours", ours)):
        print(f"{name}: after {config.num_iterations} iterations a pole falls in {learnt(config, variant):.0f} steps")


def loop(variant: Variant, num_seeds: int = 1, is_mapped: bool = True) -> Callable[[int], float]:
    """Seed → seconds of an iteration from fresh weights, of one run or of several."""
    is_single = num_seeds == 1 or not is_mapped
    iterate = jax.jit(variant.iterate if is_single else jax.vmap(variant.iterate))
    keys = jax.random.split(jax.random.key(0), num_seeds)
    begun = [jax.jit(variant.begin)(key) for key in keys] if is_single else jax.jit(jax.vmap(variant.begin))(keys)

    def seconds(seed: int) -> float:
        keys = jax.block_until_ready(jax.random.split(jax.random.key(seed), num_seeds))
        each = list(keys)
        started = time.perf_counter()
        if is_single:
            done = [iterate(state, key) for state, key in zip(begun, each, strict=True)]
        else:
            done = iterate(begun, keys)
        jax.block_until_ready(done)
        return time.perf_counter() - started

    return seconds


def learnt(config: Config, variant: Variant) -> float:
    """Steps for each episode that ends, in the last iteration of a whole run."""
    state, iterate, length = jax.jit(variant.begin)(jax.random.key(0)), jax.jit(variant.iterate), jnp.float32(0)
    for i in range(config.num_iterations):
        state, length = iterate(state, jax.random.fold_in(jax.random.key(1), i))
    return float(length)


class ActorCritic(nn.Module):
    """Two towers of two layers: logits and value."""

    num_units: int
    num_actions: int

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        outputs = []
        for num, scale in ((self.num_actions, 0.01), (1, 1.0)):
            y = x
            for _ in range(2):
                y = nn.tanh(nn.Dense(self.num_units, kernel_init=orthogonal(2**0.5))(y))
            outputs.append(nn.Dense(num, kernel_init=orthogonal(scale))(y))
        return outputs[0], outputs[1][..., 0]


class Balance(NamedTuple):
    """An episode of CartPole behind the contract."""

    inner: Any  # of gymnax
    row: jax.Array  # int32 []: of the beginning
    reward: jax.Array  # float32 []
    discount: jax.Array  # float32 []


class CartPole(NamedTuple):
    """gymnax's rules behind the contract, episodes beginning with the rows of a list."""

    beginnings: Any  # states of gymnax, [N, ...]

    num_actions = 2
    observation_shape = (4,)

    def init(self, key: jax.Array) -> Balance:
        return self.at(jax.random.randint(key, (), 0, len(self.beginnings.x)))

    def at(self, row: jax.Array) -> Balance:
        inner = jax.tree.map(lambda x: x[row], self.beginnings)
        return Balance(inner, jnp.asarray(row, jnp.int32), jnp.float32(0), jnp.float32(1))

    def step(self, state: Balance, action: jax.Array) -> Balance:
        env, params = gymnax.make("CartPole-v1")
        _, inner, reward, is_over, _ = env.step_env(jax.random.key(0), state.inner, action, params)
        is_over |= env.is_truncated(inner, params)
        return Balance(inner, state.row, jnp.float32(reward), jnp.where(is_over, 0.0, 1.0))

    def renew(self, state: Balance, stride: int) -> Balance:
        fresh = self.at((state.row + stride) % len(self.beginnings.x))
        return jax.tree.map(lambda new, old: jnp.where(state.discount == 0, new, old), fresh, state)

    def observe(self, state: Balance) -> jax.Array:
        return jnp.stack([state.inner.x, state.inner.x_dot, state.inner.theta, state.inner.theta_dot])

    def legal_actions(self, state: Balance) -> jax.Array:
        del state
        return jnp.ones(2, bool)


def ours_on_cartpole(config: Config) -> Variant:
    """A pole falls in 8 steps at the soonest, which says how many beginnings a place needs."""
    env, params = gymnax.make("CartPole-v1")
    num_rows = config.num_envs * (config.num_steps // 8 + 1)

    def world(key: jax.Array) -> CartPole:
        states = jax.vmap(env.reset_env, (0, None))(jax.random.split(key, num_rows), params)[1]
        return CartPole(jax.tree.map(lambda x: jnp.broadcast_to(x, (num_rows,)), states))

    return ours(config, policies.memoryless(ActorCritic(config.num_units, 2)), 4, world)


def ours_on_copy(config: Config) -> Variant:
    """All training levels, in a pool written once: how long writing takes is another benchmark's."""
    task = copying.copy()
    levels = jnp.arange(16 * config.num_envs, dtype=jnp.int32) % task.levels.num_train
    instances = jax.jit(pool.write, static_argnums=0)(task, jax.random.key(0), levels)
    policy = policies.make(TokenConfig(task.num_actions, task.num_actions, width=config.num_units))
    return ours(config, policy, 2, lambda key: instances)


def ours(config: Config, policy: Policy, num_seen: int, world: Callable[[jax.Array], Any]) -> Variant:
    """Rollout and learning from the library."""
    optimizer = config.optimizer()

    def begin(key: jax.Array) -> learner.TrainState:
        return learner.init(optimizer, policy.init(key, num_seen))

    def iterate(state: learner.TrainState, key: jax.Array) -> tuple[learner.TrainState, jax.Array]:
        world_key, play_key, learn_key = jax.random.split(key, 3)
        env = world(world_key)
        played = rollout.play(
            env,
            policy,
            state.params,
            play_key,
            jax.vmap(env.at)(jnp.arange(config.num_envs)),
            config.num_steps,
            lambda episode: env.renew(episode, config.num_envs),
            lambda after: (),
        )
        sample = policy_gradient.prepare(config.learning, policy, played)
        state, _ = policy_gradient.learn(config.learning, policy, optimizer, state, sample, learn_key)
        return state, played.discount.size / jnp.maximum(jnp.sum(played.discount == 0), 1)

    return Variant(begin, iterate)


class Transition(NamedTuple):
    """What the peer keeps of a step: `[T, B, ...]`, or flat."""

    seen: jax.Array
    action: jax.Array
    log_prob: jax.Array
    value: jax.Array
    reward: jax.Array
    is_over: jax.Array


class Peer(NamedTuple):
    """What an iteration of the peer changes."""

    train: learner.TrainState
    states: Any  # of gymnax, [B, ...]
    seen: jax.Array  # [B, 4]


def peer_on_cartpole(config: Config) -> Variant:
    """PPO in the structure of single-file scripts."""
    env, params = gymnax.make("CartPole-v1")
    network, learning, optimizer = ActorCritic(config.num_units, 2), config.learning, config.optimizer()

    def begin(key: jax.Array) -> Peer:
        weights_key, reset_key = jax.random.split(key)
        seen, states = jax.vmap(env.reset, (0, None))(jax.random.split(reset_key, config.num_envs), params)
        states = jax.tree.map(lambda x: jnp.broadcast_to(x, (config.num_envs,)), states)
        return Peer(learner.init(optimizer, network.init(weights_key, seen)), states, seen)

    def loss(weights: Any, batch: tuple[Transition, jax.Array, jax.Array]) -> jax.Array:
        steps, advantage, target = batch
        logits, value = network.apply(weights, steps.seen)
        log_policy = jax.nn.log_softmax(logits)
        ratio = jnp.exp(pick(log_policy, steps.action) - steps.log_prob)
        scaled = (advantage - jnp.mean(advantage)) / (jnp.std(advantage) + 1e-8)
        clipped = jnp.clip(ratio, 1 - learning.clip, 1 + learning.clip)
        policy_loss = -jnp.mean(jnp.minimum(ratio * scaled, clipped * scaled))
        entropy = -jnp.mean(jnp.sum(jnp.exp(log_policy) * log_policy, axis=-1))
        value_loss = jnp.mean(jnp.square(value - target)) / 2
        return policy_loss + learning.value_weight * value_loss - learning.entropy_weight * entropy

    def iterate(peer: Peer, key: jax.Array) -> tuple[Peer, jax.Array]:
        play_key, learn_key = jax.random.split(key)
        weights = peer.train.params

        def step(carry: Any, key: jax.Array) -> tuple[Any, Transition]:
            states, seen = carry
            action_key, step_key = jax.random.split(key)
            logits, value = network.apply(weights, seen)
            action = jax.random.categorical(action_key, logits)
            keys = jax.random.split(step_key, config.num_envs)
            after, states, reward, terminated, truncated, _ = jax.vmap(env.step, (0, 0, 0, None))(
                keys, states, action, params
            )
            log_prob = pick(jax.nn.log_softmax(logits), action)
            return (states, after), Transition(seen, action, log_prob, value, reward, terminated | truncated)

        start = (peer.states, peer.seen)
        (states, seen), steps = jax.lax.scan(step, start, jax.random.split(play_key, config.num_steps))
        _, last_value = network.apply(weights, seen)
        discount = learning.discount * ~steps.is_over
        advantage = advantages.generalised(steps.reward, discount, steps.value, last_value, learning.decay)
        batch = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), (steps, advantage, advantage + steps.value))

        def update(train: learner.TrainState, part: Any) -> tuple[learner.TrainState, None]:
            gradient = jax.grad(loss)(train.params, part)
            change, opt_state = optimizer.update(gradient, train.opt_state, train.params)
            weights = optax.apply_updates(train.params, change)
            return learner.TrainState(weights, weights, opt_state, train.num_updates + 1), None

        def epoch(train: learner.TrainState, key: jax.Array) -> tuple[learner.TrainState, None]:
            order = jax.random.permutation(key, config.num_envs * config.num_steps)
            parts = jax.tree.map(lambda x: x[order].reshape(config.num_minibatches, -1, *x.shape[1:]), batch)
            return jax.lax.scan(update, train, parts)

        train, _ = jax.lax.scan(epoch, peer.train, jax.random.split(learn_key, config.num_epochs))
        return Peer(train, states, seen), steps.is_over.size / jnp.maximum(jnp.sum(steps.is_over), 1)

    return Variant(begin, iterate)


def pick(log_policy: jax.Array, action: jax.Array) -> jax.Array:
    """Log probabilities of actions."""
    return jnp.take_along_axis(log_policy, action[..., None], axis=-1)[..., 0]


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
