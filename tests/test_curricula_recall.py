"""The recall task keeps the laws of all tasks, and asks for what a dict would give."""

import jax
import numpy as np
import pytest
import task_laws

from curricula.tasks import recall


def solve(prompt):
    memory, answers = {}, []
    tokens = iter(prompt)
    for token in tokens:
        if token == "QUERY":
            answers.append(memory[next(tokens)])
        else:
            memory[token] = next(tokens)
    return answers


def floor(knobs):
    """How often all answers are one given digit: keys have independent values, so those of different keys count."""
    return 10.0 ** -min(knobs.queries, knobs.pairs - knobs.overwrites)


@pytest.fixture(scope="module")
def task():
    return recall.associative_recall()


@pytest.fixture(scope="module")
def scripts(task):
    """Knobs, and instances as (tokens shown, tokens asked for, steps), of each level."""
    sample = jax.jit(jax.vmap(task.sample, (0, None)))
    levels = []
    for level, knobs in enumerate(task.levels.rows):
        instances = sample(jax.random.split(jax.random.key(level), 300), level)
        levels.append((knobs, list(zip(*map(np.asarray, instances.script), strict=True))))
    return levels


def test_it_keeps_the_contract_and_declares_its_levels(task):
    task_laws.check_contract(task)
    task_laws.check_levels(task)


def test_the_expert_solves_every_level_and_thoughtless_policies_stay_at_the_floor(task):
    # Of few instances a single one solved by luck would be too many where the floor is 1 in 10,000.
    task_laws.check_play(task, num_instances=1024, floor=floor)
    task_laws.check_padding(task)


def test_a_dict_gives_the_same_answers(task):
    task_laws.check_oracle(task, solve)


def test_a_value_is_asked_for_as_its_key_is_shown(scripts):
    for knobs, instances in scripts:
        for shown, asked, length in instances:
            assert length == 2 * (knobs.pairs + knobs.queries)
            times = np.flatnonzero(asked)
            assert times.tolist() == list(range(2 * knobs.pairs + 1, length, 2))
            keys = shown[: 2 * knobs.pairs : 2]
            assert set(shown[times]) <= set(keys)


def test_overwrites_are_as_many_as_the_knobs_say_and_come_at_any_place(scripts):
    for knobs, instances in scripts:
        keys = [shown[: 2 * knobs.pairs : 2].tolist() for shown, _, _ in instances]
        num_keys = knobs.pairs - knobs.overwrites
        assert {len(set(written)) for written in keys} == {num_keys}
        if 0 < knobs.overwrites < knobs.pairs - 1:
            is_last_new = np.mean([written[-1] not in written[:-1] for written in keys])
            share = (num_keys - 1) / (knobs.pairs - 1)  # the first pair is always of a new key
            assert abs(is_last_new - share) < 5 * (share * (1 - share) / len(keys)) ** 0.5


def test_every_key_is_asked_for_before_one_is_asked_for_again(scripts):
    for knobs, instances in scripts:
        num_keys = knobs.pairs - knobs.overwrites
        for shown, asked, _ in instances:
            queries = shown[asked != 0].tolist()
            assert len(set(queries)) == min(knobs.queries, num_keys)
            assert len(set(queries[:num_keys])) == len(queries[:num_keys])


def test_all_answers_are_one_digit_as_often_as_the_floor_says(scripts):
    for knobs, instances in scripts:
        is_one_digit = [len(set(asked[asked != 0])) == 1 for _, asked, _ in instances]
        share = 10 * floor(knobs)  # any of the ten digits
        assert abs(np.sum(is_one_digit) - share * len(instances)) <= 5 * (share * len(instances)) ** 0.5 + 2


def test_a_memory_that_keeps_first_values_fails_often(scripts):
    for knobs, instances in scripts:
        if knobs.overwrites:
            is_stale = []
            for script in instances:
                prompt, answers = task_laws.said(*script)
                pairs = list(zip(prompt[: 2 * knobs.pairs : 2], prompt[1 : 2 * knobs.pairs : 2], strict=True))
                first = dict(reversed(pairs))
                is_stale.append([first[key] for key in prompt[2 * knobs.pairs + 1 :: 2]] != answers)
            assert np.mean(is_stale) > 0.3
