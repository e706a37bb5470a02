"""Episodes read well, and the page of the tasks is what its command writes."""

import doctest
from pathlib import Path

import numpy as np
import pytest

import curricula
from curricula import page, text, vocabulary
from curricula.stream import Script
from curricula.tasks import ACT_MAKERS, MAKERS, every_act, every_task


def test_the_examples_in_the_docstrings_are_true():
    for module in (curricula, text):
        result = doctest.testmod(module)
        assert result.attempted > 0
        assert result.failed == 0


def test_every_token_has_a_name_of_its_own():
    names = [vocabulary.name(token) for token in range(vocabulary.NUM_TOKENS)]
    assert len(set(names)) == vocabulary.NUM_TOKENS
    assert all(name and " " not in name for name in names)


def test_a_script_reads_as_it_goes_and_padding_is_left_out():
    b, e, seven = vocabulary.symbols()[1], vocabulary.symbols()[4], vocabulary.digits()[7]
    answer = int(vocabulary.Token.ANSWER)
    script = Script(np.array([b, e, answer, 0, 9]), np.array([0, 0, seven, e, 9]), np.int32(4))
    assert text.render(script) == "shown  b e ANSWER .\nsaid   . . 7      e"
    assert text.question(script) == "b e"
    assert text.answer(script) == "7 e"


def test_tasks_have_names_of_their_own_and_definitions():
    tasks = (*every_task(), *every_act())
    assert len({task.name for task in tasks}) == len(tasks) >= 24
    assert all(
        make.__doc__ and "teps" in make.__doc__ and "floor" in make.__doc__.lower() for make in (*MAKERS, *ACT_MAKERS)
    )


@pytest.mark.slow
def test_the_page_is_what_its_command_writes():
    written = Path(curricula.__file__ or "").with_name("README.md").read_text()
    assert written == page.page() + "\n"
