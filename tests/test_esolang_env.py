"""Writing programs: the contract, brackets, grades against the plain interpreter, practice."""

import dataclasses
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from curricula.schedules.fixed import uniform
from esolang import brainfuck, brainfuck_reference, env, grading
from esolang.brainfuck_reference import COMMANDS
from esolang.env import Rules, Writing
from esolang.lessons import Lessons
from esolang.paper_problems import Case
from esolang.problems import brain_coder, cases, coding, ladder
from esolang.problems.cases import Cases
from esolang.status import Status
from rl_pretrain import environment, learner, policy_gradient, practice
from rl_pretrain.networks import policy as policies
from rl_pretrain.networks.tokens import TokenConfig
from rl_pretrain.policy_gradient import PolicyGradientConfig

OPTIONS = dataclasses.replace(brain_coder.DIALECT, max_steps=60, cells=8, max_output=6)
PROBLEMS = [problem for problem in ladder.problems() if problem.name in ("print-1-2", "echo-one", "copy")]
SOLUTIONS = [problem.solution for problem in PROBLEMS]
CAPACITY, NUM_CASES = 7, 2  # few programs at a time, for which the interpreter compiles sooner
RULES = Rules(CAPACITY, OPTIONS, reward="graded", prefers_short=True)


def rows_of(rules: Rules) -> Writing:
    """A row for each problem."""
    return Writing(rules, cases.bank(PROBLEMS, "train", NUM_CASES), jnp.arange(len(PROBLEMS), dtype=jnp.int32))


@jax.jit
def write(rows: Writing, tokens: jax.Array):
    """Episodes that write these tokens `[rows, capacity]`, and legality, reward and discount by step."""

    def step(episodes, actions):
        legal = jax.vmap(rows.legal_actions)(episodes)
        episodes = jax.vmap(rows.step)(episodes, actions)
        return episodes, (legal, episodes.reward, episodes.discount)

    return jax.lax.scan(step, jax.vmap(rows.at)(jnp.arange(len(tokens))), tokens.T)


@pytest.fixture(scope="module")
def written(programs):
    """The same of all programs, row after row."""
    parts = tokens_of(programs).reshape(-1, len(PROBLEMS), CAPACITY)
    episodes, steps = zip(*(write(rows_of(RULES), part) for part in parts), strict=True)
    joined = jax.tree.map(lambda *x: np.concatenate(x), *episodes)
    return joined, tuple(np.concatenate(column, axis=1) for column in zip(*steps, strict=True))


def random_program(source: random.Random, capacity: int) -> str:
    """With balanced brackets, by rejection."""
    while True:
        program = "".join(source.choices(COMMANDS + "..,", k=source.randint(0, capacity)))
        if brainfuck_reference.partners(program)[1]:
            return program


def tokens_of(programs: list[str]) -> np.ndarray:
    rows = [[COMMANDS.index(command) + 1 for command in program] for program in programs]
    return np.array([row + [0] * (CAPACITY - len(row)) for row in rows], np.int32)


def marks_by_hand(program: str, data: list[Case]) -> tuple[bool, float]:
    """Whether it is right in all cases, and its graded reward with a bonus for short programs."""
    total, is_right, has_failed = 0.0, True, False
    for given, expected in data:
        outcome = brainfuck_reference.run(program, given, OPTIONS)
        pairs = list(zip(outcome.output, expected, strict=False))
        distance = sum(abs(a - b) for a, b in pairs) + 256 * abs(len(outcome.output) - len(expected))
        total += 1 - distance / (256 * max(len(expected), 1))
        if outcome.output == expected:
            total += 2 + 1 - len(program) / CAPACITY
        has_failed |= outcome.status != Status.OK
        is_right &= outcome.status == Status.OK and outcome.output == expected
    return is_right, -2 / (4 * len(data)) if has_failed else max(total / (4 * len(data)), -1.0)


@pytest.fixture(scope="module")
def programs() -> list[str]:
    source = random.Random(0)
    return [*SOLUTIONS, "+[]", "+[.]", "", "+."] + [random_program(source, CAPACITY) for _ in range(59)]


def test_grades_are_those_of_the_plain_interpreter(programs, written):
    episodes, (_, reward, discount) = written
    by_problem = [coding.cases(problem, "train", NUM_CASES) for problem in PROBLEMS]
    by_problem[0] *= NUM_CASES  # it has one case, and the bank as many as of the others
    wanted = [marks_by_hand(program, by_problem[i % len(PROBLEMS)]) for i, program in enumerate(programs)]
    assert episodes.is_right.tolist() == [is_right for is_right, _ in wanted]
    np.testing.assert_allclose(reward[-1], [worth for _, worth in wanted], rtol=1e-5)
    assert [env.text(linked) for linked in episodes.linked] == programs
    assert episodes.is_right[:3].all() and episodes.is_right.sum() < len(programs) / 4
    assert not reward[:-1].any() and (discount[:-1] == 1).all() and not discount[-1].any()


def test_brackets_are_linked_as_the_interpreter_links_them(programs, written):
    np.testing.assert_array_equal(written[0].linked, jax.jit(brainfuck.link)(tokens_of(programs)))


def test_contract():
    rows = dataclasses.replace(rows_of(Rules(4, OPTIONS, reward="graded")), cases=cases.bank(PROBLEMS, "train", 1))
    environment.check(rows, num_episodes=7)


def balanced(prefix: str, capacity: int) -> bool:
    """Whether what was written can still become a program with balanced brackets and an end."""
    depth = 0
    for command in prefix:
        depth += (command == "[") - (command == "]")
        if depth < 0:
            return False
    return depth <= capacity - len(prefix)


def test_guided_writing_can_say_all_that_is_balanced_and_nothing_else():
    """Every prefix of every length, by search through what is legal."""
    rules = Rules(5, OPTIONS)
    rows = rows_of(rules)
    commands = "+[]"  # stand for all
    room = len(commands) ** rules.capacity
    legal_of, write_next = jax.jit(jax.vmap(rows.legal_actions)), jax.jit(jax.vmap(env._write))
    states, prefixes = jax.tree.map(lambda x: jnp.stack([x] * room), rows.at(jnp.int32(0))), [""]
    for _ in range(rules.capacity):
        legal = np.asarray(legal_of(states))
        for prefix, row in zip(prefixes, legal, strict=False):
            for token, command in enumerate(COMMANDS, 1):
                assert row[token] == balanced(prefix + command, rules.capacity)
            assert row[0] == (prefix.count("[") == prefix.count("]"))
        pairs = [
            (i, COMMANDS.index(c) + 1)
            for i in range(len(prefixes))
            for c in commands
            if legal[i, COMMANDS.index(c) + 1]
        ]
        parents, actions = np.array(pairs + [(0, 0)] * (room - len(pairs)), np.int32).T
        states = write_next(jax.tree.map(lambda x, parents=parents: x[parents], states), actions)
        states = states._replace(last_action=jnp.asarray(actions))
        prefixes = [prefixes[i] + COMMANDS[token - 1] for i, token in pairs]
    assert len(prefixes) == 21  # Motzkin number
    assert all(brainfuck_reference.partners(prefix)[1] for prefix in prefixes)


def test_after_the_end_only_the_end_is_legal(programs, written):
    ended = programs.index("+.")
    assert written[1][0][3:, ended].tolist() == [[True] + [False] * 8] * (CAPACITY - 3)


def test_nothing_is_run_before_a_program_is_finished():
    """What guards the interpreter is one condition for the whole batch, also of several seeds."""
    grade = grading.grader(OPTIONS, "terminal", False)
    bank = cases.bank(PROBLEMS, "train", 1)
    args = jnp.zeros((2, 3, 1), bool), jnp.zeros((2, 3, 1, 4), jnp.int32), jnp.zeros((2, 3, 1), jnp.int32)
    of_seeds: Cases = jax.tree.map(lambda x: jnp.stack([x, x]), bank)
    names = list(primitives(jax.make_jaxpr(jax.vmap(jax.vmap(grade, in_axes=(0, 0, 0, None))))(*args, of_seeds).jaxpr))
    assert names.count("cond") == 1 and "while" not in names and "scan" not in names


def primitives(jaxpr):
    """Names of all that is done in any case: branches are not looked into."""
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        if equation.primitive.name != "cond":
            for inner in jaxprs_in_params(equation.params):
                yield from primitives(inner)


def test_seeds_with_cases_of_their_own_get_marks_of_their_own():
    """Two seeds, the second with answers that differ: the same program is right for one of them."""
    grade = grading.grader(OPTIONS, "terminal", False)
    bank = cases.bank(PROBLEMS, "train", 1)
    other = bank._replace(expected=bank.expected + 1)
    both = jax.tree.map(lambda *x: jnp.stack(x), bank, other)
    linked = jnp.asarray(tokens_of(["+.+.", ",."]))[:, None]
    asked = jnp.ones((2, 1), bool), linked, jnp.array([[0], [1]], jnp.int32)
    marks = jax.jit(jax.vmap(jax.vmap(grade, (0, 0, 0, None)), (None, None, None, 0)))(*asked, both)
    assert np.asarray(marks.is_right)[..., 0].tolist() == [[True, True], [False, False]]


@pytest.mark.slow
def test_practice_raises_the_reward():
    rules = Rules(3, OPTIONS, reward="terminal")
    bank = cases.bank([problem for problem in PROBLEMS if problem.name == "echo-one"], "train", 16)
    teacher = Lessons(rules, bank, uniform(1), num_rows=64, num_cases=2)
    config = PolicyGradientConfig(baseline="mean", num_epochs=1, num_minibatches=1, learning_rate=0.02)
    policy = policies.make(TokenConfig(rules.num_tokens(1), env.NUM_ACTIONS, kind="mlp", width=16))
    optimizer = policy_gradient.make_optimizer(config, 40)
    weights = policy.init(jax.random.key(0), 4)
    pupil = practice.Pupil(learner.init(optimizer, weights), teacher.init())
    improve = jax.jit(lambda *x: practice.by_reward(config, policy, optimizer, teacher, 64, rules.capacity, *x))
    rates = []
    for i in range(40):
        pupil, scalars = improve(pupil, jax.random.key(i))
        rates.append(float(scalars["success"]))
    assert np.mean(rates[:3]) < 0.15 and np.mean(rates[-3:]) > 0.9


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="capacity must be at least 1"):
        Rules(0)
    with pytest.raises(ValueError, match="reward must be one of terminal, graded, in_order"):
        Rules(reward="some")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="num_rows must be a multiple of group"):
        Lessons(RULES, cases.bank(PROBLEMS, "train", 2), uniform(3), num_rows=4, group=3)
