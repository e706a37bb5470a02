"""Exact counts known from independent programs: leaves of the game tree, and legal positions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import oracle_go
import pytest

from go_env import Go, bitboard, board

POSITIONAL, SITUATIONAL, SIMPLE = "positional_superko", "situational_superko", "simple"

CHUNK = 4096  # positions handled at once

# (size, ko rule, with passes): leaves at depth 1, 2, 3, ... from the empty board.
# With passes: two passes end the game, and a finished game counts as one leaf at every greater depth.
# Without: stones only; a player who has none ends a line that does not count any more.
LEAVES = {
    (2, SIMPLE, False): [4, 12, 24, 16, 32, 32, 32, 96, 192],
    (2, POSITIONAL, False): [4, 12, 24, 16, 32, 32, 16, 48, 80],
    (2, SITUATIONAL, False): [4, 12, 24, 16, 32, 32, 16, 48, 80],
    (2, SIMPLE, True): [5, 21, 69, 161, 337, 673, 1329, 2929, 6441],
    (2, POSITIONAL, True): [5, 21, 69, 161, 337, 673, 1249, 2521, 4857],
    (2, SITUATIONAL, True): [5, 21, 69, 161, 337, 673, 1273, 2649, 5217],
    (3, SIMPLE, False): [9, 72, 504, 2976, 14720, 56176, 168144],
    (3, POSITIONAL, False): [9, 72, 504, 2976, 14720, 56176, 168112],
    (3, SITUATIONAL, False): [9, 72, 504, 2976, 14720, 56176, 168144],
    (3, SIMPLE, True): [10, 91, 739, 5291, 33475, 180451, 848019],
    (3, POSITIONAL, True): [10, 91, 739, 5291, 33475, 180451, 847987],
    (3, SITUATIONAL, True): [10, 91, 739, 5291, 33475, 180451, 848019],
    (4, SIMPLE, True): [17, 273, 4113, 58001, 764289, 9327985],
    (4, POSITIONAL, True): [17, 273, 4113, 58001, 764289, 9327985],
    (4, SITUATIONAL, True): [17, 273, 4113, 58001, 764289, 9327985],
    (4, POSITIONAL, False): [16, 240, 3360, 43576, 521800, 5695072],
    (5, POSITIONAL, True): [26, 651, 15651, 361067, 7984755],
    (5, POSITIONAL, False): [25, 600, 13800, 303424, 6368416],
}
SAME_LEAVES = {  # so shallow on large boards that the rules do not differ
    (size, ko, passes): LEAVES[size, POSITIONAL, passes]
    for size, passes in ((4, False), (5, True), (5, False))
    for ko in (SIMPLE, SITUATIONAL)
}
LEAVES |= SAME_LEAVES


@pytest.mark.parametrize(
    ("size", "ko", "passes"),
    [pytest.param(*case, marks=pytest.mark.slow if case in SAME_LEAVES else ()) for case in LEAVES],
)
def test_game_tree_has_the_known_number_of_leaves(size, ko, passes):
    expected = LEAVES[size, ko, passes]
    assert count_leaves(size, ko, passes, len(expected)) == expected


@pytest.mark.parametrize("ko", [POSITIONAL, SITUATIONAL, SIMPLE])
def test_the_plain_python_oracle_counts_the_same_leaves(ko):
    """The judge of the other tests is judged by numbers that it has no part in."""

    def leaves(game, depth):
        if depth == 0 or game.is_over:
            return 1
        return sum(leaves(game.play(a), depth - 1) for a, legal in enumerate(game.legal_actions()) if legal)

    start = oracle_go.Game.start(2, komi=0, ko=ko, move_limit=100)
    assert [leaves(start, depth) for depth in range(1, 9)] == LEAVES[2, ko, True][:8]


def count_leaves(size: int, ko: str, passes: bool, depth: int) -> list[int]:
    """Leaves at depth 1 ... `depth`: all lines are played, ply by ply, many at once."""
    go = Go(size, ko=ko, max_moves=10)
    assert depth <= go.move_limit
    legal_actions, step = batched(go)
    frontier = jax.tree.map(lambda x: np.asarray(x)[None], go.init())
    num_finished, leaves = 0, []
    for _ in range(depth):
        is_legal = in_chunks(legal_actions, frontier)
        is_legal[:, go.pass_action] = passes
        leaves.append(num_finished + int(is_legal.sum()))
        if len(leaves) < depth:
            parent, action = np.nonzero(is_legal)
            children = in_chunks(step, jax.tree.map(lambda x, i=parent: x[i], frontier), action)
            is_over = children.discount == 0
            num_finished += int(is_over.sum())
            frontier = jax.tree.map(lambda x, keep=~is_over: x[keep], children)
    return leaves


@functools.cache
def batched(go: Go):
    return jax.jit(jax.vmap(go.legal_actions)), jax.jit(jax.vmap(go.step))


def in_chunks(function, *args):
    """`function` of batches of any length, run on chunks of one length, so that it is compiled once."""
    length = len(jax.tree.leaves(args)[0])
    chunks = []
    for start in range(0, length, CHUNK):
        chunk = jax.tree.map(lambda x, start=start: x[np.arange(start, start + CHUNK) % length], args)
        chunks.append(jax.tree.map(np.asarray, function(*chunk)))
    return jax.tree.map(lambda *parts: np.concatenate(parts)[:length], *chunks)


def have_liberties(layout, boards):
    """Whether a flood from the stones beside empty points reaches all stones: bool `[boards]`."""
    black, white = (tuple(jax.vmap(layout.pack)(boards == colour).T) for colour in (1, -1))
    stones = bitboard.union(black, white)
    empty = tuple(np.uint32(b) & ~s for b, s in zip(layout.board, stones, strict=True))
    seeds = bitboard.intersection(layout.neighbours(empty), stones)
    reached = board.flood(layout, tuple(w[None] for w in seeds), *board.links(layout, black, white))
    return bitboard.is_empty(bitboard.difference(stones, tuple(w[0] for w in reached)))


@pytest.mark.parametrize(("size", "known"), [(2, 57), (3, 12675)])
def test_liberties_tell_all_legal_positions_from_the_rest(size, known):
    """Every stone of a legal position has a liberty. Tromp counted them."""
    boards = all_boards(size)
    layout = Go(size).layout
    is_legal = np.asarray(have_liberties(layout, jnp.asarray(boards)))
    assert is_legal.sum() == known
    assert is_legal.tolist() == [oracle_go.is_legal_position(b, size) for b in map(tuple, boards.tolist())]


@pytest.mark.slow
def test_liberties_tell_the_legal_positions_of_4x4_from_the_rest():
    """All 3 ** 16 boards; Tromp counted 24,318,165 legal ones."""
    layout, chunk = Go(4).layout, 3**13

    @jax.jit
    def count(start):
        boards = (start + jnp.arange(chunk, dtype=jnp.int32))[:, None] // 3 ** np.arange(16, dtype=np.int32) % 3 - 1
        return jnp.sum(have_liberties(layout, boards))

    assert sum(int(count(start)) for start in range(0, 3**16, chunk)) == 24_318_165


@pytest.mark.parametrize(("size", "known"), [(2, 57), (3, 12675)])
def test_play_reaches_exactly_the_legal_positions(size, known):
    """Breadth first from the empty board, stones of either colour, each move a game of its own without a past."""
    go = Go(size)
    boards = all_boards(size).reshape(-1, size, size)

    def successors(stones, to_play):
        """Number of the board after each action; -1 where it is illegal."""
        state = go.from_stones(stones, to_play)
        after = jax.vmap(functools.partial(go.step, state))(jnp.arange(go.num_points))
        number = jnp.sum((jax.vmap(go.stones)(after).reshape(-1, go.num_points) + 1) * weights(size), axis=1)
        return jnp.where(go.legal_actions(state)[:-1], number, -1)

    successors = jax.jit(jax.vmap(successors))
    edges = [in_chunks(successors, boards, np.full(len(boards), to_play)) for to_play in (1, -1)]
    edges = np.concatenate(edges, axis=1)
    reached = np.zeros(len(boards), bool)
    frontier = np.array([weights(size).sum()])  # the empty board
    while len(frontier):
        reached[frontier] = True
        after = np.unique(edges[frontier])
        frontier = after[(after >= 0) & ~reached[after]]
    assert reached.sum() == known
    assert all(oracle_go.is_legal_position(b, size) for b in map(tuple, boards[reached].reshape(-1, size**2).tolist()))


def all_boards(size: int) -> np.ndarray:
    """int8 `[3**(size**2), size**2]`; the base-3 digits of a board's number are its stones + 1."""
    numbers = np.arange(3 ** (size**2))
    return (numbers[:, None] // weights(size) % 3 - 1).astype(np.int8)


def weights(size: int) -> np.ndarray:
    return 3 ** np.arange(size**2, dtype=np.int32)
