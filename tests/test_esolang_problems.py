"""Coding problems: definitions against published cases and known programs, splits, arrays, rewards, the data set."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from esolang import brainfuck_reference
from esolang.problems import brain_coder, cases, coding, ladder, paper, reward
from esolang.problems.cases import Cases
from esolang.status import Status

TASKS = Path(__file__).parents[2] / "shared" / "data" / "esolang" / "brainfuck" / "brain_coder" / "tasks.json"
BRAIN_CODER = {problem.name: problem for problem in brain_coder.problems()}
OTHERS = [*ladder.problems(), paper.print_word("hi"), paper.sort_five(), paper.copy_five(), paper.factorial()]
EVERY = [*BRAIN_CODER.values(), *OTHERS, paper.fibonacci()]
WITH_INNER_ZEROS = {"cascade": 1, "riffle": 1, "unriffle": 1, "remove-last": 1, "remove-last-two": 1} | {
    "echo-alternating": 1,
    "echo-half": 2,
}
"""Published cases whose input has a 0 where no definition foresees one, by problem."""


@pytest.fixture(scope="module")
def published() -> dict:
    if not TASKS.exists():
        pytest.skip(f"{TASKS} is not there")
    tasks = json.loads(TASKS.read_text())["tasks"]
    return {name: task for name, task in tasks.items() if task["iclr"]}


def test_there_are_the_26_published_problems(published):
    assert list(published) == list(BRAIN_CODER)
    assert [problem.base for problem in BRAIN_CODER.values()] == [task["base"] for task in published.values()]


@pytest.mark.parametrize("name", BRAIN_CODER)
def test_definitions_give_the_published_cases(published, name):
    wrong = [data for data, expected in published[name]["io"] if BRAIN_CODER[name].answer(data) != expected]
    assert all(0 in data[:-1] for data in wrong)
    assert len(wrong) == WITH_INNER_ZEROS.get(name, 0)


def passes(program: str, problem: coding.Coding, split: coding.Split, num: int = 30) -> bool:
    """What the verifier should say, by plain Python."""
    for case in coding.cases(problem, split, num, seed=1):
        outcome = brainfuck_reference.run(program, case.data, brain_coder.DIALECT)
        if outcome.status != Status.OK or outcome.output != case.expected:
            return False
    return True


@pytest.mark.parametrize("name", BRAIN_CODER)
def test_known_programs_solve_new_cases(published, name):
    solution = published[name].get("known_solution")
    if solution is None:
        assert name in ("reverse", "remove-char", "count-char", "add", "bool-logic", "print-hello")
        return
    assert passes(solution, BRAIN_CODER[name], "train") and passes(solution, BRAIN_CODER[name], "test")
    assert not passes(solution[:-1], BRAIN_CODER[name], "test")


BY_HAND = {"reverse": ">,[>,]<[.<].", "add": ",>,[-<+>]<.[-].", "print-hello": "++++++++.---.+++++++..+++."}


@pytest.mark.parametrize("name", BY_HAND)
def test_programs_by_hand_solve_what_has_no_published_program(name):
    assert passes(BY_HAND[name], BRAIN_CODER[name], "train") and passes(BY_HAND[name], BRAIN_CODER[name], "test")
    assert not passes(BY_HAND[name][:-1], BRAIN_CODER[name], "test")


@pytest.mark.parametrize("problem", OTHERS, ids=lambda problem: problem.name)
def test_solutions_of_the_ladder_solve_it(problem):
    if problem.solution:
        assert passes(problem.solution, problem, "train") and passes(problem.solution, problem, "test")
        assert not passes(problem.solution[:-1] + "+", problem, "test")


def test_a_constant_never_passes_a_problem_that_reads():
    for problem in EVERY:
        few = coding.cases(problem, "train", 16)
        if any(case.data for case in few):
            assert len({case.expected for case in few}) > 1, problem.name


@pytest.mark.parametrize("problem", EVERY, ids=lambda problem: problem.name)
def test_no_input_is_in_both_splits(problem):
    train, test = ({case.data for case in coding.cases(problem, split, 200)} for split in ("train", "test"))
    assert problem.has_hidden == train.isdisjoint(test)
    assert problem.has_hidden or train == test


def test_cases_are_the_same_for_the_same_seed_and_others_for_another():
    problem = BRAIN_CODER["reverse"]
    assert coding.cases(problem, "train", 5, 3) == coding.cases(problem, "train", 8, 3)[:5]
    assert coding.cases(problem, "train", 5, 3) != coding.cases(problem, "train", 5, 4)


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match="split must be train or test"):
        coding.cases(BRAIN_CODER["add"], "valid", 1)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="num must be at least 1"):
        coding.cases(BRAIN_CODER["add"], "train", 0)
    with pytest.raises(ValueError, match="at least one problem"):
        cases.bank([], "train", 1)
    with pytest.raises(ValueError, match="from 1 to the 4 cases"):
        cases.draw(cases.bank([BRAIN_CODER["add"]], "train", 4), jax.random.key(0), 5)
    with pytest.raises(ValueError, match="ASCII"):
        paper.print_word("")


def unpacked(bank: Any, problem: int) -> list[tuple[bytes, bytes]]:
    data, data_length, expected, expected_length, _ = jax.tree.map(lambda x: np.asarray(x)[problem], bank)
    return [
        (data[i, : data_length[i]].tobytes(), expected[i, : expected_length[i]].tobytes()) for i in range(len(data))
    ]


def test_banks_hold_the_cases():
    problems = [BRAIN_CODER["add"], BRAIN_CODER["bool-logic"], paper.copy_five()]
    bank = cases.bank(problems, "train", 12)
    for i, problem in enumerate(problems):
        listed = [(case.data, case.expected) for case in coding.cases(problem, "train", 12)]
        assert unpacked(bank, i) == (listed * 2)[:12]
    assert bank.base.tolist() == [256, 2, 256]


def test_draws_are_different_cases_of_the_bank():
    bank = cases.bank([BRAIN_CODER["riffle"], BRAIN_CODER["length"]], "train", 20)
    drawn = jax.jit(cases.draw, static_argnums=2)(bank, jax.random.key(0), 6)
    for i in range(2):
        row = unpacked(drawn, i)
        assert set(row) <= set(unpacked(bank, i)) and len(set(row)) == 6


def graded_by_hand(pairs: list[tuple[list[int], list[int]]], base: int, brevity: float, has_failed: bool) -> float:
    """The published reward of (output, answer) pairs, element by element."""
    total = 0.0
    for output, answer in pairs:
        distance = 0
        for i in range(max(len(output), len(answer))):
            if i < len(output) and i < len(answer):
                distance += abs(output[i] - answer[i])
            else:
                distance += base
        total += 1 - distance / (base * len(answer) if answer else base)
        if output == answer:
            total += 2.0 + brevity
    if has_failed:
        total = -2.0
    return total / (4.0 * len(pairs))


def in_order_by_hand(pairs: list[tuple[list[int], list[int]]], base: int, brevity: float, has_failed: bool) -> float:
    """The same of those that count numbers up to the first that is wrong."""
    total = 0.0
    for output, answer in pairs:
        worth = 0.0
        for written, wanted in zip(output, answer, strict=False):
            worth += 1 - abs(written - wanted) / base
            if written != wanted:
                break
        longest = max(len(output), len(answer))
        total += worth / longest if longest else 1.0
        total += 2.0 + brevity if output == answer else 0.0
    return (-2.0 if has_failed else total) / (4.0 * len(pairs))


def test_graded_rewards_are_the_published_ones():
    rng, num = np.random.default_rng(0), 60
    base, brevity = np.where(np.arange(num) < 30, 256, 27), rng.random(num)
    has_ended = rng.random((num, 4)) < 0.95
    output, output_length = np.zeros((num, 4, 7), np.uint8), np.zeros((num, 4), np.int32)
    expected, expected_length = np.zeros((num, 4, 5), np.uint8), np.zeros((num, 4), np.int32)
    pairs = [[] for _ in range(num)]
    for i in range(num):
        is_good = rng.random() < 0.3
        for n in range(4):
            answer = rng.integers(0, base[i], rng.integers(0, 6)).tolist()
            is_same = is_good or rng.random() < 0.3
            other = answer[: rng.integers(0, 3)] + rng.integers(0, base[i], rng.integers(0, 5)).tolist()
            written = answer if is_same else other
            written = [*written, 0] if rng.random() < 0.1 else written  # as long as the arrays are, zeros may follow
            output[i, n, : len(written)], output_length[i, n] = written, len(written)
            expected[i, n, : len(answer)], expected_length[i, n] = answer, len(answer)
            pairs[i].append((written, answer))
    data, data_length, *rest = map(jnp.asarray, (output, output_length, expected, expected_length, base))
    of_each = Cases(data, data_length, rest[0], rest[1], rest[2])  # rewards do not look at what was read
    told = (data, data_length, jnp.asarray(has_ended), of_each)
    wanted = [graded_by_hand(pairs[i], int(base[i]), brevity[i], not has_ended[i].all()) for i in range(num)]
    np.testing.assert_allclose(jax.jit(reward.graded)(*told, jnp.asarray(brevity)), wanted, rtol=1e-5)
    wanted = [in_order_by_hand(pairs[i], int(base[i]), brevity[i], not has_ended[i].all()) for i in range(num)]
    in_order = jax.jit(reward.graded, static_argnums=5)(*told, jnp.asarray(brevity), True)
    np.testing.assert_allclose(in_order, wanted, rtol=1e-5)
    right = [all(written == answer for written, answer in pairs[i]) and has_ended[i].all() for i in range(num)]
    np.testing.assert_array_equal(jax.jit(reward.is_right)(*told), right)
    assert 5 < sum(right) < 55


def test_the_data_set_holds_the_cases(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    from esolang.problems.dataset import CodingCases

    problems = [BRAIN_CODER["add"], BRAIN_CODER["print-hello"]]
    build: Any = CodingCases  # whose base class is of no known type
    builder = build(problems, num_train=5, num_test=3, data_dir=tmp_path)
    builder.download_and_prepare()
    source = builder.as_data_source("test")
    rows = [(row["problem"].decode(), row["data"].tobytes(), row["expected"].tobytes()) for row in source]
    listed = [(problem.name, *case) for problem in problems for case in coding.cases(problem, "test", 3)]
    assert rows == listed and len(rows) == 4
    assert len(builder.as_data_source("train")) == 6
    with pytest.raises(ValueError, match="different names"):
        build([problems[0]] * 2, num_train=1, num_test=1, data_dir=tmp_path)
