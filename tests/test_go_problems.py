"""Problems have the answers that players know, and those that plain rules give when everything is tried."""

import collections
import functools

import jax
import numpy as np
import oracle_go
import pytest
from quick import first

from go_env import Go, eyespace, from_text, ladders, life, problem, problems, reading, text, to_text, zones
from go_env.problem import Problem

GO = Go(7)
LIFE = functools.cache(lambda: life.make(GO, seed=1, num=4))
LADDERS = functools.cache(lambda: ladders.make(Go(9), seed=1, num=3))


def played(go: Go, p: Problem) -> oracle_go.Game:
    """The problem's moves by plain rules."""
    game = oracle_go.Game.start(go.size, go.komi, go.ko, go.move_limit)
    for move in p.moves:
        assert game.is_legal(move)
        game = game.play(move)
    return game


# The rules


def test_stones_are_placed_as_plain_rules_say():
    random, size, num_captures, num_suicides = np.random.default_rng(0), 4, 0, 0
    for _ in range(40):
        board, colour = (0,) * size**2, 1
        for _ in range(40):
            after = [oracle_go.place(board, point, colour, size) for point in range(size**2)]
            assert after == [reading.place(reading.grid(size), board, point, colour) for point in range(size**2)]
            num_suicides += sum(x is None and y == 0 for x, y in zip(after, board, strict=True))
            legal = [x for x in after if x is not None]
            if not legal:
                break
            chosen = legal[random.integers(len(legal))]
            num_captures += sum(map(bool, chosen)) <= sum(map(bool, board))
            board, colour = chosen, -colour
    assert num_captures > 20 and num_suicides > 20


def test_liberties_and_connections_by_hand():
    board = [1, 1, 0, 0, -1, 1, -1, -1, 1]
    grid = reading.grid(3)
    assert reading.liberties(grid, board, 0) == {2, 3}
    assert reading.liberties(grid, board, 7) == {3}
    assert reading.chain(grid, board, 5) == ({5, 8}, {2, 4, 7})
    assert reading.is_connected(grid, {0, 1, 4, 7}) and not reading.is_connected(grid, {0, 4})


def test_a_position_is_reached_by_moves_in_turn():
    random = np.random.default_rng(0)
    for num_black, num_white, to_play in [(3, 3, 1), (3, 3, -1), (5, 2, 1), (5, 2, -1), (1, 6, 1), (1, 6, -1)]:
        board = np.zeros(36, int)
        board[random.permutation([*range(6, 12), 18, 20])[: num_black + num_white]] = [1] * num_black + [-1] * num_white
        last = {int(random.choice(np.flatnonzero(board == -to_play)))}
        moves = problem.moves_to(random, tuple(board.tolist()), to_play, last)
        game = oracle_go.Game.start(6, 7.0, "positional_superko", 72)
        for move in moves:
            game = game.play(move)
        assert (game.board, game.to_play, game.is_over) == (tuple(board.tolist()), to_play, False)
        assert moves[-1] in last


def test_eyes_leave_one_chain():
    grid, zone = reading.grid(5), set(range(15))
    for seed in range(20):
        eyes = zones.eyes(np.random.default_rng(seed), grid, zone, 2, 3)
        board = [0 if p in eyes or p not in zone else 1 for p in range(25)]
        assert 2 <= len(eyes) <= 3 and not [p for p in eyes if set(grid[p]) - zone or set(grid[p]) & eyes]
        stone = min(zone - eyes)
        assert oracle_go.region(board, stone, 5)[0] == zone - eyes
    assert zones.eyes(np.random.default_rng(0), grid, {0, 1, 5, 6}, 2, 3) is None


def test_zones_grow_towards_what_is_cheap():
    grid = reading.grid(4)
    assert zones.grow(grid, range(16), set(range(16)), 5) == {0, 1, 2, 3, 4}
    assert zones.grow(grid, range(16), {0, 1, 3}, 3) is None


# Life and death


STATUS = {  # in the middle of the board: the vital point, or who has it; as in any book for beginners
    "#V#": "V",
    "V# #.": "V",
    "####": "alive",
    "### #..": "alive",
    "##. .##": "alive",
    "#V# .#.": "V",
    "## ##": "dead",
    "#####": "alive",
    "#V# ##.": "V",
    ".#. #V# .#.": "V",
    "### ###": "alive",
    "##. #V# .#.": "V",
    "#": "dead",
    "##": "dead",
}


def enclosed(picture: str) -> tuple[reading.Graph, list[str]]:
    """The graph of an eye space in the middle of a board, and the mark on each of its points."""
    marks = {(i, j): mark for i, row in enumerate(picture.split()) for j, mark in enumerate(row) if mark != "."}
    number = {cell: k for k, cell in enumerate(marks)}
    ring = len(marks)
    around = [[(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)] for i, j in marks]
    graph = [tuple({number.get(cell, ring) for cell in cells}) for cells in around]
    return (*graph, tuple(p for p, near in enumerate(graph) if ring in near)), list(marks.values())


@pytest.mark.parametrize("picture", STATUS)
def test_eye_spaces_have_the_status_that_players_know(picture):
    graph, marks = enclosed(picture)
    attack, defence = (eyespace.Position((0,) * len(marks) + (-1,), side, 0) for side in (1, -1))
    expected = {"V": (1, -1), "alive": (-1, -1), "dead": (1, 1)}[STATUS[picture]]
    assert (eyespace.value(graph, attack), eyespace.value(graph, defence)) == expected
    if STATUS[picture] == "V":  # who lives may have a choice: a bulky five can also become four that live
        vital = [mark == "V" for mark in (*marks, "pass", "wait")]
        assert [winner == 1 for winner in eyespace.outcomes(graph, attack)] == vital
        assert eyespace.outcomes(graph, defence)[vital.index(True)] == -1
        assert eyespace.outcomes(graph, defence)[-2:] == [1, 1]


def test_a_bulky_five_lives_by_three_points():
    """Its middle; the corner, which leaves a zigzag four; the stone beside the middle, which leaves a bent four."""
    graph, _ = enclosed("### ##.")
    winners = eyespace.outcomes(graph, eyespace.Position((0,) * 5 + (-1,), -1, 0))
    assert winners == [-1, -1, 1, 1, -1, 1, 1]


def test_the_end_of_a_game_by_hand():
    """Three in a row with the attacker's stone in the middle: dead, even if both pass, as the stone stays."""
    graph, _ = enclosed("###")
    assert eyespace.outcomes(graph, eyespace.Position((0, 1, 0, -1), 1, 0)) == [1, None, 1, 1, 1]
    assert eyespace.outcomes(graph, eyespace.Position((0, -1, 0, -1), -1, 0)) == [1, None, 1, -1, -1]  # two eyes
    pair, _ = enclosed("##")
    assert eyespace.outcomes(pair, eyespace.Position((0, 1, -1), 1, 0))[0] == 1  # captures the chain at once


def test_what_hangs_on_a_ko_has_no_answer():
    """Bent four in the corner, which is the one point without a stone of the chain beside it."""
    graph = ((1, 2), (0, 4), (0, 3, 4), (2, 4), (1, 2, 3))  # the corner 0, beside it 1 and 2, and 3; the chain is 4
    empty = (0, 0, 0, 0, -1)
    assert eyespace.value(graph, eyespace.Position(empty, 1, 0)) == 0


P = eyespace.Position


def test_who_has_to_move_is_not_sure_of_what_waiting_turns_round():
    """The attacker, to move, has only a pass, which loses; if the defender has to, the attacker wins at once."""
    mine, yours = P((0, -1), 1, 0), P((0, -1), -1, 0)
    follow = {mine: [-1], yours: [1]}
    assert eyespace._plies(follow, 1, set(follow)) == {yours: 1}
    assert eyespace._sure(follow, 1) == set()
    follow[mine] = [1]
    assert eyespace._sure(follow, 1) == {mine, yours}


def test_who_has_to_bring_a_position_back_is_not_sure():
    """The attacker can only win by coming back to the first board, with the defender to move."""
    start, away, back = P((0, -1), 1, 0), P((1, -1), -1, 0), P((0, -1), -1, 0)
    there = P((1, -1), 1, 0)
    follow = {start: [away], away: [there], there: [back], back: [1]}
    assert set(eyespace._plies(follow, 1, set(follow))) == set(follow)
    assert eyespace._sure(follow, 1) == set()  # nor of `back`, where the defender may wait
    other = P((-1, -1), -1, 0)
    follow |= {there: [other], other: [1], P((-1, -1), 1, 0): [1]}
    assert eyespace._sure(follow, 1) >= {start, away, there, other}


def settled(p: Problem, size: int) -> tuple[set[int], set[int], set[int]]:
    """What a problem's board consists of: stones with two eyes of one point, those eyes, and the rest."""
    eyes = collections.defaultdict(set)
    for point in range(size**2):
        around = {p.board[q] for q in oracle_go.neighbours(point, size)}
        chains = {min(oracle_go.region(p.board, q, size)[0]) for q in oracle_go.neighbours(point, size)}
        if p.board[point] == 0 and around in ({1}, {-1}) and len(chains) == 1:
            eyes[min(chains)].add(point)
    stones = [oracle_go.region(p.board, first, size)[0] for first, found in eyes.items() if len(found) >= 2]
    holes = set().union(*(found for found in eyes.values() if len(found) >= 2))
    return set().union(*stones), holes, set(range(size**2)) - set().union(*stones) - holes


def attacker_and_ring(p: Problem, size: int) -> tuple[int, set[int], set[int]]:
    """The attacker's colour, the chain that it is after, and the points that this encloses."""
    is_attacker = {"kill": True, "live": False, "dead": p.value == 1, "alive": p.value == -1}[p.kind]
    attacker = p.to_play if is_attacker else -p.to_play
    region = settled(p, size)[2]
    ring = max((oracle_go.region(p.board, q, size)[0] for q in region if p.board[q] == -attacker), key=len)
    return attacker, ring, region - ring


def forces(game: oracle_go.Game, side: int, attacker: int, ring: int, inside: set[int]) -> bool:
    """Whether `side` wins by moves in the eye space against anything; the attacker has won once the chain is gone."""
    if game.board[ring] == 0:
        return side == attacker
    if game.is_over:
        return game.score * side > 0
    moves = [a for a in range(game.size**2 + 1) if game.is_legal(a)]
    if game.to_play == side:
        moves = [a for a in moves if a in inside or a == game.size**2]
        return any(forces(game.play(a), side, attacker, ring, inside) for a in moves)
    waiting = [a for a in moves if a not in inside and a != game.size**2]
    moves = [a for a in moves if a not in waiting[1:]]  # which eye is filled makes no difference
    return all(forces(game.play(a), side, attacker, ring, inside) for a in moves)


def is_right_when_all_is_tried(go: Go, p: Problem) -> bool:
    attacker, ring, inside = attacker_and_ring(p, go.size)
    game = played(go, p)
    winners = [(action, p.to_play) for action in p.right] + [(action, -p.to_play) for action in p.wrong]
    return all(forces(game.play(action), side, attacker, min(ring), inside) for action, side in winners)


def has_a_ring(p: Problem, size: int) -> bool:
    """Not where the chain has two eyes already and so looks like the settled ones."""
    return bool(settled(p, size)[2])


def test_trying_everything_on_the_whole_board_gives_the_answers():
    for kind in life.KINDS:
        rings = [p for p in LIFE() if p.kind == kind and has_a_ring(p, GO.size)]
        p = min(rings, key=lambda p: len(attacker_and_ring(p, GO.size)[2]))
        assert is_right_when_all_is_tried(GO, p), problem.diagram(p)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "num"), [(7, 4), (9, 6)])
def test_trying_everything_gives_the_answers_for_all_shapes(size, num):
    go = Go(size)
    for p in life.make(go, 2, num):
        assert not has_a_ring(p, size) or is_right_when_all_is_tried(go, p), problem.diagram(p)


@pytest.mark.parametrize(("size", "komi"), [(7, 7.0), (7, 9.5), pytest.param(9, 7.0, marks=pytest.mark.slow)])
def test_the_chain_decides_the_game(size, komi):
    """By area: with all of the eye space the defender wins; with two stones next to the wall instead, the attacker."""
    go = Go(size, komi=komi)
    for p in LIFE() if go == GO else life.make(go, 3, 2):
        if not has_a_ring(p, size):
            continue
        attacker, ring, inside = attacker_and_ring(p, size)
        alive = list(p.board)
        for point in inside:
            alive[point] = -attacker
        lead = attacker * (sum(oracle_go.area(tuple(alive), size)) - komi)
        assert -2 <= lead < 0
        wall = [
            q for q in ring if any(p.board[r] == attacker and r not in inside for r in oracle_go.neighbours(q, size))
        ]
        assert len(wall) >= 4
        captured = [0 if q in ring or q in inside else stone for q, stone in enumerate(p.board)]
        for q in ring | inside:
            captured[q] = attacker if q in wall[:2] else -attacker  # all else the defender's, more than it can get
        assert attacker * (sum(oracle_go.area(tuple(captured), size)) - komi) > 0


@pytest.mark.parametrize("kind", life.KINDS)
def test_kinds_are_what_they_say(kind):
    for p in LIFE():
        if p.kind == kind:
            assert p.value == (1 if p.right else -1)
            if kind in ("kill", "live"):
                assert p.right and p.wrong & attacker_and_ring(p, GO.size)[2], "a wrong move close by"
                assert GO.pass_action in p.wrong


def test_boards_are_settled_but_for_the_problem():
    for p in LIFE():
        attackers, _, rest = settled(p, GO.size)
        assert len({min(oracle_go.region(p.board, q, GO.size)[0]) for q in attackers}) in (1, 2, 3)
        if rest:
            _, ring, inside = attacker_and_ring(p, GO.size)
            assert rest == ring | inside and oracle_go.liberties(p.board, min(ring), GO.size) <= inside


# Ladders


def ladder(diagram: str, prey: str, mover: int) -> bool | None:
    board = from_text(diagram)
    return ladders.is_lost(
        reading.grid(len(board)), tuple(board.ravel().tolist()), text.action(prey, len(board)), mover
    )


OPEN = """
. . . . . . .
. . . . . . .
. . . . . . .
. . . . . . .
. . . . . . .
. . . . . X O
. . . . O O .
"""


def with_stone(diagram: str, vertex: str, symbol: str) -> str:
    board = from_text(diagram)
    board.flat[text.action(vertex, len(board))] = {"X": 1, "O": -1}[symbol]
    return to_text(board)


def test_a_ladder_captures_unless_something_stands_in_its_way():
    assert ladder(OPEN, "F2", -1) is True and ladder(OPEN, "F2", 1) is False
    assert ladder(with_stone(OPEN, "F3", "O"), "F2", 1) is True  # the atari that leads along the edge of its stones
    assert ladder(with_stone(OPEN, "E2", "O"), "F2", 1) is False  # the one that leads into the open
    for vertex, expected in {"B6": False, "D4": False, "G7": True, "A1": True, "C6": False}.items():
        assert ladder(with_stone(OPEN, vertex, "X"), "F2", -1) is expected
    helped = with_stone(with_stone(OPEN, "B6", "X"), "C5", "O")
    assert ladder(helped, "F2", -1) is True  # the hunter's stone comes first


def test_taking_a_stone_of_the_hunter_is_a_way_out():
    diagram = """
    . . . . .
    . . O . .
    . O X O X
    . O . . .
    . . O . .
    """
    assert ladder(diagram, "C3", 1) is True
    assert ladder(with_stone(diagram, "D4", "X"), "C3", 1) is False


def is_caught(game: oracle_go.Game, prey: int) -> bool:
    """A ladder by the rules of the game, in which the chased player tries every legal action."""
    board, size = game.board, game.size
    free = oracle_go.liberties(board, prey, size)
    if game.to_play == board[prey]:
        return all(is_caught(game.play(a), prey) for a in range(size**2 + 1) if game.is_legal(a))
    boards = [game.play(a) for a in free if len(free) <= 2 and game.is_legal(a)]
    return any(after.board[prey] == 0 or is_caught(after, prey) for after in boards)


def prey_of(p: Problem, size: int) -> int:
    return text.action(p.name.split()[-1], size)


@pytest.mark.parametrize(
    ("kind", "num"), [*first([("stay", 1), ("run", 1)], 2), *first([(kind, 3) for kind in ladders.KINDS], 0)]
)
def test_trying_everything_gives_the_answers_to_ladders(kind, num):
    go, random = Go(9), np.random.default_rng(0)
    for p in [p for p in LADDERS() if p.kind == kind][:num]:
        game, prey = played(go, p), prey_of(p, 9)
        actions = random.permutation(sorted(p.right)).tolist()[:2] + random.permutation(sorted(p.wrong)).tolist()[:2]
        for action in actions:
            gets_its_way = action in p.right if p.value == 1 else False
            is_hunter = p.kind in ("chase", "refrain")
            assert is_caught(game.play(action), prey) == (gets_its_way == is_hunter), (problem.diagram(p), action)


def escapes(p: Problem, prey: int) -> set[int]:
    """Where the owner of a chain to move takes stones around it; nothing for the hunter."""
    around = oracle_go.region(p.board, prey, 9)[1] if p.board[prey] == p.to_play else ()
    last = [oracle_go.liberties(p.board, q, 9) for q in around if p.board[q] == -p.to_play]
    return set().union(*(free for free in last if len(free) == 1))


def test_a_stone_that_can_be_taken_in_vain_is_a_mistake_too():
    """Taking G2 from G1 leaves the chain with a false eye, and running to E2 meets the stone at D2."""
    e2, f2, f3, g1, g3 = (text.action(vertex, 7) for vertex in ("E2", "F2", "F3", "G1", "G3"))
    board = tuple(from_text(with_stone(OPEN, "D2", "O")).ravel().tolist())
    start = ladders.Start(board, prey=f2, hunter=-1, atari=f3, open=frozenset())
    posed = ladders._pose(Go(7), np.random.default_rng(0), start, g3, is_running=True)
    assert posed is not None and (posed.kind, posed.wrong) == ("stay", {e2, g1})


def test_a_pair_has_two_answers(monkeypatch):
    draw = functools.partial(ladders._draw, Go(9), is_running=False)
    seed = next(seed for seed in range(100) if draw(np.random.default_rng(seed)))
    same = LADDERS()[0]
    monkeypatch.setattr(ladders, "_pose", lambda *_: same)
    assert draw(np.random.default_rng(seed)) is None


def test_ladders_come_in_pairs_with_other_answers():
    by_pair = collections.defaultdict(list)
    for p in LADDERS():
        by_pair[p.pair].append(p)
    assert [[p.kind for p in pair] for pair in by_pair.values()].count(["refrain", "chase"]) == 3
    assert [[p.kind for p in pair] for pair in by_pair.values()].count(["run", "stay"]) == 3
    for p, q in by_pair.values():
        assert not p.right & q.right or {p.value, q.value} == {1, -1}
        solves, vain = (p, q) if p.value == 1 else (q, p)
        assert solves.right <= vain.wrong and vain.wrong, "what solves the one is the mistake in the other"
        assert sum(x != y for x, y in zip(p.board, q.board, strict=True)) == 2 and p.to_play == q.to_play
        free = oracle_go.liberties(p.board, prey_of(p, 9), 9)
        assert len(free) == (2 if "chase" in (p.kind, q.kind) else 1)
        assert vain.wrong == free | escapes(vain, prey_of(p, 9))


# All of them


def test_the_moves_lead_to_the_board_and_every_legal_action_has_an_answer():
    for go, made in ((GO, LIFE()), (Go(9), LADDERS())):
        for p in made:
            game = played(go, p)
            assert game.board == p.board and game.to_play == p.to_play and not game.is_over
            legal = {action for action, is_legal in enumerate(game.legal_actions()) if is_legal}
            assert p.right | p.wrong == legal and not p.right & p.wrong


@pytest.mark.parametrize(
    ("size", "ko"), first([(7, "simple"), (7, "positional_superko"), (9, "positional_superko"), (9, "simple")])
)
def test_problems_become_games(size, ko):
    go, made = Go(size, ko=ko), LIFE() if size == GO.size else LADDERS()
    stacked = problems.stack(go, made)
    for i, p in enumerate(made):
        state = jax.tree.map(lambda x, i=i: x[i], stacked.states)
        assert tuple(np.asarray(go.stones(state)).ravel().tolist()) == p.board
        assert int(state.to_play) == p.to_play and int(state.ply) == len(p.moves)
        assert set(np.flatnonzero(stacked.right[i]).tolist()) == p.right
    assert stacked.value.tolist() == [p.value for p in made] and stacked.pair.tolist() == [p.pair for p in made]
    assert [problems.KINDS[k] for k in stacked.kind] == [p.kind for p in made]
    false = made[0]._replace(wrong=made[0].wrong - {go.pass_action})
    with pytest.raises(ValueError, match="were not made for Go"):
        problems.stack(go, [false, *made[1:]])


def test_problems_are_the_same_for_the_same_seed():
    made = life.make(GO, seed=1, num=2)
    again = [p for kind in life.KINDS for p in [q for q in LIFE() if q.kind == kind][:2]]
    assert made == again != life.make(GO, seed=2, num=2)


def test_what_is_found_again_does_not_count(monkeypatch):
    again, pair = LIFE()[0], LADDERS()[:2]
    monkeypatch.setattr(life, "_draw", lambda *_: again)
    monkeypatch.setattr(ladders, "_draw", lambda *_, is_running: pair)
    with pytest.raises(ValueError, match=r"only 1 kill, 0 live, 0 dead, 0 alive$"):
        life.make(GO, 0, 2)
    with pytest.raises(ValueError, match=r"only 1 and 0$"):
        ladders.make(Go(9), 0, 2)


def test_small_boards_have_no_ladders():
    assert problems.make(GO, 1, 4, 100) == LIFE()


def test_a_diagram_shows_board_and_answer():
    p = Problem("kill", "a name", (), (1, -1, 0, 0), -1, frozenset({2, 4}), frozenset({3}), 1)
    assert problem.diagram(p) == "kill: a name, O to play\n   A B\n 2 X O\n 1 . .\nright: A1 pass"
    assert problem.diagram(p._replace(right=frozenset())).endswith("right: nothing helps")


def test_what_cannot_be_made_is_said_in_one_line():
    with pytest.raises(ValueError, match=r"1 pairs of ladders .* Go\(size=2.* only 0 and 0$"):
        ladders.make(Go(2), 0, 1)
    with pytest.raises(ValueError, match=r"1 problems of life and death .* Go\(size=3"):
        life.make(Go(3), 0, 1)
    with pytest.raises(ValueError, match="were not made for Go"):
        problems.stack(Go(9), LIFE())
