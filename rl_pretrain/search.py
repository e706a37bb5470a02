"""Gumbel search over an environment with a network: the only file that imports mctx."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mctx

from rl_pretrain.environment import Environment, Predict, State
from rl_pretrain.settings import SettingError, at_least


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """How much to search, and how search turns values into a policy (Danihelka et al., ICLR 2022)."""

    num_simulations: int = 32
    """Network evaluations for each move, on top of the root's."""
    max_considered: int = 16
    """Actions that sequential halving starts from at the root."""
    gumbel_scale: float = 1.0
    """Noise at the root: 1 in self-play, 0 for the strongest move."""
    value_scale: float = 1.0
    """Weight of values against prior logits (the paper's c_scale)."""
    visit_offset: float = 50.0
    """Visits that every value counts as having in advance (the paper's c_visit)."""
    rescale_values: bool = False
    """Stretch the values of each node to [0, 1] first; then value_scale 0.1 is usual."""
    max_depth: int | None = None
    """Deepest path followed; the whole batch waits for its deepest path."""
    discount: float = 1.0
    """What a reward is worth one step later, on top of the environment's own discount. Below 1 the sooner is the
    better, which settles what to do where many ways lead to the same end."""

    def __post_init__(self):
        at_least(1, self, "num_simulations", "max_considered")
        at_least(0, self, "gumbel_scale", "value_scale", "visit_offset")
        if self.max_depth is not None:
            at_least(1, self, "max_depth")
        if not 0 < self.discount <= 1:
            raise SettingError(f"discount must be above 0 and at most 1, got {self.discount}")


class Found(NamedTuple):
    """What search says of a batch of states."""

    action: jax.Array  # int32 [batch]
    policy: jax.Array  # float32 [batch, actions]: the improved policy, a training target
    visits: jax.Array  # float32 [batch, actions]: shares of the simulations
    value: jax.Array  # float32 [batch]: of the state, to the player to move who follows the policy


class Analysis(NamedTuple):
    """What search has seen of a batch of states, action by action: for people to look at."""

    action: jax.Array  # int32 [batch]: the one to play
    visits: jax.Array  # int32 [batch, actions]: simulations that began with it
    values: jax.Array  # float32 [batch, actions]: expected return of the player to move; 0 where not tried
    priors: jax.Array  # float32 [batch, actions]: the network's probabilities
    variations: jax.Array  # int32 [batch, actions, length]: the line most searched, itself first; then -1s


def search(env: Environment, predict: Predict, config: SearchConfig, key: jax.Array, states: State) -> Found:
    """Searches every state of a batch.

    Args:
      predict: batched network, closed over its weights.
      key: consumed.
      states: `[batch, ...]`; a finished one gives an arbitrary action, and a value of 0.
    """
    output = _search(env, predict, config, key, states)
    summary = output.search_tree.summary()
    return Found(
        action=output.action.astype(jnp.int32),
        policy=output.action_weights,
        visits=summary.visit_probs,
        value=_value_of_policy(output.action_weights, summary),
    )


def analyze(
    env: Environment,
    predict: Predict,
    config: SearchConfig,
    key: jax.Array,
    states: State,
    budget: jax.Array | int | None = None,
    length: int = 16,
) -> Analysis:
    """Searches every state of a batch and tells what each action is worth.

    Args:
      predict, key, states: as for `search`.
      budget: simulations after which to stop, if that is before `config.num_simulations`; may be traced, so that one
        compilation serves quick looks and long ones.
      length: longest variation to follow.
    """
    limit = config.num_simulations if budget is None else jnp.minimum(budget, config.num_simulations)

    def loop(start, stop, body, carry):
        del stop
        return jax.lax.fori_loop(start, limit, body, carry)

    output = _search(env, predict, config, key, states, loop)
    tree = output.search_tree
    summary = tree.summary()
    return Analysis(
        action=output.action.astype(jnp.int32),
        visits=summary.visit_counts.astype(jnp.int32),
        values=jnp.where(summary.visit_counts > 0, summary.qvalues, 0.0),
        priors=jax.nn.softmax(tree.children_prior_logits[:, tree.ROOT_INDEX]),
        variations=jax.vmap(functools.partial(_variations, length))(
            tree.children_index, tree.children_visits, tree.children_discounts
        ),
    )


def _search(
    env: Environment,
    predict: Predict,
    config: SearchConfig,
    key: jax.Array,
    states: State,
    loop: Callable = jax.lax.fori_loop,
) -> Any:
    """mctx's output, tree and all; `loop` runs the simulations."""
    logits, values = evaluate(env, predict, states)
    return mctx.gumbel_muzero_policy(
        params=(),
        rng_key=key,
        root=mctx.RootFnOutput(prior_logits=logits, value=values, embedding=states),  # pyright: ignore
        recurrent_fn=functools.partial(_expand, env, predict, config.discount),  # pyright: ignore
        num_simulations=config.num_simulations,
        invalid_actions=~jax.vmap(env.legal_actions)(states),
        max_depth=config.max_depth,
        max_num_considered_actions=config.max_considered,
        gumbel_scale=config.gumbel_scale,
        qtransform=functools.partial(
            mctx.qtransform_completed_by_mix_value,
            value_scale=config.value_scale,
            maxvisit_init=config.visit_offset,
            rescale_values=config.rescale_values,
        ),
        loop_fn=loop,
    )


def _variations(length: int, children: jax.Array, visits: jax.Array, discounts: jax.Array) -> jax.Array:
    """From each action at the root along the most visited children to a leaf, or to the end of the episode.

    Args: nodes by actions `[nodes, actions]`, of one tree: children and visits, and the discounts on the way there.

    Returns: int32 `[actions, length]`, -1 behind the last action of a line.
    """
    nobody = -1

    def follow(place, _):
        node, action = place
        is_tried = (action != nobody) & (children[node, action] >= 0)
        child = jnp.where(is_tried, children[node, action], 0)
        goes_on = is_tried & (discounts[node, action] != 0) & jnp.any(visits[child] > 0)
        return (child, jnp.where(goes_on, jnp.argmax(visits[child]), nobody)), jnp.where(is_tried, action, nobody)

    def line(action):
        return jax.lax.scan(follow, (jnp.int32(0), action), length=length)[1]

    return jax.vmap(line)(jnp.arange(visits.shape[-1], dtype=jnp.int32)).astype(jnp.int32)


def _value_of_policy(policy: jax.Array, summary) -> jax.Array:
    """What the policy earns with the actions that were tried: `[batch]`.

    Not the mean over simulations, since halving spends many of these on actions that turn out bad.
    """
    weights = jnp.where(summary.visit_counts > 0, policy, 0.0)
    return jnp.sum(weights * summary.qvalues, axis=-1) / jnp.maximum(jnp.sum(weights, axis=-1), 1e-30)


def evaluate(env: Environment, predict: Predict, states: State) -> tuple[jax.Array, jax.Array]:
    """Logits `[batch, actions]`, lowest where illegal, and values `[batch]`, 0 where the episode is over; float32.

    Illegal actions get a finite minimum: mctx masks them at the root only, and minus infinity would make NaN.
    """
    logits, values = predict(jax.vmap(env.observe)(states))
    values = jnp.where(states.discount == 0, 0.0, values.astype(jnp.float32))
    return mask_illegal(logits, jax.vmap(env.legal_actions)(states)), values


def mask_illegal(logits: jax.Array, legal: jax.Array) -> jax.Array:
    """Logits as search and loss both see them: float32, far below all others where `legal` is False."""
    return jnp.where(legal, logits.astype(jnp.float32), jnp.finfo(jnp.float32).min)


def _expand(
    env: Environment, predict: Predict, discount: float, params, key: jax.Array, action: jax.Array, states: State
):
    del params, key
    states = jax.vmap(env.step)(states, action)
    logits, values = evaluate(env, predict, states)
    further = discount * states.discount
    record = {"reward": states.reward, "discount": further, "prior_logits": logits, "value": values}
    return mctx.RecurrentFnOutput(**record), states
