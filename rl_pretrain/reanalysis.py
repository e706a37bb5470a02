"""What was played before, searched anew: old moves with the policy of today (MuZero Reanalyse)."""

import jax
import jax.numpy as jnp

from rl_pretrain.environment import Environment, Predict
from rl_pretrain.replay import Replay
from rl_pretrain.search import SearchConfig, search


def renew(
    env: Environment,
    predict: Predict,
    config: SearchConfig,
    key: jax.Array,
    replay: Replay,
    num_steps: int,
    num_new: int = 0,
) -> Replay:
    """Puts what search finds now in place of the policies of some steps, drawn at random, of all games at once.

    Outcomes stay what they were: those are of games that were played, by whom it may be.

    Args:
      replay: one that holds states, and something.
      num_steps: how many; one may be drawn twice.
      num_new: steps that were remembered last and searched by the same network; they are drawn only if there are no
        others.
    """
    capacity = len(replay.reward)
    num_spared = jnp.where(replay.size > num_new, num_new, 0)

    def of_one_step(examples, key):
        row_key, search_key = jax.random.split(key)
        back = jax.random.randint(row_key, (), num_spared, replay.size)
        row = (replay.cursor - 1 - back) % capacity
        states = jax.tree.map(lambda ring: ring[row], replay.states)
        policy = search(env, predict, config, search_key, states).policy
        examples = examples._replace(
            policy=examples.policy.at[row].set(policy.astype(examples.policy.dtype)),
            has_policy=examples.has_policy.at[row].set(True),
        )
        return examples, None

    examples, _ = jax.lax.scan(of_one_step, replay.examples, jax.random.split(key, num_steps))
    return replay._replace(examples=examples)
