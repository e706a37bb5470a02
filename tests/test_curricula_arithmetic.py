"""The tasks of arithmetic keep the laws of all tasks, and ask for what Python's own numbers give."""

import jax
import numpy as np
import pytest
import task_laws

from curricula.tasks import arithmetic


def read(written):
    """The number written with the least significant digit first."""
    text = "".join(reversed(written))
    assert text == str(int(text)), "no needless zeros"
    return int(text)


def write(number):
    return [*reversed(str(number)), "END"]


def split(prompt, *signs):
    """The numbers between the signs."""
    numbers = []
    for sign in signs:
        place = prompt.index(sign)
        numbers.append(read(prompt[:place]))
        prompt = prompt[place + 1 :]
    return [*numbers, read(prompt)]


def add(prompt):
    one, other = split(prompt, "+")
    return write(one + other)


def multiply(prompt):
    one, other = split(prompt, "*")
    return write(one * other)


def multiply_down(prompt):
    value, number, prime = split(prompt, "*", "=")
    assert 1 <= value < prime and number < prime and all(prime % d for d in range(2, prime))
    for factor in range(number, 0, -1):
        value *= factor
    return write(value % prime)


FLOORS = {
    "addition": lambda knobs: 11.0 ** -(knobs.digits + 1),
    "multiplication": lambda knobs: 11.0 ** -(knobs.digits + knobs.multiplier_digits),
    "factorial": lambda knobs: 11**-2,
}
TASKS = [(arithmetic.addition, add), (arithmetic.multiplication, multiply), (arithmetic.factorial, multiply_down)]
EVERY_TASK = task_laws.each("make solve", TASKS)
ONE_TASK = task_laws.each("make solve", TASKS, num_quick=1)


@ONE_TASK
def test_it_keeps_the_contract_and_declares_its_levels(make, solve):
    task_laws.check_contract(make())
    task_laws.check_levels(make())


@ONE_TASK
def test_the_expert_solves_every_level_and_thoughtless_policies_stay_at_the_floor(make, solve):
    task_laws.check_play(make(), floor=FLOORS[make.__name__])
    task_laws.check_padding(make())


@EVERY_TASK
def test_plain_python_gives_the_same_answers(make, solve):
    task_laws.check_oracle(make(), solve)


def prompts_and_answers(task, num_instances=300):
    """What is said at every level: a list for each."""
    sample = jax.jit(jax.vmap(task.sample, (0, None)))
    keys = jax.random.split(jax.random.key(11), num_instances)
    scripts = [sample(keys, level).script for level in range(task.levels.num_levels)]
    return [[task_laws.said(*words) for words in zip(*map(np.asarray, script), strict=True)] for script in scripts]


def longest_carry(one, other):
    """Columns that a carry goes through, at most."""
    carry, run, longest = 0, 0, 0
    for a, b in zip(reversed(str(one)), reversed(str(other)), strict=True):
        is_handed_on = carry and int(a) + int(b) == 9
        carry = (int(a) + int(b) + carry) // 10
        run = run + 1 if is_handed_on else 0
        longest = max(longest, run)
    return longest


@pytest.mark.slow
def test_summands_have_the_digits_of_their_level_and_carries_go_far_where_they_should():
    task = arithmetic.addition()
    mean = {}
    for level, (knobs, said) in enumerate(zip(task.levels.rows, prompts_and_answers(task), strict=True)):
        pairs = [split(prompt, "+") for prompt, _ in said]
        assert {len(str(number)) for pair in pairs for number in pair} == {knobs.digits}
        assert 0.1 < np.mean([len(answer) == knobs.digits + 2 for _, answer in said]) < 0.9
        mean[task.levels.name(level)] = np.mean([longest_carry(*pair) for pair in pairs])
    assert mean["level 6"] < 1 and mean["long carries"] > 1.5 and mean["length ×4, long carries"] > 4


@pytest.mark.slow
def test_factors_have_the_digits_of_their_level():
    task = arithmetic.multiplication()
    for knobs, said in zip(task.levels.rows, prompts_and_answers(task), strict=True):
        lengths = {tuple(len(str(number)) for number in split(prompt, "*")) for prompt, _ in said}
        assert lengths == {(knobs.digits, knobs.multiplier_digits)}


@pytest.mark.slow
def test_factorials_have_the_number_of_their_level_and_many_primes_and_answers():
    task = arithmetic.factorial()
    for knobs, said in zip(task.levels.rows, prompts_and_answers(task), strict=True):
        _, numbers, primes = zip(*(split(prompt, "*", "=") for prompt, _ in said), strict=True)
        allowed = [p for p in range(knobs.number + 1, knobs.modulus + 1) if all(p % d for d in range(2, p))]
        assert set(numbers) == {knobs.number}
        assert set(primes) == set(allowed) if len(allowed) < 30 else set(primes) < set(allowed)
        parts = [read(answer[:-1]) / prime for (_, answer), prime in zip(said, primes, strict=True)]
        assert abs(np.mean(parts) - 0.5) < 4 * 12**-0.5 * len(parts) ** -0.5, "no answer is favoured"
