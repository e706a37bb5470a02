"""9,258 real 9×9 games, move by move: boards, legal moves, scores and results are what sgfmill makes of them.

The games, one to a line, are looked for in `shared/data/go9x9` beside the repository, or in the folder that the
environment variable GO9X9_GAMES names. Without them the same tests run on the games written below alone. sgfmill plays
the moves and knows no ko rule: repetitions are found by comparing each of its boards with all earlier ones. `-s` shows
what was seen.
"""

import collections
import functools
import os
import pathlib
import random
import re
from typing import NamedTuple

import jax
import numpy as np
import pytest
from sgfmill import boards

from go_env import Go, KoRule, sgf

FOLDER = os.environ.get("GO9X9_GAMES") or pathlib.Path(__file__).parents[2] / "shared" / "data" / "go9x9"
NUM_GAMES_AND_MOVES = {
    "human": (4575, 266_292),
    "engine": (3983, 257_916),
    "professional": (341, 15_881),
    "selfplay": (359, 29_078),
}
# Games that end by two passes; those whose result is the score of the last board; draws among these. Programs that play
# by area capture all dead stones before they pass, people only agree about them.
NUM_SCORED = {"human": (4561, 1489, 0), "engine": (873, 873, 364), "professional": (2, 0, 0), "selfplay": (95, 95, 0)}

SIZE, PASS = 9, 81
BATCH, NUM_PLIES = 1024, 170  # of one call: each ko rule is compiled once, for the longest game (161 moves)
NUM_SAMPLES = 30  # real games in which every point is tried before every move, beside those with a repetition

HAND_WRITTEN = {
    "stones captured in corner, centre and edge": "(;SZ[9]KM[7]RE[W+7];B[aa];W[ba];B[ee];W[ab];B[hh];W[de];B[hg];W[fe]"
    ";B[gh];W[ed];B[gi];W[ef];B[gg];W[hi];B[];W[ii];B[ih];W[ii];B[hi];W[];B[])",
    "two chains captured at once, from inside": "(;SZ[9]KM[6.5]RE[W+1.5];B[ca];W[ba];B[bb];W[ab];B[ac];W[ee];B[aa]"
    ";W[dd];B[dc];W[];B[])",
    "an eye of two points": "(;SZ[9]KM[5.5]RE[W+2.5];B[ab];W[ee];B[bb];W[ef];B[ca];W[aa];B[gg];W[];B[ba];W[fe];B[]"
    ";W[])",
    "a ko fight": "(;SZ[9]KM[7]RE[W+5];B[cd];W[fd];B[dc];W[ec];B[de];W[ee];B[hh];W[dd];B[ed];W[hg];B[gh];W[dd];B[bb]"
    ";W[cb];B[ed];W[gc];B[dd];W[];B[])",
    "a snapback": "(;SZ[9]KM[7]RE[W+3];B[ab];W[ba];B[aa];W[bb];B[bc];W[da];B[ea];W[db];B[eb];W[gg];B[dc];W[hg];B[cc]"
    ";W[gh];B[ca];W[cb];B[ca];W[bb];B[];W[])",
    "two stones sent, one returned": "(;SZ[9]KM[7]RE[W+7];B[ab];W[ba];B[bb];W[da];B[gg];W[cb];B[gf];W[aa];B[ca];W[ba]"
    ";B[];W[])",
    "one stone alone": "(;SZ[9]KM[81]RE[Draw];B[ee];W[];B[])",
    "no stone": "(;SZ[9]KM[7.5]RE[W+7.5];B[];W[])",
}
# Points that these games' rules refuse: after so many moves, where, and why.
REFUSED = {
    "stones captured in corner, centre and edge": [(4, "aa", "suicide"), (12, "ee", "suicide"), (19, "ii", "suicide")],
    "two chains captured at once, from inside": [(5, "aa", "suicide"), (7, "ba", "suicide"), (7, "ab", "suicide")],
    "an eye of two points": [(7, "ba", "suicide"), (9, "aa", "suicide")],
    "a ko fight": [(9, "dd", "ko"), (12, "ed", "ko"), (15, "dd", "ko")],
    "two stones sent, one returned": [(9, "ba", "superko")],
}

# Moves that bring an earlier board back, the first of each game: its number, and the number of moves before that board.
# With the same player to move the difference is even. All rules but the simple one must refuse these, and only these.
REPETITIONS: dict[KoRule, dict[str, tuple[int, int]]] = {
    "simple": {},
    "situational_superko": {
        "human[300]": (63, 59),  # 60 was a pass
        "human[3197]": (87, 81),
        "human[3636]": (93, 87),
        "selfplay[141]": (91, 85),
        "selfplay[246]": (86, 82),
    },
    "positional_superko": {
        "human[22]": (76, 73),
        "human[300]": (63, 59),
        "human[1722]": (69, 66),
        "human[3197]": (87, 81),
        "human[3636]": (93, 87),
        "selfplay[1]": (54, 51),
        "selfplay[89]": (61, 58),
        "selfplay[131]": (66, 61),
        "selfplay[141]": (60, 57),
        "selfplay[201]": (72, 69),
        "selfplay[246]": (84, 81),
        "selfplay[259]": (74, 69),
        "selfplay[324]": (73, 70),
        "selfplay[338]": (68, 65),
        "two stones sent, one returned": (10, 7),
    },
}


class Record(NamedTuple):
    """A game as `go_env` reads it, and as a regular expression reads it and sgfmill plays it."""

    game: sgf.Game
    actions: tuple[int, ...]
    boards: list[bytes]  # after 0, 1, 2, … moves: int8, row by row from the top, +1 Black, -1 White
    lead: int  # Black's area less White's at the end

    @property
    def ends_with_two_passes(self) -> bool:
        return self.actions[-2:] == (PASS, PASS)

    @property
    def last_mover(self) -> int:
        return 1 if len(self.actions) % 2 == 1 else -1

    @property
    def recorded_margin(self) -> float:
        """Black's, as `go_env` reads it; for games that were counted."""
        result = sgf.outcome(self.game)
        assert result.winner is not None and result.margin is not None
        return result.winner * result.margin


class Replay(NamedTuple):
    """A game as `go_env` plays it."""

    masks: np.ndarray  # bool [moves, 82]: legal actions before each move
    boards: np.ndarray  # int8 [moves, 9, 9]: after each move
    rewards: np.ndarray  # float32 [moves]
    is_over: np.ndarray  # bool [moves]
    score: float  # at the end


class Played(NamedTuple):
    """Games by name, `human[22]` from line 23 of that file, all played under one ko rule."""

    ko: KoRule
    records: dict[str, Record]
    replays: dict[str, Replay]

    def first_refused(self, name: str) -> int | None:
        """Number of the first move of a game that `go_env` holds illegal, counted from 1."""
        actions, masks = self.records[name].actions, self.replays[name].masks
        refused = ~masks[np.arange(len(actions)), actions]
        return int(np.argmax(refused)) + 1 if refused.any() else None

    def num_played(self, name: str) -> int:
        """Moves before the first refused one, which ends the game."""
        return (self.first_refused(name) or len(self.records[name].actions) + 1) - 1


def record_of(game: sgf.Game, line: str) -> Record:
    moves = re.findall(r";([BW])\[([a-i]{2})?\]", line)
    assert [colour for colour, _ in moves] == ["BW"[number % 2] for number in range(len(moves))]
    actions = tuple(as_action(point) for _, point in moves)
    board = boards.Board(SIZE)
    seen = [as_bytes(board)]
    for number, action in enumerate(actions):
        put(board, action, number)
        seen.append(as_bytes(board))
    return Record(game, actions, seen, board.area_score())


def as_action(point: str) -> int:
    """`ba`, the second point of the first row, is 1; an empty text is a pass."""
    return SIZE * (ord(point[1]) - ord("a")) + ord(point[0]) - ord("a") if point else PASS


def put(board: boards.Board, action: int, number: int):
    """Plays a move, after so many others, on sgfmill's board, whose rows count from below."""
    if action != PASS:
        board.play(SIZE - 1 - action // SIZE, action % SIZE, "bw"[number % 2])


def as_bytes(board: boards.Board) -> bytes:
    return bytes([CODES[colour] for row in reversed(board.board) for colour in row])


CODES = {None: 0, "b": 1, "w": 255}


def earlier(boards: list[bytes], board: bytes, ko: KoRule) -> list[int]:
    """After how many moves `board`, which a stone would bring about behind `boards`, was there and is protected."""
    moves = len(boards)
    is_protected = {
        "positional_superko": lambda before: True,
        "situational_superko": lambda before: (moves - before) % 2 == 0,  # the same player to move
        "simple": lambda before: moves - before == 2,  # before the opponent's move
    }[ko]
    return [before for before, past in enumerate(boards) if past == board and is_protected(before)]


def repetitions(record: Record, ko: KoRule) -> list[tuple[int, int]]:
    """As in `REPETITIONS`, all of the game."""
    if len(set(record.boards)) == len(record.boards) - record.actions.count(PASS):
        return []  # all boards differ but those after passes: said at once, as of nearly all games
    found = []
    for number, (action, board) in enumerate(zip(record.actions, record.boards[1:], strict=True), start=1):
        if action != PASS and (before := earlier(record.boards[:number], board, ko)):
            found.append((number, before[0]))
    return found


@functools.partial(jax.jit, static_argnums=0)
def play_batch(go: Go, komi: jax.Array, actions: jax.Array):
    """The fields of `Replay` for games `[batch]` with actions `[batch, plies]`."""

    def play(komi, actions):
        def ply(state, action):
            mask, state = go.legal_actions(state), go.step(state, action)
            return state, (mask, go.stones(state), state.reward, go.is_over(state))

        end, seen = jax.lax.scan(ply, go.init(komi=komi), actions)
        return *seen, go.score(end)

    return jax.vmap(play)(komi, actions)


def play(ko: KoRule, records: dict[str, Record]) -> dict[str, Replay]:
    go = Go(SIZE, ko=ko, max_moves=NUM_PLIES + 1)  # so no game ends by its length
    names, replays = list(records), {}
    for first in range(0, len(names), BATCH):
        batch = names[first : first + BATCH]
        komi = np.zeros(BATCH, np.float32)
        actions = np.full((BATCH, NUM_PLIES), PASS, np.int32)  # passes behind the record leave the last board alone
        for i, name in enumerate(batch):
            game = records[name].game
            komi[i], actions[i, : len(game.moves)] = game.komi, sgf.actions(game)
        *seen, scores = jax.device_get(play_batch(go, komi, actions))
        for i, name in enumerate(batch):
            masks, boards_after, rewards, is_over = (x[i, : len(records[name].actions)].copy() for x in seen)
            replays[name] = Replay(masks, boards_after, rewards, is_over, float(scores[i]))
    return replays


@pytest.fixture(scope="module")
def hand_written() -> dict[str, Record]:
    return {name: record_of(sgf.read(line, name)[0], line) for name, line in HAND_WRITTEN.items()}


@pytest.fixture(scope="module")
def real() -> dict[str, Record]:
    records = {}
    for source in NUM_GAMES_AND_MOVES:
        path = pathlib.Path(FOLDER, f"{source}.sgf")
        if not path.exists():
            pytest.skip(f"there is no {path}; GO9X9_GAMES may name another folder with the records")
        for index, (game, line) in enumerate(zip(sgf.read_file(path), path.read_text().splitlines(), strict=True)):
            records[f"{source}[{index}]"] = record_of(game, line)
    return records


HAND_WRITTEN_CASES = [("hand_written", ko) for ko in REPETITIONS]
REAL_CASES = [("real", ko) for ko in REPETITIONS]
REAL_BY_SIMPLE_KO = REAL_CASES[0]


@pytest.fixture(scope="module", params=HAND_WRITTEN_CASES + REAL_CASES, ids=" ".join)
def played(request) -> Played:
    games, ko = request.param
    records = request.getfixturevalue(games)
    return Played(ko, records, play(ko, records))


@pytest.mark.parametrize("games", ["hand_written", "real"])
def test_the_moves_are_read_as_they_are_written(games, request):
    for name, record in request.getfixturevalue(games).items():
        assert sgf.actions(record.game).tolist() == list(record.actions), name


def test_number_of_real_games_and_moves(real):
    games, moves = collections.Counter(), collections.Counter()
    for name, record in real.items():
        games[source_of(name)] += 1
        moves[source_of(name)] += len(record.actions)
    print(f"\n{games.total()} real games with {moves.total()} moves")
    assert {source: (games[source], moves[source]) for source in games} == NUM_GAMES_AND_MOVES


def source_of(name: str) -> str:
    return name.split("[")[0]


def test_all_moves_are_legal_but_those_that_repeat_a_position(played):
    expected = {name: where for name, where in REPETITIONS[played.ko].items() if name in played.records}
    by_sgfmill = {name: found[0] for name, r in played.records.items() if (found := repetitions(r, played.ko))}
    refused = {name: move for name in played.records if (move := played.first_refused(name))}
    num_moves = sum(map(played.num_played, played.records))
    print(f"\n{played.ko}: {len(played.records)} games, {num_moves} moves legal, {len(refused)} games not to the end")
    for name, (_, before) in expected.items():
        print(f"  move {refused.get(name)} of {name}: the board after {before}")
    assert by_sgfmill == expected
    assert refused == {name: move for name, (move, _) in expected.items()}


def test_boards_after_every_move(played):
    num_boards = 0
    for name, record in played.records.items():
        num_played = played.num_played(name)
        assert played.replays[name].boards[:num_played].tobytes() == b"".join(record.boards[1 : num_played + 1]), name
        num_boards += num_played
    print(f"\n{played.ko}: {num_boards} boards the same")


def test_games_are_over_after_two_passes_or_a_refused_move(played):
    for name, record in played.records.items():
        num_moves, num_played = len(record.actions), played.num_played(name)
        is_refused = num_played < num_moves
        num_before = num_played if is_refused else num_moves - record.ends_with_two_passes  # moves that end nothing
        is_over, rewards = played.replays[name].is_over, played.replays[name].rewards
        assert is_over.tolist() == [False] * num_before + [True] * (num_moves - num_before), name
        assert not rewards[:num_before].any(), name
        if is_refused:
            assert rewards[num_before:].tolist() == [-1.0] + [0.0] * (num_moves - num_before - 1), name


def test_score_and_reward_at_the_end(played):
    for name, record in played.records.items():
        if played.first_refused(name):
            continue
        score = record.lead - record.game.komi
        assert played.replays[name].score == score, name
        if record.ends_with_two_passes:
            assert played.replays[name].rewards[-1] == np.sign(score) * record.last_mover, name


@pytest.mark.parametrize("played", [REAL_BY_SIMPLE_KO], ids=" ".join, indirect=True)
def test_recorded_results_of_real_games(played):
    """Those of programs are ours in every game that ended by two passes."""
    num_scored = {source: np.zeros(3, int) for source in NUM_SCORED}
    for name, record in played.records.items():
        if record.ends_with_two_passes:
            margin, replay = record.recorded_margin, played.replays[name]
            agrees = replay.score == margin and replay.rewards[-1] == np.sign(margin) * record.last_mover
            num_scored[source_of(name)] += [1, agrees, agrees and margin == 0]
    num_scored = {source: tuple(numbers.tolist()) for source, numbers in num_scored.items()}
    print("\ntwo-pass games, those with the score of the last board as result, draws among these:", num_scored)
    assert num_scored == NUM_SCORED


@pytest.mark.parametrize("played", HAND_WRITTEN_CASES, ids=" ".join, indirect=True)
def test_results_of_hand_written_games(played):
    for name, record in played.records.items():
        if not played.first_refused(name):
            assert played.replays[name].is_over[-1], name
            assert played.replays[name].score == record.recorded_margin, name


@pytest.mark.parametrize("played", HAND_WRITTEN_CASES, ids=" ".join, indirect=True)
def test_what_hand_written_games_refuse(played):
    for name, attempts in REFUSED.items():
        for num_moves, point, why in attempts:
            is_allowed = why == "superko" and played.ko != "positional_superko"
            assert played.replays[name].masks[num_moves, as_action(point)] == is_allowed, (name, num_moves, point)


def test_every_point_before_every_move(played):
    """Of a sample of the real games, and of those with repetitions."""
    names = set(played.records) & set(HAND_WRITTEN | REPETITIONS["positional_superko"])
    names |= set(random.Random(0).sample(sorted(played.records), min(NUM_SAMPLES, len(played.records))))
    num_positions = 0
    for name in sorted(names):
        record, replay = played.records[name], played.replays[name]
        num_positions += (num_masks := min(played.num_played(name) + 1, len(record.actions)))
        for number, boards_after in enumerate(boards_after_each_point(record.actions)[:num_masks]):
            expected = np.zeros(PASS + 1, bool)
            expected[PASS] = True
            for point, after in boards_after.items():
                expected[point] = not earlier(record.boards[: number + 1], after, played.ko)
            assert replay.masks[number].tolist() == expected.tolist(), (name, number)
    print(f"\n{played.ko}: {num_positions} positions of {len(names)} games, all points tried")


@functools.cache
def boards_after_each_point(actions: tuple[int, ...]) -> list[dict[int, bytes]]:
    """Before each move: the board that a stone on each point would lead to, but for suicides, by sgfmill."""
    board, found = boards.Board(SIZE), []
    for number, action in enumerate(actions):
        found.append({})
        for point in range(SIZE**2):
            if board.get(SIZE - 1 - point // SIZE, point % SIZE) is None:
                after = board.copy()
                put(after, point, number)
                if after.get(SIZE - 1 - point // SIZE, point % SIZE) is not None:  # else it captured itself
                    found[-1][point] = as_bytes(after)
        put(board, action, number)
    return found
