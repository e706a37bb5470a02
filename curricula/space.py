"""Every instance of a level that has few, once each, so that both splits of it are known whole.

Tasks draw instances and do not count them. So instances are drawn until their number can be trusted: all that came up
are listed if each came up `MIN_SEEN` times or more. Two arguments say how far that can be trusted.

- Good and Turing: the chance that the next draw is new is about the share of draws seen once only. Here none is. If
  all instances are equally likely and one is still missing, others must be rare too: for N draws from K instances,
  n = N / K each, K · e**-n are expected to be missing and n**j / j! times as many to be seen j times. That some are
  missing though none is seen 1 to 7 times has a chance below 0.000001 for every K, at the default number of draws.
- If instances are not equally likely, rare ones may be missing, but seldom matter: any set of them that has a chance q
  of coming up is missed by N draws with a chance of (1 - q)**N, which is below 0.0001 for q = 0.0003.

Of the tasks with their default settings these have tiny levels, by the tests of this module: copy, reverse and
repeat_copy 0 and 1; odds_first, dedup and sort 0; dyck and closing 0 to 2; stack_machine 0 and 1; multiplication 0;
finite_automaton 0 and 1; group_word 0 to 3; cellular_automaton 0, 2, 3 and 4; knights_and_knaves and matrix_vector 0;
factorial and fibonacci all levels, those of greater lengths too, but those with another modulus than in training.
"""

import functools
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np

from curricula.split import Split, is_test
from curricula.stream import Instance, Script, Stream

NUM_DRAWS = 2**15
MIN_SEEN = 8
_CHUNK = 256  # instances drawn at once


def every_instance(
    task: Stream,
    level: int,
    split: Split | None = None,
    key: jax.Array | None = None,
    num_draws: int = NUM_DRAWS,
) -> Instance:
    """All different instances of a level, or of one split of it, each once, in the order of their tokens.

    Args:
      key: of the draws; default: key 0. It changes nothing but how likely the list is to be complete.
      num_draws: rounded up to a multiple of 256.

    Returns: arrays `[N, …]`. Raises ValueError where the level has too many instances to be listed.
    """
    if split not in (None, "train", "test"):
        raise ValueError(f"split must be train, test or None, got {split!r}")
    counts = _count(task, level, key, num_draws)
    if counts is None:
        raise ValueError(
            f"{task.name}, {task.levels.name(int(level))} has too many instances, or too rare ones, to list all: "
            f"in {num_draws} draws some came up fewer than {MIN_SEEN} times"
        )
    scripts = _scripts(sorted(counts), task.max_steps)
    if split is not None:
        belongs = np.asarray(jax.vmap(is_test)(scripts)) == (split == "test")
        scripts = Script(*(column[belongs] for column in scripts))
    return Instance(scripts, jnp.full(len(scripts.length), level, jnp.int32))


def tiny_levels(task: Stream) -> tuple[int, ...]:
    """The levels whose instances `every_instance` lists."""
    return tuple(level for level in range(task.levels.num_levels) if _count(task, level, None, NUM_DRAWS))


def _count(task: Stream, level: int, key: jax.Array | None, num_draws: int) -> Counter[bytes] | None:
    """How often each instance of a level came up, None if some came up too seldom."""
    level = int(task.levels.check(level))
    if num_draws < MIN_SEEN:
        raise ValueError(f"num_draws must be {MIN_SEEN} or more, got {num_draws}")
    key = jax.random.key(0) if key is None else key
    counts: Counter[bytes] = Counter()
    for start in range(0, num_draws, _CHUNK):
        counts.update(row.tobytes() for row in np.asarray(_draw(task, key, level, start)))
        if len(counts) * MIN_SEEN > num_draws:  # they cannot all come up that often
            return None
    return counts if min(counts.values()) >= MIN_SEEN else None


@functools.partial(jax.jit, static_argnums=0)
def _draw(task: Stream, key: jax.Array, level: jax.Array | int, start: jax.Array | int) -> jax.Array:
    """Tokens shown, then tokens asked for, of the draws from `start` on: int8 `[chunk, 2 · T]`."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, start + jnp.arange(_CHUNK))
    scripts = jax.vmap(task.sample, (0, None))(keys, level).script
    return jnp.concatenate([scripts.shown, scripts.asked], axis=1)


def _scripts(rows: list[bytes], room: int) -> Script:
    """The scripts of rows as `_draw` gives them. The last step of a script asks for something."""
    shown, asked = np.split(np.frombuffer(b"".join(rows), np.int8).reshape(-1, 2 * room), 2, axis=1)
    length = room - np.argmax(asked[:, ::-1] != 0, axis=1)
    return Script(jnp.asarray(shown), jnp.asarray(asked), jnp.asarray(length, jnp.int32))
