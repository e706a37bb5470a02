"""Sets of points as bits do what sets of points do, on every size of board; likewise chains and repeats on them."""

import functools
import random

import jax
import jax.numpy as jnp
import numpy as np
import oracle_go
import pytest
import random_go

from go_env import Go, bitboard, board, superko
from go_env.bitboard import Layout

TYPICAL = {2, 3, 5, 7, 9, 13, 19}  # words of one row and of several, full and with bits to spare; a word and many
EVERY_SIZE = pytest.mark.parametrize(
    "size", [pytest.param(n, marks=() if n in TYPICAL else pytest.mark.slow) for n in range(2, 20)]
)


def words(packed: jax.Array) -> bitboard.Bitboard:
    """`[..., W]` → W arrays."""
    return tuple(jnp.moveaxis(packed, -1, 0))


def random_sets(size: int, num_sets: int = 40) -> np.ndarray:
    """bool `[sets, size²]`: sparse ones, dense ones, none and all."""
    generator = np.random.default_rng(size)
    sets = generator.random((num_sets, size**2)) < np.linspace(0, 1, num_sets)[:, None]
    return sets


@EVERY_SIZE
def test_sets_are_packed_and_unpacked(size):
    layout, sets = Layout(size), random_sets(size)
    packed = jax.jit(jax.vmap(layout.pack))(sets)
    assert packed.dtype == jnp.uint32 and packed.shape == (len(sets), layout.num_words)
    np.testing.assert_array_equal(layout.unpack(packed), sets)
    np.testing.assert_array_equal(jnp.stack(layout.from_points(sets.T), axis=-1), packed)
    np.testing.assert_array_equal(layout.unpack(jnp.stack(layout.board)), np.ones(size**2, bool))


@EVERY_SIZE
def test_a_step_in_each_direction_moves_every_member_and_drops_those_at_the_edge(size):
    layout, sets = Layout(size), random_sets(size)

    @jax.jit
    @jax.vmap
    def moved(is_member):
        x = words(layout.pack(is_member))
        sets = [layout.east(x), layout.west(x), layout.south(x), layout.north(x), layout.neighbours(x)]
        return layout.unpack(jnp.stack([jnp.stack(y) for y in sets]))

    boards = np.pad(sets.reshape(-1, size, size), ((0, 0), (1, 1), (1, 1)))
    west, east = boards[:, 1:-1, 2:], boards[:, 1:-1, :-2]
    north, south = boards[:, 2:, 1:-1], boards[:, :-2, 1:-1]
    expected = np.stack([east, west, south, north, east | west | south | north], axis=1)
    np.testing.assert_array_equal(moved(sets), expected.reshape(len(sets), 5, size**2))


@EVERY_SIZE
def test_an_action_is_the_set_of_its_point_and_what_is_no_point_is_empty(size):
    layout = Layout(size)
    actions = jnp.array([*range(size**2), size**2, size**2 + 1, 400, 2**31 - 1, -1, -(2**31)])
    points = jax.jit(jax.vmap(lambda action: layout.unpack(jnp.stack(layout.point(action)))))(actions)
    np.testing.assert_array_equal(points, np.eye(len(actions), size**2, dtype=bool))


@pytest.mark.parametrize("size", [2, 5, 9, 19])
def test_set_operations(size):
    layout, x = Layout(size), random_sets(size)
    y = x[np.random.default_rng(0).permutation(len(x))]

    @jax.jit
    @jax.vmap
    def results(x, y):
        a, b = words(layout.pack(x)), words(layout.pack(y))
        sets = [
            bitboard.union(a, b),
            bitboard.intersection(a, b),
            bitboard.difference(a, b),
            bitboard.select(jnp.bool_(True), a, b),
            bitboard.select(jnp.bool_(False), a, b),
            bitboard.empty_like(a),
        ]
        return layout.unpack(jnp.stack([jnp.stack(s) for s in sets])), bitboard.count(a), bitboard.is_empty(a)

    sets, count, is_empty = results(x, y)
    np.testing.assert_array_equal(sets, np.stack([x | y, x & y, x & ~y, x, y, np.zeros_like(x)], axis=1))
    np.testing.assert_array_equal(count, x.sum(axis=1))
    np.testing.assert_array_equal(is_empty, ~x.any(axis=1))


def random_positions(size: int, num_positions: int, seed: int) -> list[oracle_go.Board]:
    """Legal positions of any density: random stones, without the chains that have no liberty."""
    generator = random.Random(seed)
    positions = []
    for i in range(num_positions):
        share_empty = (i + 1) / (num_positions + 1)
        stones = [0 if generator.random() < share_empty else generator.choice((1, -1)) for _ in range(size**2)]
        while not oracle_go.is_legal_position(stones, size):
            point = next(p for p in range(size**2) if stones[p] and not oracle_go.has_liberty(stones, p, size))
            stones[point] = 0
        positions.append(tuple(stones))
    return positions


OTHER_SIZES = [pytest.param(size, marks=pytest.mark.slow) for size in (10, 11, 12, 13, 14, 15, 16, 17, 18)]


@pytest.mark.parametrize("size", [2, 6, 9, *OTHER_SIZES])
def test_atari_legality_captures_and_area_on_random_positions(size):
    go = Go(size)
    positions = random_positions(size, 8, seed=size)

    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # compiling takes longest
    @jax.vmap
    def judge(stones, to_play):
        state = go.from_stones(stones, to_play)
        atari = go.layout.unpack(state.atari)
        after = jax.vmap(go.step, (None, 0))(state, jnp.arange(size**2))
        return atari, go.legal_actions(state)[:-1], go.area(state), jax.vmap(go.stones)(after)

    stones = np.array(positions).reshape(-1, size, size)
    for to_play in (1, -1):
        judged = jax.tree.map(np.asarray, judge(stones, np.full(len(positions), to_play)))
        for i, position in enumerate(positions):
            atari, legal, area, after = (x[i] for x in judged)
            boards = [oracle_go.place(position, p, to_play, size) for p in range(size**2)]
            is_in_atari = [bool(c) and len(oracle_go.liberties(position, p, size)) == 1 for p, c in enumerate(position)]
            assert atari.tolist() == is_in_atari
            assert legal.tolist() == [b is not None for b in boards]
            assert tuple(area.ravel()) == oracle_go.area(position, size)
            expected = [position if b is None else b for b in boards]
            np.testing.assert_array_equal(after.reshape(-1, size**2), expected)


@pytest.mark.parametrize("size", [2, 3, 9, *(pytest.param(size, marks=pytest.mark.slow) for size in (5, 13, 19))])
def test_the_stones_in_atari_stay_true_move_by_move(size):
    """Kept up to date around each move, and found anew from the board."""
    go = Go(size)

    def see(state):
        now = board.in_atari(go.layout, words(state.stones[0]), words(state.stones[1]))
        return jnp.any(jnp.stack(now) != state.atari), jnp.any(state.atari != 0)

    play = jax.jit(jax.vmap(lambda key: random_go.play(go, key, go.init(), go.move_limit, see)))
    _, _, (is_wrong, is_in_use) = play(jax.random.split(jax.random.key(size), 32))
    assert np.mean(is_in_use) > 0.1
    assert not np.any(is_wrong)


@pytest.mark.parametrize("size", [2, 3, 9, *(pytest.param(size, marks=pytest.mark.slow) for size in (4, 19))])
def test_a_repetition_is_found_by_the_exact_test_and_missed_by_no_sketch(size):
    """Past positions: what each move leads to, those with a stone more or less or of another colour, and others."""
    layout = Layout(size)
    generator = random.Random(size)
    num_past = 64

    @jax.jit
    def judge(stones, past):
        """Per past position: the points by which Black would recreate it, and what the sketches say."""
        black, white = (layout.pack(stones == c) for c in (1, -1))
        atari = jnp.stack(board.in_atari(layout, words(black), words(white)))

        def each(position):
            past_black, past_white = (layout.pack(position == c) for c in (1, -1))
            found = superko.repeated(layout, black, white, atari, past_black, past_white)
            now, then = (superko.sketch(layout, words(x)) for x in (black, past_black))
            return layout.unpack(found), superko.is_one_more(now, then)

        return jax.vmap(each)(past)

    num_found = num_alarms = 0
    for position in random_positions(size, 20, seed=1):
        boards = {p: oracle_go.place(position, p, 1, size) for p in range(size**2)}
        reachable = [b for b in boards.values() if b is not None]
        past = [generator.choice(reachable or [position]) for _ in range(num_past)]
        for i in range(num_past // 2):  # spoil one half at one point
            spoilt = list(past[i])
            spoilt[generator.randrange(size**2)] = generator.choice((-1, 0, 1))
            if oracle_go.is_legal_position(spoilt, size):
                past[i] = tuple(spoilt)
        past[0] = position
        found, is_candidate = map(np.asarray, judge(np.array(position), np.array(past)))
        for then, points, candidate in zip(past, found, is_candidate, strict=True):
            assert points.tolist() == [b is not None and b == then for b in boards.values()]
            gained = [p for p in range(size**2) if (then[p] == 1) != (position[p] == 1)]
            assert candidate == (len(gained) == 1 and then[gained[0]] == 1)
            num_found += points.sum()
            num_alarms += candidate
    assert num_alarms > num_found > 0


def test_sketches_of_one_point_more_are_rarely_mistaken():
    """Not a law, as 2³² sketches cannot tell all sets apart, but what keeps false alarms rare."""
    layout = Layout(19)
    one = np.asarray(
        jax.jit(jax.vmap(lambda x: superko.sketch(layout, words(layout.pack(x)))))(np.eye(361, dtype=bool))
    )
    assert len(set(one.tolist())) == 361
    assert superko.is_one_more(jnp.uint32(0), one).all()
    assert not superko.is_one_more(one, jnp.uint32(0)).any()  # one less
    assert not superko.is_one_more(jnp.uint32(0), jnp.uint32(0))
    assert np.mean(superko.is_one_more(one[:, None], one[None])) < 1e-4  # one instead of another
    assert np.mean(superko.is_one_more(jnp.uint32(0), (one[:, None] + one[None])[~np.eye(361, dtype=bool)])) < 1e-4


@pytest.mark.parametrize("length", [32, 192])
def test_a_packed_set_of_indices_gives_back_each_of_its_members_once(length):
    generator = np.random.default_rng(length)
    pack, pop = jax.jit(superko.pack), jax.jit(superko.pop)
    for density in (0, 0.02, 0.5, 1):
        is_member = generator.random(length) < density
        indices, members = pack(is_member), []
        while np.any(indices):
            member, indices = pop(indices)
            members.append(int(member))
        assert sorted(members) == np.flatnonzero(is_member).tolist()
        assert 0 <= pop(indices)[0] < length


@pytest.mark.parametrize(
    ("size", "ko"),
    [
        (3, "positional_superko"),
        pytest.param(3, "situational_superko", marks=pytest.mark.slow),
        pytest.param(9, "positional_superko", marks=pytest.mark.slow),
    ],
)
def test_the_narrowed_search_for_repetitions_finds_what_a_look_at_every_past_board_finds(size, ko):
    go = Go(size, ko=ko, max_moves=4 * size**2)
    layout = go.layout

    def forbidden(state):
        """`superko.repeated` of all boards in the history, in numpy's order and without sketches."""
        ages = (state.ply - 1 - jnp.arange(go.num_past_boards)) % go.num_past_boards + 1
        applies = (ages <= state.ply) & ((ages % 2 == 1) | (ko == "positional_superko"))
        ours = jnp.where(state.to_play == 1, 0, 1)
        past_mine, past_theirs = state.history[:, ours], state.history[:, 1 - ours]
        repeated = jax.vmap(
            lambda m, t: superko.repeated(layout, state.stones[ours], state.stones[1 - ours], state.atari, m, t)
        )
        points = jnp.where(applies[:, None], repeated(past_mine, past_theirs), 0)
        return jax.lax.reduce(points, np.uint32(0), jax.lax.bitwise_or, (0,))

    def see(state):
        legal_but_for_ko = go.from_stones(go.stones(state), state.to_play).legal
        missing, expected = legal_but_for_ko & ~state.legal, legal_but_for_ko & forbidden(state)
        return jax.tree.map(lambda x: jnp.where(go.is_over(state), 0, x), (missing, expected))

    play = jax.jit(jax.vmap(lambda key: random_go.play(go, key, go.init(), go.move_limit, see)))
    _, _, (missing, expected) = play(jax.random.split(jax.random.key(size), 64 if size == 3 else 24))
    np.testing.assert_array_equal(missing, expected)
    assert np.any(expected)
