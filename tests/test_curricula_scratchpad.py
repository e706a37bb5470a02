"""A scratch pad before the answer: what was demonstrated is seen again, and anything else may be written, too."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from curricula import pool, traces
from curricula.scratchpad import Scratchpad
from curricula.tasks import automata
from curricula.vocabulary import NUM_TOKENS, Token
from rl_pretrain import environment

TASK = automata.group_word()
SAYS = traces.says(TASK)
ROOM, STEPS = 6, 24
*_, OTHER, LETTER = SAYS
ROWS = functools.cache(lambda: pool.write(TASK, jax.random.key(0), jnp.full(8, 2)))


@functools.cache
def player():
    """Plays one row by a list of actions: what was seen and legal before each, and how it ended."""

    @jax.jit
    def play(rows, row, actions):
        env = Scratchpad(rows, SAYS, ROOM)

        def step(episode, action):
            after = env.step(episode, action)
            return after, (env.observe(episode), env.legal_actions(episode), after.reward, after.discount)

        end, told = jax.lax.scan(step, env.at(row), actions)
        return *told, env.is_solved(end)

    return lambda row, said: play(ROWS(), row, jnp.array([*said, *[0] * (STEPS - len(said))]))


def script(row):
    """Tokens shown and asked for, without padding."""
    entries = np.asarray(ROWS().scripts).reshape(8, -1)[row][: int(ROWS().length[row])]
    return entries % 64, entries // 64


def ending(row, written):
    """All actions: reading, what is written, ANSWER, and the right answer."""
    _, asked = script(row)
    start = int(np.argmax(asked > 0))
    return [*asked[:start], *written, Token.ANSWER, *asked[start:]], start


@pytest.mark.parametrize("row", range(3))
def test_a_traced_script_is_seen_as_it_was_demonstrated_and_solves(row):
    shown, asked = traces.write(TASK, *(x.astype(np.int8) for x in script(row)))
    seen, legal, reward, discount, is_solved = player()(row, asked)
    before = np.pad(asked[:-1], (1, 0))
    np.testing.assert_array_equal(seen[: len(asked)], np.stack([shown, before], axis=1))
    assert all(legal[t, token] for t, token in enumerate(asked))
    assert is_solved and discount[len(asked) - 2] == 1 and discount[len(asked) - 1] == 0
    np.testing.assert_allclose(np.sum(reward), 1)


def test_anything_may_be_written_or_nothing():
    for written in ([], [LETTER], [OTHER] * ROOM):
        said, _ = ending(0, written)
        *_, reward, discount, is_solved = player()(0, said)
        assert is_solved and np.sum(reward) == pytest.approx(1) and discount[len(said) - 1] == 0


def test_a_full_pad_leaves_the_answer_only_and_writing_on_ends_it():
    said, start = ending(0, [LETTER] * ROOM)
    _, legal, *_ = player()(0, said)
    may_be_written = np.isin(np.arange(NUM_TOKENS), [*SAYS, Token.ANSWER])
    np.testing.assert_array_equal(legal[start], may_be_written)
    np.testing.assert_array_equal(np.flatnonzero(legal[start + ROOM]), [Token.ANSWER])
    said[start + ROOM] = LETTER
    *_, reward, discount, is_solved = player()(0, said)
    assert not is_solved and discount[start + ROOM] == 0 and np.sum(reward) == 0


def test_a_wrong_answer_ends_it_and_pays_nothing():
    said, start = ending(1, [LETTER])
    said[start + 2] = next(token for token in TASK.answers if token != said[start + 2])
    *_, reward, discount, is_solved = player()(1, said)
    assert not is_solved and np.sum(reward) == 0 and discount[start + 2] == 0


def test_it_keeps_the_contract():
    environment.check(Scratchpad(ROWS(), SAYS, ROOM))


def test_a_room_below_nothing_is_refused():
    with pytest.raises(ValueError, match="room must be at least 0, got -1"):
        Scratchpad(ROWS(), SAYS, -1)
