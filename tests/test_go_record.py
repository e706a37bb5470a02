"""A record takes what people do at a board, under the very rules of `Go`."""

import functools

import jax
import numpy as np
import pytest
import quick
from hypothesis import given, settings
from hypothesis import strategies as st

from go_env import Go, record
from go_env.record import IllegalMoveError, Record

KO_RULES = ["positional_superko", "situational_superko", "simple"]


@functools.cache
def compiled(go: Go):
    return jax.jit(go.step), jax.jit(go.legal_actions), jax.jit(go.stones)


def legal_actions(game: Record, colour: int) -> list[bool]:
    return [is_legal(game, colour, action) for action in range(game.go.num_actions)]


def is_legal(game: Record, colour: int, action: int) -> bool:
    try:
        record.play(game, colour, action)
    except IllegalMoveError:
        return False
    return True


@pytest.mark.parametrize("ko", KO_RULES)
@pytest.mark.parametrize("size", quick.first([3, 2]))
def test_the_rules_are_those_of_go(ko, size):
    """In games of alternating colours, where repetitions come up all the time."""
    go, generator = Go(size, ko=ko, max_moves=60), np.random.default_rng(size)
    step, legal, stones = compiled(go)
    num_forbidden = 0
    for _ in range(4):
        state, game = go.init(), record.begin(go)
        while state.discount != 0:
            allowed = np.asarray(legal(state))
            assert legal_actions(game, int(state.to_play)) == allowed.tolist()
            num_forbidden += int(np.sum(~allowed & np.append(game.board.reshape(-1) == 0, True)))
            points = np.flatnonzero(allowed[:-1])
            is_pass = not len(points) or (state.passes == 0 and generator.random() < 0.2)
            action = go.pass_action if is_pass else int(generator.choice(points))
            game, state = record.play(game, int(state.to_play), action), step(state, action)
            np.testing.assert_array_equal(game.board, stones(state))
    assert num_forbidden > 10


MOVES = st.lists(st.tuples(st.sampled_from([1, -1]), st.integers(0, 9)), max_size=25)
THREE = Go(3, komi=0.5, max_moves=40)


def played(moves) -> list[Record]:
    """The game after each of the moves that are legal."""
    games = [record.begin(THREE)]
    for colour, action in moves:
        if is_legal(games[-1], colour, action):
            games.append(record.play(games[-1], colour, action))
    return games


@settings(max_examples=60)
@given(MOVES)
def test_undo_takes_back_one_move(moves):
    games = played(moves)
    game = games[-1]
    for before in games[-2::-1]:
        game = record.undo(game)
        assert game.plies == before.plies and game.to_play == before.to_play
    assert record.undo(game) == game


@settings(max_examples=60)
@given(MOVES)
def test_colours_alternate_with_implied_passes(moves):
    games = played(moves)
    game = games[-1]
    assert [ply.colour for ply in game.plies] == [(-1) ** i for i in range(len(game.plies))]
    assert all(ply.action == 9 for ply in game.plies if ply.is_implied)
    assert sum(not ply.is_implied for ply in game.plies) == len(games) - 1


@settings(max_examples=60)
@given(MOVES)
def test_the_state_shown_is_the_game_of_alternating_plies(moves):
    """Fewer plies than three quarters of the limit, so nothing is left out; and it is never over."""
    game = played(moves)[-1]
    game = game._replace(plies=game.plies[:30])
    _, legal, stones = compiled(THREE)
    shown = record.state(game)
    assert shown.discount == -1 and int(shown.to_play) == game.to_play
    assert int(shown.ply) == len(game.plies)
    np.testing.assert_array_equal(stones(shown), game.board)
    assert np.asarray(legal(shown)).tolist() == legal_actions(game, game.to_play)


def test_what_lies_far_back_is_for_the_record_to_remember():
    """A state that begins late in the game allows what the whole game forbids."""
    go = Go(2, max_moves=8)
    game = record.begin(go)
    for action in (0, 1, 4, 2, 4, 3, *[4] * 8):  # Black could take three stones at 0, were it not for the first move
        game = record.play(game, game.to_play, action)
    shown = record.state(game)
    assert int(shown.ply) == 6
    assert not is_legal(game, 1, 0)
    assert go.legal_actions(shown)[0]


def test_handicap_stones_belong_to_the_start():
    game = record.begin(Go(3), komi=0.25, black_stones=(0, 8))
    assert game.to_play == -1 and game.board.reshape(-1).tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert record.undo(game) == game
    assert record.score(game) == 8.75
    assert int(record.state(game).to_play) == -1
    assert record.play(game, 1, 4).plies[0].is_implied


def test_passes_in_a_row_are_counted_without_implied_ones():
    game = record.begin(Go(3))
    counts = []
    for colour, action in ((1, 9), (-1, 9), (1, 9), (1, 9), (-1, 0), (-1, 9)):
        game = record.play(game, colour, action)
        counts.append(record.num_passes(game))
    assert counts == [1, 2, 3, 1, 0, 1]
