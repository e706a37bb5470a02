"""Two lists of symbols, and what they make as sets: their union, intersection or difference."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula import partitions
from curricula.levels import Levels
from curricula.stream import Script, Stream, ask
from curricula.vocabulary import FIRST_SYMBOL, NUM_SYMBOLS, Token, symbols


class Knobs(NamedTuple):
    """Difficulty of the set tasks."""

    length: int  # symbols in each list
    distinct: int  # the most different symbols in a list
    is_shuffled: int  # 1: the lists are in any order, 0: they ascend


def union() -> Stream:
    """Says the symbols that are in one list at least.

    - Prompt: two ascending lists of `length` symbols with BLANK between them. Each has 2 … min(length, distinct)
      different symbols of all 16, and any number of them in common; the others repeat these.
    - Answer: each symbol once, ascending, then END. Steps: 2 · length + 2 + symbols said.
    - There are but 16 symbols, so a list of more than 8 is one with more repetitions; 12 different ones are the most
      that leave the overlap open. Not length: 1.5 times the symbols, and lists out of order.
    - Floor: at most 17 ** -3 for a random policy, 0 for a constant one.
    - Kin: flags on the tape of Brainf**k, set by both lists and read in order.
    """
    return _combination("union", lambda first, second: first | second)


def intersection() -> Stream:
    """Says the symbols that are in both lists.

    - Prompt, answer, steps, kin: as in `union`. The answer may be END alone.
    - Floor: END at once solves the instances without an overlap: 1/3 of level 0, less of the others. The overlap is
      uniform from none to all of the smaller set, so other thoughtless policies do worse.
    """
    return _combination("intersection", lambda first, second: first & second)


def difference() -> Stream:
    """Says the symbols of the first list that are not in the second.

    - Prompt, answer, steps, kin: as in `union`. The answer may be END alone.
    - Floor: END at once solves the instances where the second set holds the first: 1/3 of level 0, less of the others.
    """
    return _combination("difference", lambda first, second: first & ~second)


def _combination(name: str, combine: Callable[[jax.Array, jax.Array], jax.Array]) -> Stream:
    """A task whose answer is a set.

    Args:
      combine: two sets, bool `[symbols]` → the set to say, likewise.
    """
    levels = Levels(
        train=tuple(Knobs(length, length, 0) for length in range(2, 9)),
        beyond=(
            ("length ×1.5", Knobs(12, 8, 0)),
            ("length ×2", Knobs(16, 8, 0)),
            ("length ×4", Knobs(32, 8, 0)),
            ("length ×8", Knobs(64, 8, 0)),
            ("symbols ×1.5", Knobs(12, 12, 0)),
            ("out of order", Knobs(8, 8, 1)),
        ),
    )
    room = levels.most("length")

    def write(key: jax.Array, knobs: Knobs) -> Script:
        set_key, *list_keys = jax.random.split(key, 3)
        sets, sizes = _two_sets(set_key, knobs)
        lists = jax.vmap(_list, (0, 0, 0, None, None))(jnp.stack(list_keys), sets, sizes, room, knobs)
        place = jnp.arange(2 * room + 1)
        second = lists[1, (place - knobs.length - 1) % room]
        prompt = jnp.where(place < knobs.length, lists[0, place % room], second)
        prompt = jnp.where(place == knobs.length, Token.BLANK, prompt)
        said = combine(sets[0], sets[1])
        number = jnp.sum(said, dtype=jnp.int32)
        answer = jnp.where(jnp.arange(NUM_SYMBOLS) < number, _ascending(said), Token.END)
        return ask(prompt, 2 * knobs.length + 1, jnp.append(answer, Token.END), number + 1)

    return Stream(name, levels, write, 2 * room + 1 + NUM_SYMBOLS + 1, (int(Token.END), *symbols()))


def _two_sets(key: jax.Array, knobs: Knobs) -> tuple[jax.Array, jax.Array]:
    """Random sets, bool `[2, symbols]`, and their sizes, int32 `[2]`: sizes first, then how much they overlap."""
    size_key, overlap_key, symbol_key = jax.random.split(key, 3)
    sizes = jax.random.randint(size_key, (2,), 2, jnp.minimum(knobs.length, knobs.distinct) + 1)
    least = jnp.maximum(jnp.sum(sizes) - NUM_SYMBOLS, 0)  # two large sets cannot but overlap
    overlap = jax.random.randint(overlap_key, (), least, jnp.min(sizes) + 1)
    rank = jax.random.permutation(symbol_key, NUM_SYMBOLS)
    start = jnp.stack([0, sizes[0] - overlap])[:, None]
    return (start <= rank) & (rank < start + sizes[:, None]), sizes


def _list(key: jax.Array, members: jax.Array, size: jax.Array, room: int, knobs: Knobs) -> jax.Array:
    """The tokens of a set, some of them repeated: int32 `[room]`, `length` of them used."""
    run_key, order_key = jax.random.split(key)
    ascending = _ascending(members)[partitions.into_runs(run_key, room, knobs.length, size)]
    place = jnp.arange(room)
    order = jnp.argsort(jnp.where(place < knobs.length, jax.random.uniform(order_key, (room,)), 2.0))
    return jnp.where(knobs.is_shuffled == 1, ascending[order], ascending)


def _ascending(members: jax.Array) -> jax.Array:
    """The tokens of a set, bool `[symbols]`, in order, then tokens of no meaning: int32 `[symbols]`."""
    return FIRST_SYMBOL + jnp.sort(jnp.where(members, jnp.arange(NUM_SYMBOLS), NUM_SYMBOLS))
