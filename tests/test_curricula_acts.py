"""Tapes, counters and rows sorted in place: their laws, and that each step is as plain Python says."""

import act_laws
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import quick
import task_laws

from curricula import act_pool, vocabulary
from curricula.tasks import counter, orthogonal_vector, registers, swapping, tape
from curricula.vocabulary import Token
from rl_pretrain.environment import check

TAPES = [tape.tape_copy, tape.tape_reverse, tape.tape_odds_first, tape.tape_repeat]
MAKERS = [*TAPES, swapping.swap_sort, counter.emit_counter]


class TapeOracle:
    """A state is the head's cell, from -1 to the number of symbols, and how much was said."""

    def __init__(self, puzzle, ends, answer):
        self.symbols = [vocabulary.name(int(cell)) for cell in puzzle["cells"][1 : 1 + puzzle["length"]]]
        self.ends, self.answer, self.start = ends, answer(self.symbols), (0, 0)

    def seen(self, state):
        return [([self.ends[0], *self.symbols, self.ends[1]])[state[0] + 1]]

    def moves(self, state):
        head, said = state
        moves = {}
        if head >= 0:
            moves["LEFT"] = (head - 1, said)
        if head < len(self.symbols):
            moves["RIGHT"] = (head + 1, said)
        if 0 <= head < len(self.symbols):
            moves["EMIT"] = act_laws.LOST
            if self.symbols[head] == self.answer[said]:
                moves["EMIT"] = (head, said + 1) if said + 1 < len(self.answer) else act_laws.SOLVED
        return moves


class SwapOracle:
    """A state is the row and the cell of the pair that is next."""

    def __init__(self, puzzle):
        row = "".join(vocabulary.name(int(cell)) for cell in puzzle["cells"][: puzzle["length"]])
        self.start = (row, 0)

    def seen(self, state):
        row, left = state
        return [row[left], row[left + 1]]

    def moves(self, state):
        row, left = state
        swapped = row[:left] + row[left + 1] + row[left] + row[left + 2 :]
        following = (left + 1) % (len(row) - 1)
        return {
            name: act_laws.SOLVED if list(after) == sorted(after) else (after, following)
            for name, after in (("KEEP", row), ("SWAP", swapped))
        }


class CounterOracle:
    """A state is the counter and how much was said."""

    def __init__(self, puzzle):
        self.symbols = "abcdefghijklmnop"[: puzzle["modulus"]]
        self.word = [self.symbols[number] for number in puzzle["word"][: puzzle["length"]]]
        self.start = (0, 0)

    def seen(self, state):
        return [self.symbols[state[0]], self.word[state[1]]]

    def moves(self, state):
        count, said = state
        size = len(self.symbols)
        emitted = act_laws.LOST
        if self.symbols[count] == self.word[said]:
            emitted = (count, said + 1) if said + 1 < len(self.word) else act_laws.SOLVED
        return {"+": ((count + 1) % size, said), "-": ((count + size - 1) % size, said), "EMIT": emitted}


def tape_oracle(answer, left_end="BEGIN"):
    return lambda puzzle: TapeOracle(puzzle, (left_end, "END"), answer)


ORACLES = [
    (tape.tape_copy, 2, tape_oracle(list)),
    (tape.tape_copy, 6, tape_oracle(list)),
    (tape.tape_reverse, 3, tape_oracle(lambda symbols: symbols[::-1])),
    (tape.tape_reverse, 9, tape_oracle(lambda symbols: symbols[::-1])),
    (tape.tape_odds_first, 3, tape_oracle(lambda symbols: symbols[::2] + symbols[1::2])),
    (tape.tape_odds_first, 4, tape_oracle(lambda symbols: symbols[::2] + symbols[1::2])),
    (tape.tape_repeat, 1, tape_oracle(lambda symbols: symbols * 2, "2")),
    (tape.tape_repeat, 3, tape_oracle(lambda symbols: symbols * 3, "3")),
    (swapping.swap_sort, 0, SwapOracle),
    (swapping.swap_sort, 2, SwapOracle),
    (swapping.swap_sort, 4, SwapOracle),
    (counter.emit_counter, 0, CounterOracle),
    (counter.emit_counter, 4, CounterOracle),
    (counter.emit_counter, 11, CounterOracle),
]


FAST = {2, 6, 9, 12}


@pytest.mark.parametrize(
    ("make", "level", "tell"),
    [pytest.param(*case, marks=() if i in FAST else pytest.mark.slow) for i, case in enumerate(ORACLES)],
)
def test_each_step_is_as_plain_python_says_and_the_expert_goes_the_shortest_way(make, level, tell):
    act_laws.check_against(make(), tell, level)


def floor(make):
    """Found by playing 100,000 random episodes a level in plain Python, and rounded up."""
    if make is swapping.swap_sort:
        return lambda knobs: {2: 1.0, 3: 0.95, 4: 0.8, 5: 0.6, 6: 0.45}.get(knobs.length, 0.3)
    if make is tape.tape_repeat:
        return lambda knobs: 0.62 ** (knobs.length * knobs.times)
    return lambda knobs: 0.62**knobs.length


@pytest.mark.parametrize("make", quick.first(MAKERS))
def test_the_expert_solves_every_level_and_thoughtless_policies_stay_at_the_floor(make):
    task = make()
    task_laws.check_levels(task)
    act_laws.check_play(task, floor(make))
    act_laws.check_levels_reach_the_limits(task)


@pytest.mark.parametrize("make", quick.first([counter.emit_counter, tape.tape_repeat, swapping.swap_sort]))
def test_it_keeps_the_contract(make):
    task = make()
    assert task == make()  # a task made anew compiles nothing anew
    check(task, max_steps=task.max_steps + 1)


@pytest.mark.parametrize("make", quick.first([swapping.swap_sort, tape.tape_repeat, counter.emit_counter]))
@pytest.mark.parametrize("reward", ["token", "terminal"])
def test_rows_of_a_pool_go_as_the_tasks_own_episodes(make, reward):
    task = make()
    task = type(task)(**{**vars(task), "reward": reward})
    rows = act_laws.pool_of(task, 2)
    step, pool_step = jax.jit(jax.vmap(task.step)), jax.jit(jax.vmap(rows.step))
    states, episodes = jax.vmap(task.reset)(rows.instances), jax.vmap(rows.at)(jnp.arange(rows.num_rows))
    for t in range(12):
        choices = jnp.where(jax.vmap(task.legal_actions)(states), 0.0, -4.0)  # an illegal one at times
        actions = jax.random.categorical(jax.random.key(t), choices)
        states, episodes = step(states, actions), pool_step(episodes, actions)
        for ours, theirs in zip(states[1:], episodes[1:], strict=True):
            jax.tree.map(np.testing.assert_array_equal, ours, theirs)
        seen = jax.vmap(task.observe)(states), jax.vmap(rows.observe)(episodes)
        np.testing.assert_array_equal(*seen)
    renewed = jax.vmap(rows.renew)(episodes)
    is_over = np.asarray(episodes.discount == 0)
    assert is_over.any()
    np.testing.assert_array_equal(renewed.row, np.where(is_over, (episodes.row + 1) % rows.num_rows, episodes.row))
    np.testing.assert_array_equal(renewed.time, np.where(is_over, 0, episodes.time))


@pytest.mark.parametrize(
    "make",
    quick.first(
        [registers.register_fibonacci, *MAKERS, registers.register_factorial, orthogonal_vector.orthogonal_vector], 3
    ),
)
def test_what_a_puzzle_does_not_use_changes_nothing(make):
    """Cells past the length are filled with what would matter if they were read."""
    task = make()
    rows = act_laws.pool_of(task, 1)
    puzzle = rows.instances.puzzle
    names = {"cells": "length", "word": "length", "terms": "length", "vector": "dimension", "answer": "answer_length"}
    used = {name: getattr(puzzle, length) for name, length in names.items() if hasattr(puzzle, name)}
    if make in TAPES:
        used["cells"] += 2  # the ends
    filled = {}
    assert used
    for name, length in used.items():
        leaf = getattr(puzzle, name)
        is_unused = np.arange(leaf.shape[1]) >= np.asarray(length)[:, None]
        assert is_unused.any()
        assert (np.asarray(leaf)[is_unused] == 0).all()
        filled[name] = jnp.where(is_unused, leaf[:, :1], leaf)
    other = act_pool.ActPool(task, rows.instances._replace(puzzle=puzzle._replace(**filled)))
    for mode in (act_laws.EXPERT, act_laws.RANDOM):
        keys = jax.random.split(jax.random.key(1), rows.num_rows)
        jax.tree.map(np.testing.assert_array_equal, *(act_laws._play(x, keys, mode) for x in (rows, other)))


def test_rows_to_sort_are_never_in_order_at_first():
    task = swapping.swap_sort()
    for level in range(3):
        cells = np.asarray(act_laws.pool_of(task, level).instances.puzzle.cells)[:, : level + 2].astype(int)
        assert (np.diff(cells, axis=1) < 0).any(axis=1).all()
        assert ((cells >= vocabulary.FIRST_SYMBOL) & (cells < vocabulary.FIRST_SYMBOL + 8)).all()


def test_progress_of_sorting_is_the_share_of_pairs_put_in_order():
    task = type(swapping.swap_sort())(**{**vars(swapping.swap_sort()), "reward": "token"})
    rows = act_laws.pool_of(task, 4)
    episode = rows.at(0)
    before = inversions(episode.place.cells)
    at_first = before
    for t in range(10):
        episode = rows.step(episode, jnp.int32(Token.SWAP if t % 3 else Token.KEEP))
        now = inversions(episode.place.cells)
        assert float(episode.reward) == pytest.approx((before - now) / at_first)
        before = now


def inversions(cells):
    row = [int(cell) for cell in cells if cell]
    return sum(a > b for i, a in enumerate(row) for b in row[i + 1 :])


@pytest.mark.parametrize("make", quick.first(MAKERS, 2))
def test_an_illegal_action_ends_the_episode_unpaid_and_moves_nothing(make):
    task = make()
    state = task.init(jax.random.key(0), 1)
    after = task.step(state, jnp.int32(Token.YES))
    assert (float(after.reward), float(after.discount)) == (0, 0)
    jax.tree.map(np.testing.assert_array_equal, after.place, state.place)


def test_bad_settings_are_refused():
    task = tape.tape_copy()
    with pytest.raises(ValueError, match="reward must be token or terminal, got 'sparse'"):
        type(task)(task.name, task.levels, task.rules, task.max_steps, reward="sparse")
    with pytest.raises(ValueError, match="a level must be from 0 to 11, got 12"):
        act_pool.write(task, jax.random.key(0), jnp.array([0, 12]))
