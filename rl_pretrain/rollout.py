"""Episodes played by a policy without search, side by side, for a learner of policy gradients."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from rl_pretrain.environment import Environment, State
from rl_pretrain.networks.policy import Policy
from rl_pretrain.search import mask_illegal

S = TypeVar("S", bound=State)


class Rollout(NamedTuple):
    """T steps of B places, in each of which episodes follow one another. The first step of all begins an episode."""

    observation: jax.Array  # [T, B, ...]
    is_first: jax.Array  # bool [T, B]: an episode's first step
    legal: jax.Array  # bool [T, B, actions]
    action: jax.Array  # int32 [T, B]
    log_prob: jax.Array  # float32 [T, B]: of the action, under the policy that played
    value: jax.Array  # float32 [T, B]: its estimate before the action
    reward: jax.Array  # float32 [T, B]: after the action
    discount: jax.Array  # float32 [T, B]: after the action; 0 where it was an episode's last
    note: Any  # [T, B, ...]: whatever `note` gave of the state after the action
    last_value: jax.Array  # float32 [B]: estimate of what follows the last step


def play(
    env: Environment[S],
    policy: Policy,
    weights: Any,
    key: jax.Array,
    episodes: S,
    num_steps: int,
    renew: Callable[[S], S],
    note: Callable[[S], Any],
) -> Rollout:
    """Plays all places for a number of steps.

    Nothing is reset behind the learner's back: `discount` is 0 at an episode's last step, and what `note` says of it
    is kept before `renew` puts the next episode in its place. What is still going on at the end is dropped, so make
    rollouts at least as long as an episode.

    Args:
      episodes: `[B, ...]` states, all of them beginnings: the policy remembers nothing of what was before.
      renew: of one state: a new episode if it is over, else the state itself.
      note: of one state after a step: what to keep of it.
    """
    num = len(jax.tree.leaves(episodes)[0])
    observe, legal_actions = jax.vmap(env.observe), jax.vmap(env.legal_actions)

    def look(memory, episodes, is_first):
        seen, legal = observe(episodes), legal_actions(episodes)
        memory, (logits, values) = policy.step(weights, memory, seen, is_first)
        return memory, seen, legal, jax.nn.log_softmax(mask_illegal(logits, legal)), values

    def step(carry, chances):
        memory, episodes, is_first = carry
        memory, seen, legal, log_policy, values = look(memory, episodes, is_first)
        actions = draw(chances, jnp.exp(log_policy))
        log_prob = jnp.take_along_axis(log_policy, actions[:, None], axis=1)[:, 0]
        after = jax.vmap(env.step)(episodes, actions)
        row = (seen, is_first, legal, actions, log_prob, values, after.reward, after.discount, jax.vmap(note)(after))
        return (memory, jax.vmap(renew)(after), after.discount == 0), row

    start = (policy.initial(num, num_steps + 1), episodes, jnp.ones(num, bool))
    end, rows = jax.lax.scan(step, start, jax.random.uniform(key, (num_steps, num)))
    return Rollout(*rows, last_value=look(*end)[4])


def draw(chances: jax.Array, probability: jax.Array) -> jax.Array:
    """Actions int32 `[B]` of these probabilities `[B, actions]`, never one of probability 0.

    One random number for each place instead of one for each action, as `jax.random.categorical` takes.

    Args:
      chances: float32 `[B]`, uniform in [0, 1).
    """
    up_to = jnp.where(probability > 0, jnp.cumsum(probability, axis=-1), 0.0)  # a sum in pieces may round upwards
    is_past = up_to > chances[:, None] * jnp.max(up_to, axis=-1, keepdims=True)
    return jnp.argmax(is_past, axis=-1).astype(jnp.int32)
