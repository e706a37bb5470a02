"""Pairs of games are fair, complete and by the rules, whoever plays them and whatever engines do wrong."""

import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest

from go_env import Go, match, sgf, text
from go_env.gtp_client import Client
from go_env.match import Engine, Fault

GO = Go(5, komi=6.0, max_moves=40)
STEP, LEGAL = jax.jit(Go.step, static_argnums=0), jax.jit(Go.legal_actions, static_argnums=0)


class Scripted:
    """Plays the nth legal action, n from the seed of the game and the ply: chance without JAX."""

    def __init__(self, name, salt=0):
        self.name, self.salt, self.seen = name, salt, []

    def choose(self, games, pool):
        self.seen.append(games)
        return lambda: [
            self.pick(np.flatnonzero(legal), live) for live, legal in zip(games.lives, games.legal, strict=False)
        ]

    def pick(self, legal, live):
        random = np.random.default_rng([live.seed, len(live.actions), self.salt])
        return int(random.choice(legal[:-1] if len(legal) > 1 else legal))


class Passes:
    name = "passes"

    def choose(self, games, pool):
        return lambda: [GO.pass_action for _ in games.lives]


def play(go, first, second, openings, batch=None):
    with ThreadPoolExecutor(2) as pool:
        return [pair for ended in match.play(go, first, second, openings, pool, batch) for pair in ended]


def openings_of(go, count, num_moves=(2, 4)):
    return dict(enumerate(match.random_openings(go, 0, count, num_moves)))


def replayed(go, game):
    """The last state of a game, each of whose moves is legal."""
    state = go.init()
    for action in sgf.actions(game):
        assert not go.is_over(state)
        assert LEGAL(go, state)[action]
        state = STEP(go, state, int(action))
    return state


def test_games_are_by_the_rules_and_their_results_follow_from_the_moves():
    pairs = play(GO, Scripted("a"), Scripted("b", 1), openings_of(GO, 6))
    assert sorted(pair.number for pair in pairs) == list(range(6))
    results = set()
    for pair in pairs:
        for game in pair.games:
            state = replayed(GO, game)
            assert GO.is_over(state)
            score = float(GO.score(state))
            assert sgf.outcome(game).winner == np.sign(score)
            assert (sgf.outcome(game).margin or 0.0) == abs(score)
            results.add(sgf.outcome(game).winner)
            assert (game.komi, game.size) == (6.0, 5)
    assert len(results) > 1


def test_a_pair_is_one_opening_with_swapped_colours():
    openings = openings_of(GO, 12)
    assert {len(opening) for opening in openings.values()} == {2, 3, 4}
    for pair in play(GO, Scripted("a"), Scripted("b", 1), openings):
        opening = openings[pair.number]
        for game, mover in zip(pair.games, "ab", strict=True):
            assert list(sgf.actions(game))[: len(opening)] == opening
            assert {game.info["PB"], game.info["PW"]} == {"a", "b"}
            assert game.info["PW" if len(opening) % 2 else "PB"] == mover


def test_both_think_about_every_move_once_and_about_half_of_the_games():
    a, b = Scripted("a"), Scripted("b", 1)
    play(GO, a, b, openings_of(GO, 3))
    for player in (a, b):
        for games in player.seen:
            for live in games.lives:
                mover = live.black if live.to_play == 1 else live.white
                assert mover == player.name or live.result
    assert len(a.seen) == len(b.seen) <= 38


def test_games_do_not_depend_on_the_games_beside_them():
    openings = openings_of(GO, 5)
    together = {pair.number: pair for pair in play(GO, Scripted("a"), Scripted("b", 1), openings)}
    (alone,) = play(GO, Scripted("a"), Scripted("b", 1), {3: openings[3]}, batch=5)
    assert alone == together[3]


def test_two_passes_end_a_game_and_a_draw_is_one():
    go = Go(5, komi=0.0, max_moves=40)
    (pair,) = play(go, Passes(), Passes2(), {0: [6, 8, 16, 18]})  # two stones each, and nobody's land
    assert [game.result for game in pair.games] == ["Draw", "Draw"]
    assert [match.points(game, name) for game in pair.games for name in ("passes", "too")] == [0.5] * 4
    assert all(len(game.moves) == 6 for game in pair.games)


class Passes2(Passes):
    name = "too"


def test_a_player_who_resigns_loses():
    class Resigns(Passes):
        name = "resigns"

        def choose(self, games, pool):
            return lambda: [Fault("resign") for _ in games.lives]

    (pair,) = play(GO, Resigns(), Scripted("other"), {0: [12, 6]})
    assert {game.result for game in pair.games} == {"B+Resign", "W+Resign"}
    assert [match.points(game, "other") for game in pair.games] == [1, 1]


def fake(tmp_path, name, on_genmove):
    """An engine in a few lines of Python."""
    path = tmp_path / f"{name}.py"
    path.write_text(
        textwrap.dedent("""
        import sys, time
        told = []
        for line in sys.stdin:
            id, command, *arguments = line.split()
            answer = ""
            if command == "genmove":
                answer = {}
            told.append(" ".join([command, *arguments]))
            print(f"={{id}} {{answer}}\\n", flush=True)
            if command == "quit":
                break
        """).format(on_genmove)
    )
    command = [sys.executable, "-S", str(path)]
    return Engine(name, GO, lambda seed: Client(command, timeout=1.0, name=name))


@pytest.mark.parametrize(
    ("on_genmove", "reason"),
    [
        (
            "'A1' if not any('play' in t and 'A1' in t for t in told) and 'genmove' in told[-1] else 'C3'",
            "C3 is illegal",
        ),
        ("sys.exit(3)", "ended before it answered 'genmove"),
        ("time.sleep(60)", "gave no answer to 'genmove"),
        ("'Z99'", "a vertex on a 5×5 board"),
        ("'ü'", "a vertex on a 5×5 board"),
        ("''", "a vertex on a 5×5 board"),
        ("1 / 0", "ZeroDivisionError"),
    ],
    ids=["illegal", "dies", "hangs", "off the board", "letters", "empty", "last words"],
)
def test_an_engine_that_fails_loses_and_the_record_says_why(tmp_path, on_genmove, reason):
    (pair,) = play(GO, fake(tmp_path, "fake", on_genmove), Scripted("other"), {0: [12, 6]})  # C3 is taken
    for game in pair.games:
        assert match.points(game, "other") == 1
        assert sgf.outcome(game).how == "forfeit"
        assert game.info["GC"].startswith("fake: ")
        assert reason in game.info["GC"]
        assert "\n" not in game.info["GC"]
        replayed(GO, game)
        assert sgf.read(sgf.write(game)) == [game]


def test_an_engine_that_cannot_be_started_loses(tmp_path):
    engine = Engine("gone", GO, lambda seed: Client([tmp_path / "gone"]))
    (pair,) = play(GO, Scripted("other"), engine, {0: [12, 6]})
    assert [match.points(game, "other") for game in pair.games] == [1, 1]


def test_an_engine_knows_the_rules_and_every_move(tmp_path):
    log = tmp_path / "log"
    on_genmove = (
        f"(open({str(log)!r}, 'a').write('|'.join([*told, line.split(None, 1)[1].strip()]) + '\\n'), 'pass')[1]"
    )
    (pair,) = play(GO, fake(tmp_path, "fake", on_genmove), Scripted("other"), {0: [12, 6, 8]})
    last = {line.split("|")[-1]: line.split("|") for line in log.read_text().splitlines()}
    for game in pair.games:
        colour = 1 if game.info["PB"] == "fake" else -1
        told = last["genmove b" if colour == 1 else "genmove w"]
        assert told[:3] == ["boardsize 5", "clear_board", "komi 6"]
        expected = []
        for i, move in enumerate(game.moves):
            vertex = text.vertex(move.action, 5)
            is_own = i >= 3 and move.colour == colour
            expected.append(f"genmove {'bw'[i % 2]}" if is_own else f"play {'bw'[i % 2]} {vertex}")
        assert told[3:] == expected[: len(told) - 3]
        assert len(told) - 3 >= len(expected) - 1


def test_every_game_has_an_engine_of_its_own_with_its_own_seed_and_none_outlives_it(tmp_path):
    clients, seeds = [], []
    engine = fake(tmp_path, "fake", "'pass'")

    def start(seed):
        seeds.append(seed)
        clients.append(engine.start(seed))
        return clients[-1]

    counted = Engine("fake", GO, start)
    play(GO, counted, Passes(), {0: [12, 6], 1: [12, 7]})
    assert len(clients) == 4 and not any(client.is_running for client in clients)
    assert len(set(seeds)) == 4 and all(0 < seed < 2**31 for seed in seeds)
    first_seeds = sorted(seeds)
    seeds.clear()
    play(GO, counted, Passes(), {1: [12, 7], 0: [12, 6]})
    assert sorted(seeds) == first_seeds


def test_giving_up_ends_the_engines(tmp_path):
    clients = []
    engine = fake(tmp_path, "fake", "'pass'")

    def start(seed):
        clients.append(engine.start(seed))
        return clients[-1]

    with ThreadPoolExecutor(2) as pool:
        plies = match.play(GO, Engine("fake", GO, start), Scripted("other"), {0: [12, 6]}, pool)
        assert next(plies) == []
        assert [client.is_running for client in clients] == [True]
        plies.close()
    assert not any(client.is_running for client in clients)


def test_openings_lead_to_different_positions_on_the_inside():
    openings = match.random_openings(GO, seed=1, num_openings=200)
    assert {len(opening) for opening in openings} == {2, 3, 4}
    boards = set()
    for opening in openings:
        state = GO.init()
        for action in opening:
            assert LEGAL(GO, state)[action]
            row, column = divmod(action, 5)
            assert 1 <= row <= 3 and 1 <= column <= 3
            state = STEP(GO, state, action)
        boards.add((np.asarray(GO.stones(state)).tobytes(), int(state.to_play)))
    assert len(boards) == 200


def test_more_openings_begin_with_the_same_ones():
    few, many = (match.random_openings(GO, seed=2, num_openings=count) for count in (5, 70))
    assert many[:5] == few
    assert match.random_openings(GO, seed=3, num_openings=5) != few


def test_openings_on_tiny_boards_use_all_of_it_and_have_an_end():
    openings = match.random_openings(Go(2), seed=0, num_openings=4, num_moves=(1, 1))
    assert sorted(openings) == [[0], [1], [2], [3]]
    with pytest.raises(ValueError, match="only 4 different openings of 1 to 1 moves"):
        match.random_openings(Go(2), seed=0, num_openings=5, num_moves=(1, 1))
    assert match.random_openings(GO, seed=0, num_openings=1, num_moves=(0, 0)) == [[]]
