"""The program in what a language model said."""

import re

from esolang.llm.languages.language import Language

FENCE = re.compile(r"^[ \t]*+(```++|~~~++)[^\n]*+\n(.*?)(?:^[ \t]*+\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
CODE_SPAN = re.compile(r"`([^`\n]+)`")


def program(completion: str, language: Language) -> str:
    """The program, or "" where there is none. Thoughts between <think> and </think> are no part of the answer.

    In this order:
    1. the last code block that is not empty; one that is never closed goes on to the end,
    2. in a language whose commands are known by their characters: the last lines or code span of nothing else,
    3. in any other language: the whole text.
    """
    text = THOUGHT.sub("", completion.replace("\r\n", "\n"))
    blocks = [match[2] for match in FENCE.finditer(text) if match[2].strip()]
    if blocks:
        return _without_empty_lines(blocks[-1])
    if not language.alphabet:
        return _without_empty_lines(text)
    bare = _bare_code(text, language.alphabet)
    return bare[-1] if bare else ""


def _bare_code(text: str, alphabet: str) -> list[str]:
    """Runs of lines of commands only, and code spans of commands only, in their order."""
    some = f"[{re.escape(alphabet)}]"
    line = rf"[ \t]*{some}(?:{some}|[ \t])*"
    found = [(match.start(), match[0].strip()) for match in re.finditer(rf"^{line}$(?:\n{line}$)*", text, re.MULTILINE)]
    spans = [(match.start(), match[1]) for match in CODE_SPAN.finditer(text) if re.fullmatch(line, match[1])]
    return [code for _, code in sorted(found + spans)]


def _without_empty_lines(text: str) -> str:
    """Without empty lines before and after: in Befunge the first line is where execution starts."""
    lines = text.split("\n")
    filled = [i for i, line in enumerate(lines) if line.strip()]
    return "\n".join(lines[filled[0] : filled[-1] + 1]) if filled else ""
