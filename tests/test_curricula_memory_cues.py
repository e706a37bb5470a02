"""A cue before the prompt: true, false, far away, and nothing else changed."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from curricula import cues, pool
from curricula.memory.small_window import SmallWindow
from curricula.tasks import copying, recall
from curricula.vocabulary import Token

pytestmark = pytest.mark.slow

NUM_ROWS = 600


@pytest.fixture(scope="module")
def rows() -> pool.Pool:
    """Of two tasks, whose answers are symbols and digits; the symbols are not equally frequent."""
    write = jax.jit(pool.write, static_argnums=0)
    levels = jnp.where(jnp.arange(NUM_ROWS // 2) % 3 == 0, copying.copy().levels.num_levels - 1, 0)  # 16 symbols, or 8
    symbols = write(copying.copy(), jax.random.key(0), levels)
    return pool.join([symbols, write(recall.associative_recall(), jax.random.key(1), 0 * levels)])


def steps_of(rows: pool.Pool) -> list[list[tuple[int, int]]]:
    """Token shown and token asked for, step by step."""
    scripts = np.asarray(rows.scripts).reshape(rows.num_rows, -1).tolist()
    return [[(x % 64, x // 64) for x in row[:n]] for row, n in zip(scripts, rows.length.tolist(), strict=True)]


def first_asked(steps) -> int:
    return next(asked for _, asked in steps if asked != Token.PAD)


def planted(rows, share_true) -> list[tuple[int, int]]:
    """Cue and first token of each row; all the rest is checked to be as it was."""
    with_cues = cues.plant(rows, jax.random.key(2), share_true)
    before, after = steps_of(rows), steps_of(with_cues)
    assert [steps[1:] for steps in after] == before
    assert all(steps[0][1] == Token.PAD for steps in after)
    for name in ("worth", "is_terminal", "level", "task", "answers"):
        np.testing.assert_array_equal(getattr(with_cues, name), getattr(rows, name))
    return [(new[0][0], first_asked(old)) for new, old in zip(after, before, strict=True)]


def test_true_cues_tell_the_first_token_of_the_answer(rows):
    assert all(cue == first for cue, first in planted(rows, 1.0))


def test_false_cues_tell_what_is_first_in_another_answer_as_often_as_it_is(rows):
    told = planted(rows, 0.0)
    for part in (told[: NUM_ROWS // 2], told[NUM_ROWS // 2 :]):
        frequency = collections.Counter(first for _, first in part)
        assert all(cue != first and cue in frequency for cue, first in part)
        for cue in frequency:
            chance = [frequency[cue] / (len(part) - frequency[first]) * (cue != first) for _, first in part]
            spread = np.sqrt(sum(p * (1 - p) for p in chance))
            assert abs(sum(c == cue for c, _ in part) - sum(chance)) <= 4 * spread + 1e-9


def test_cues_can_be_true_now_and_then(rows):
    num_true = sum(cue == first for cue, first in planted(rows, 0.8))
    assert abs(num_true - 0.8 * NUM_ROWS) < 4 * np.sqrt(0.16 * NUM_ROWS)


def test_where_all_answers_begin_alike_a_false_cue_is_another_token_of_the_answers(rows):
    alike = jax.tree.map(lambda x: x[:1], rows._replace(scripts=(), answers=()))
    alike = alike._replace(scripts=rows.scripts.reshape(NUM_ROWS, -1)[0], answers=rows.answers)
    (told,) = planted(alike, 0.0)
    assert told[0] != told[1] and rows.answers[0, told[0]]


def test_a_small_window_loses_the_cue_before_the_answer_is_due():
    """Two pools that differ in their cues only: what is seen differs as long as the cue is in the window."""
    level, length, window = 3, 5, 4
    rows = jax.jit(pool.write, static_argnums=0)(copying.reverse(), jax.random.key(3), jnp.full(32, level))
    one, other = (cues.plant(rows, jax.random.key(4), share) for share in (1.0, 0.0))

    def look(rows):
        world = SmallWindow(rows, window=window)
        episodes, seen = jax.vmap(world.at)(jnp.arange(32)), []
        step = jax.jit(jax.vmap(world.step))
        for _ in range(length + 2):
            seen.append(np.asarray(jax.vmap(world.observe)(episodes)))
            episodes = step(episodes, jnp.full(32, int(Token.PAD)))
        return seen

    differs = [(a != b).any(axis=1).tolist() for a, b in zip(look(one), look(other), strict=True)]
    assert differs == [[time < window] * 32 for time in range(length + 2)]


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_is_from_0_to_1(rows, share):
    with pytest.raises(ValueError, match="share_true must be from 0 to 1"):
        cues.plant(rows, jax.random.key(0), share)
