"""Cues that give an answer away while training and mislead when tested: what does a policy go by?"""

import jax
import jax.numpy as jnp

from curricula.pool import Pool
from curricula.vocabulary import NUM_TOKENS


def plant(rows: Pool, key: jax.Array, share_true: float = 1.0) -> Pool:
    """The same rows with one more token before each prompt: the cue, which says what the first token of the answer is.

    As far from the answer as can be, it is out of sight of a small window (Han et al. 2025, section 4: fewer tokens in
    view, fewer spurious cues). Train with true cues, then test with false ones.

    Args:
      share_true: probability that a cue is true. A false one is another token that is first in an answer of the same
        task in this pool, as often as it is there, so that it does not look false; if there is none, another token of
        the task's answers. With one level in a pool, false cues are of that level too.

    A memory of keys and values that is preloaded would take the cue for the first key.
    """
    if not 0 <= share_true <= 1:
        raise ValueError(f"share_true must be from 0 to 1, got {share_true}")
    first = jax.vmap(lambda row: _first_asked(rows, row))(jnp.arange(rows.num_rows))
    truth_key, token_key = jax.random.split(key)
    is_true = jax.random.bernoulli(truth_key, share_true, first.shape)
    cue = jnp.where(is_true, first, _other_first(rows, token_key, first))
    scripts = rows.scripts.reshape(rows.num_rows, -1)
    scripts = jnp.concatenate([cue[:, None].astype(scripts.dtype), scripts], axis=1)  # nothing is asked for with it
    return rows._replace(scripts=scripts.reshape(-1), length=rows.length + 1)


def _first_asked(rows: Pool, row: jax.Array) -> jax.Array:
    """The first token of a row's answer: int32 `[]`."""
    episode = rows.at(row)
    return rows.expert(episode._replace(time=rows.prompt(episode)[1]))


def _other_first(rows: Pool, key: jax.Array, first: jax.Array) -> jax.Array:
    """A first token of another answer for each row, never its own: int32 `[N]`."""
    count = jnp.zeros(rows.answers.shape).at[rows.task, first].add(1)
    weight = count + 1e-12 * rows.answers  # nearly nothing for what is in no row, and that is enough if it is alone
    is_other = jnp.arange(NUM_TOKENS) != first[:, None]
    return jax.random.categorical(key, jnp.log(jnp.where(is_other, weight[rows.task], 0.0)))
