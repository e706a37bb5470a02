"""Remember the values of keys, the latest of each."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula import partitions
from curricula.levels import Levels
from curricula.stream import Script, Stream
from curricula.vocabulary import FIRST_DIGIT, FIRST_SYMBOL, NUM_DIGITS, NUM_SYMBOLS, Token, digits


class Knobs(NamedTuple):
    """Difficulty of `associative_recall`; pairs - overwrites, the number of keys, is from 1 to 16."""

    pairs: int  # of a key and a value
    overwrites: int  # pairs whose key had a value already
    queries: int


def associative_recall() -> Stream:
    """Tells the values of keys, some of which have been given a new value on the way.

    - Prompt: `pairs` of a symbol, the key, and a digit, its value. Then `queries` times QUERY and a key; as the key is
      shown, the latest value of it is asked for. Steps: 2 · (pairs + queries).
    - A key comes up for the first time at any place; an overwrite is of any key seen before. Every key is asked for
      once before any is asked for again, so that keys written once and keys overwritten both count.
    - Beyond 16 pairs, and so 16 keys, more pairs are more overwrites. Not length: nearly all pairs are overwrites, or
      4 times the queries.
    - Floor per token: 1/10 for a random or a constant digit, hence 10 ** -min(queries, keys) for an episode.
      The value shown last answers more than 1 / keys of the first queries, which is 0.55 of level 0.
    - Kin: variables of a program; cells of Befunge that `p` writes and `g` reads.
    """
    levels = Levels(
        train=(
            Knobs(2, 0, 1),
            Knobs(3, 1, 2),
            Knobs(4, 1, 2),
            Knobs(5, 2, 2),
            Knobs(6, 2, 3),
            Knobs(7, 3, 3),
            Knobs(8, 3, 4),
        ),
        beyond=(
            ("pairs ×1.5", Knobs(12, 5, 4)),
            ("pairs ×2", Knobs(16, 6, 4)),
            ("pairs ×4", Knobs(32, 16, 4)),
            ("pairs ×8", Knobs(64, 48, 4)),
            ("overwrites ×2", Knobs(8, 6, 4)),
            ("keys ×3, no overwrites", Knobs(16, 0, 4)),
            ("queries ×4", Knobs(8, 3, 16)),
        ),
    )
    room = levels.most("pairs")
    max_steps = max(2 * (knobs.pairs + knobs.queries) for knobs in levels.rows)

    def write(key: jax.Array, knobs: Knobs) -> Script:
        write_key, value_key, name_key, query_key = jax.random.split(key, 4)
        num_keys = knobs.pairs - knobs.overwrites
        # Keys are numbers here, in the order in which they come up; `names` are their tokens.
        written = partitions.into_classes(write_key, room, knobs.pairs, num_keys)
        values = FIRST_DIGIT + jax.random.randint(value_key, (room,), 0, NUM_DIGITS)
        names = FIRST_SYMBOL + jax.random.permutation(name_key, NUM_SYMBOLS)
        time = jnp.arange(max_steps, dtype=jnp.int32)
        pair, is_second = time // 2, time % 2 == 1
        in_pairs, length = pair < knobs.pairs, 2 * (knobs.pairs + knobs.queries)
        queried = _in_turn(query_key, num_keys)[(pair - knobs.pairs) % num_keys]
        pair = pair % room
        wrote = jnp.where(is_second, values[pair], names[written[pair]])
        asks = jnp.where(is_second, names[queried], Token.QUERY)
        shown = jnp.where(in_pairs, wrote, asks)
        answer = values[_latest(written, knobs.pairs)[queried]]
        asked = jnp.where(is_second & ~in_pairs, answer, Token.PAD)
        is_used = time < length
        shown, asked = (jnp.where(is_used, tokens, Token.PAD).astype(jnp.int8) for tokens in (shown, asked))
        return Script(shown, asked, jnp.asarray(length, jnp.int32))

    return Stream("associative_recall", levels, write, max_steps, digits())


def _in_turn(key: jax.Array, num_keys: jax.Array | int) -> jax.Array:
    """The numbers 0 … num_keys - 1 in random order, then others: int32 `[symbols]`."""
    priority = jax.random.uniform(key, (NUM_SYMBOLS,))
    return jnp.argsort(jnp.where(jnp.arange(NUM_SYMBOLS) < num_keys, priority, 2.0))


def _latest(written: jax.Array, pairs: jax.Array | int) -> jax.Array:
    """The last pair of each key: int32 `[symbols]`."""
    pair = jnp.arange(len(written))
    is_write = (written == jnp.arange(NUM_SYMBOLS)[:, None]) & (pair < pairs)
    return jnp.max(jnp.where(is_write, pair, 0), axis=1)
