"""What a sample's program did. Nothing here asks a model: the samples can be judged again at any time."""

from typing import NamedTuple

from esolang.llm import extraction
from esolang.llm.languages.language import Language
from esolang.paper_problems import Problem

SOLVED = "solved"


class Verdict(NamedTuple):
    """How it went.

    `result` is one of
    - solved: every case is right,
    - only_shown: the cases in the prompt are right, another is not,
    - wrong_output: the program ended, its output is not what was asked for,
    - no_program, non_ascii: there was nothing to run,
    - step_limit, syntax_error, tape_left, ...: how the interpreter ended it.
    """

    result: str
    num_right: int  # cases before the first that failed
    program: str


def judge(language: Language, problem: Problem, completion: str) -> Verdict:
    """Runs the program of a completion on the cases, up to the first that fails."""
    program = extraction.program(completion, language)
    if not program:
        return Verdict("no_program", 0, program)
    if language.is_ascii and not program.isascii():
        return Verdict("non_ascii", 0, program)
    for i, case in enumerate(problem.cases):
        ended, output = language.run(program, case.data)
        if ended != "ok" or not problem.accepts(output, case):
            failure = "only_shown" if 0 < len(problem.shown) <= i else "wrong_output" if ended == "ok" else ended
            return Verdict(failure, i, program)
    return Verdict(SOLVED, len(problem.cases), program)
