"""GNU Go, which nobody here wrote, finds the same moves legal and the same scores as `go_env`."""

import functools
from collections.abc import Callable

import jax
import numpy as np
import pytest
import quick

from go_env import Go, sgf, text
from go_env.gtp_client import Client, EngineError, gnugo, play_game

SUPERKO = {"positional_superko": "--positional-superko", "situational_superko": "--situational-superko"}


def start_gnugo(*options: str) -> Client:
    """Of options that contradict one another the last counts."""
    try:
        return Client([*gnugo(level=0), *options])
    except EngineError as error:
        pytest.skip(str(error))


class Compiled:
    """The functions of `Go`, compiled."""

    def __init__(self, go: Go):
        self.go = go
        self.step, self.stones, self.score, self.from_stones = map(
            jax.jit, (go.step, go.stones, go.score, go.from_stones)
        )
        self.legal_actions = jax.jit(go.legal_actions)

    def legal_points(self, state) -> list[int]:
        return np.flatnonzero(np.asarray(self.legal_actions(state))[:-1]).tolist()


def is_eye(board: np.ndarray, point: int, colour: int) -> bool:
    """Whether all neighbours are stones of the colour; playing there would never end."""
    size = len(board)
    row, column = divmod(point, size)
    near = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
    return all(board[r, c] == colour for r, c in near if 0 <= r < size and 0 <= c < size)


def useful_points(world: Compiled, state) -> list[int]:
    board, colour = np.asarray(world.stones(state)), int(state.to_play)
    return [point for point in world.legal_points(state) if not is_eye(board, point, colour)]


def random_games(world: Compiled, gnu: Client, num_games: int, choices: Callable, pass_rate: float = 0.0):
    """Every state of random games that both programs are told of; they end when neither side has a choice left."""
    go, generator = world.go, np.random.default_rng(0)
    gnu.send(f"boardsize {go.size}")
    gnu.send(f"komi {go.komi}")
    for _ in range(num_games):
        gnu.send("clear_board")
        state = go.init()
        while state.discount != 0:
            yield state
            points = choices(state)
            is_pass = not points or (state.passes == 0 and generator.random() < pass_rate)
            action = go.pass_action if is_pass else int(generator.choice(points))
            colour = "black" if state.to_play == 1 else "white"
            gnu.send(f"play {colour} {text.vertex(action, go.size)}")
            state = world.step(state, action)
        yield state


@pytest.mark.parametrize(
    ("size", "ko", "num_games", "at_least"),
    quick.first(
        [
            (3, "positional_superko", 15, 20),
            (3, "situational_superko", 15, 5),
            (5, "positional_superko", 5, 3),
            (2, "positional_superko", 25, 50),
            (5, "situational_superko", 5, 3),
            (9, "positional_superko", 1, 1),
        ],
        3,
    ),
)
def test_the_same_moves_are_legal(size, ko, num_games, at_least):
    """Boards fill and empty many times, so that repetitions are forbidden: at least that often."""
    world, num_positions, num_forbidden = Compiled(Go(size, ko=ko, max_moves=8 * size**2)), 0, 0
    with start_gnugo(SUPERKO[ko]) as gnu:
        for state in random_games(world, gnu, num_games, world.legal_points, pass_rate=0.05):
            if state.discount == 0:
                continue
            ours = world.legal_points(state)
            theirs = gnu.send(f"all_legal {'black' if state.to_play == 1 else 'white'}").split()
            assert {text.vertex(point, size) for point in ours} == set(theirs), text.to_text(world.stones(state))
            afresh = world.from_stones(world.stones(state), state.to_play)
            num_positions += 1
            num_forbidden += len(world.legal_points(afresh)) - len(ours)
    assert num_positions > 400 and num_forbidden >= at_least


def is_settled(world: Compiled, state) -> bool:
    """Whether neither side would have a useful move even if no position had been before.

    GNU Go judges life and death by the board alone. A stone that only superko saves from capture, or that the move
    limit saves, is dead to GNU Go and alive to Tromp and Taylor.
    """
    stones = world.stones(state)
    return not any(useful_points(world, world.from_stones(stones, colour)) for colour in (1, -1))


@pytest.mark.parametrize(("size", "num_games"), quick.first([(5, 40), (9, 8)]))
def test_settled_games_have_the_same_score(size, num_games):
    world, num_settled = Compiled(Go(size, komi=6.5, max_moves=4 * size**2)), 0
    with start_gnugo() as gnu:
        for state in random_games(world, gnu, num_games, functools.partial(useful_points, world)):
            if state.discount == 0 and is_settled(world, state):
                num_settled += 1
                winner, _, margin = gnu.send("final_score").partition("+")
                score = float(margin) * {"B": 1, "W": -1}[winner]
                assert score == world.score(state), text.to_text(world.stones(state))
    assert num_settled > num_games / 2


def test_the_score_of_a_game_by_gnu_go_itself():
    """Positions as they come up in play: all that is dead has been captured when GNU Go passes twice."""
    go = Go(5, komi=0.5)
    with start_gnugo("--never-resign") as black, start_gnugo("--never-resign") as white:
        game = play_game(black, white, go)
        assert sgf.parse_result(black.send("final_score")) == sgf.outcome(game)
