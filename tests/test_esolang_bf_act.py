"""Acting in the machine: the contract, every step as a plain machine takes it, demonstrations, lessons."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from curricula.schedules.fixed import uniform
from esolang import bf_act, brainfuck_reference
from esolang.bf_act import Acting, Rules
from esolang.brainfuck_reference import COMMANDS
from esolang.lessons import Lessons
from esolang.problems import cases, coding, ladder
from rl_pretrain import environment

PROBLEMS = [problem for problem in ladder.problems() if problem.name in ("print-1-2", "increment", "copy", "backwards")]
NUM_CASES, NUM_ROWS, NUM_STEPS = 3, 64, 24
CELLS = 8


@functools.cache
def rows_of(reward: str = "token") -> Acting:
    problem = jnp.arange(NUM_ROWS, dtype=jnp.int32) // NUM_CASES % len(PROBLEMS)
    bank = cases.bank(PROBLEMS, "train", NUM_CASES)
    return Rules(CELLS, NUM_STEPS, reward).rows(bank, problem)  # pyright: ignore[reportArgumentType]


@jax.jit
def play(rows: Acting, actions: jax.Array):
    """Episodes of all rows with these actions `[T, rows]`."""

    def step(episodes, action):
        seen, legal = jax.vmap(rows.observe)(episodes), jax.vmap(rows.legal_actions)(episodes)
        episodes = jax.vmap(rows.step)(episodes, action)
        return episodes, (seen, legal, episodes.reward, episodes.discount, jax.vmap(rows.is_solved)(episodes))

    return jax.lax.scan(step, jax.vmap(rows.at)(jnp.arange(rows.num_rows)), actions)[1]


def case_of(row: int) -> tuple[bytes, bytes]:
    listed = coding.cases(PROBLEMS[row // NUM_CASES % len(PROBLEMS)], "train", NUM_CASES)
    return listed[row % len(listed)]


def told(row: int, actions: list[int]):
    """The same episode by a plain machine: what is seen and legal before each step, reward, whether over and solved."""
    data, expected = case_of(row)
    tape, pointer, read, last_read, written, last = [0] * CELLS, 0, 0, 256, 0, 256
    for t, action in enumerate(actions, 1):
        seen = [row // NUM_CASES % len(PROBLEMS), tape[pointer], last_read, last]
        legal = [name != "<" or pointer > 0 for name in "!><+-.,"]
        legal[1] = pointer < CELLS - 1
        reward, solved, over, last, name = 0.0, False, False, action, "!><+-.,"[action]
        if not legal[action]:
            over = True
        elif name == "!":
            solved, over = written == len(expected), True
            reward = solved / (len(expected) + 1)
        elif name == ".":
            over = written == len(expected) or expected[written] != tape[pointer]
            written += not over
            reward = (not over) / (len(expected) + 1)
        elif name == ",":
            last_read = tape[pointer] = data[read] if read < len(data) else 0
            read += 1
        elif name in "<>":
            pointer += 1 if name == ">" else -1
        else:
            tape[pointer] = (tape[pointer] + (1 if name == "+" else -1)) % 256
        over |= t == NUM_STEPS
        yield seen, legal, reward, over, solved
        if over:
            return


def likely_actions() -> np.ndarray:
    """Half of them those of a right program, up to a point; the rest by chance."""
    rng = np.random.default_rng(0)
    actions = rng.integers(0, bf_act.NUM_ACTIONS, (NUM_STEPS + 2, NUM_ROWS)).astype(np.int32)
    for row in range(NUM_ROWS):
        shown = bf_act.demonstration(PROBLEMS[row // NUM_CASES % len(PROBLEMS)].solution, case_of(row)[0])
        num = min(len(shown), NUM_STEPS) - (rng.integers(0, 4) if row % 2 else 0)
        actions[: max(num, 0), row] = shown[: max(num, 0)]
    return actions


def test_steps_are_those_of_a_plain_machine():
    actions = likely_actions()
    seen, legal, reward, discount, is_solved = map(np.asarray, play(rows_of(), actions))
    num_solved = 0
    for row in range(NUM_ROWS):
        steps = list(told(row, actions[:, row].tolist()))
        for t, (saw, may, paid, over, solved) in enumerate(steps):
            assert seen[t, row].tolist() == saw, (row, t)
            assert legal[t, row].tolist() == may, (row, t)
            assert reward[t, row] == pytest.approx(paid), (row, t)
            assert (discount[t, row] == 0) == over and is_solved[t, row] == solved, (row, t)
        num_solved += steps[-1][-1]
        assert (steps[-1][-1] == 1) == (reward[:, row].sum() == pytest.approx(1)), row
    assert NUM_ROWS / 4 < num_solved < NUM_ROWS


def test_terminal_reward_is_one_for_what_is_solved_and_paid_once():
    actions = likely_actions()
    _, _, reward, _, is_solved = map(np.asarray, play(rows_of("terminal"), actions))
    np.testing.assert_array_equal(reward.sum(axis=0), is_solved[-1])
    assert is_solved[-1].any() and set(np.unique(reward)) == {0.0, 1.0}


def test_contract():
    environment.check(rows_of(), num_episodes=16)


def test_demonstrations_are_the_commands_that_programs_execute():
    solution, data = ",[->++<]>.", b"\2"
    assert bf_act.demonstration(solution, data) == [COMMANDS.index(c) + 1 for c in ",->++<->++<>."] + [0]
    for problem in ladder.problems():
        for case in coding.cases(problem, "train", 4):
            text = "".join(COMMANDS[action - 1] for action in bf_act.demonstration(problem.solution, case.data)[:-1])
            assert brainfuck_reference.run(text, case.data).output == case.expected
    with pytest.raises(ValueError, match="does not end"):
        bf_act.demonstration("+[]", b"")
    with pytest.raises(ValueError, match="to the left"):
        bf_act.demonstration("<", b"")


def test_lessons_deal_cases_of_the_problems_that_the_schedule_chooses():
    bank = cases.bank(PROBLEMS, "train", 12)
    teacher = Lessons(Rules(CELLS, NUM_STEPS), bank, uniform(len(PROBLEMS)), num_rows=60, group=2, num_cases=5)
    state = teacher.init()
    rows = jax.jit(teacher.deal)(state, jax.random.key(0))
    assert rows.num_rows == 60 and rows.cases.data.shape[:2] == (len(PROBLEMS), 5)
    pairs = np.asarray(rows.level).reshape(-1, 2)
    assert (pairs[:, 0] == pairs[:, 1]).all() and set(pairs[:, 0]) == set(range(len(PROBLEMS)))
    over = jnp.ones((1, 60), bool)
    known = jax.eval_shape(teacher.report, state, rows, jnp.arange(60)[None], over, over)
    assert jax.tree.structure(known) == jax.tree.structure(state)


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="cells must be at least 1"):
        Rules(cells=0)
    with pytest.raises(ValueError, match="max_steps must be at least 1"):
        Rules(max_steps=0)
    with pytest.raises(ValueError, match="reward must be token or terminal"):
        Rules(reward="some")  # pyright: ignore[reportArgumentType]
