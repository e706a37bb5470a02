"""Docstrings as the API pages show them: an extension of griffe, which reads the code without importing it.

- A comment behind a field of a `NamedTuple` is what the field is: shapes stand there.
- Code and tables that stand in a docstring as a paragraph are shown as they are, and so are two stars.
"""

import ast
import re

import griffe


class Docstrings(griffe.Extension):
    def on_attribute_instance(self, *, attr: griffe.Attribute, **_) -> None:
        line = attr.source.splitlines()[-1] if attr.source else ""
        comment = re.search(r"  # (?!noqa|pyright|type:)(.+)$", line)
        if comment and attr.docstring is None:
            text = comment[1].replace("][", "]\\[")  # no link
            attr.docstring = griffe.Docstring(text, parent=attr, parser="google")

    def on_instance(self, *, obj: griffe.Object, **_) -> None:
        if obj.docstring is not None:
            paragraphs = re.split(r"\n{2,}", obj.docstring.value)
            obj.docstring.value = "\n\n".join(map(fenced, paragraphs))


def fenced(paragraph: str) -> str:
    if paragraph.startswith(">>> "):
        return f"```pycon\n{paragraph}\n```"
    if paragraph.startswith("===="):
        return f"```text\n{paragraph}\n```"
    if paragraph.startswith("    "):
        return paragraph
    return f"```python\n{paragraph}\n```" if is_code(paragraph) else with_stars(paragraph)


def with_stars(paragraph: str) -> str:
    """No docstring means bold type by two stars: they are powers, and in Brainf**k."""
    parts = re.split(r"(`[^`]*`)", paragraph)
    return "".join(part if i % 2 else re.sub(r"(?<=\w)\*\*", r"\\*\\*", part) for i, part in enumerate(parts))


def is_code(paragraph: str) -> bool:
    """Whether it is Python that does something; no sentence is."""
    try:
        statements = ast.parse(paragraph).body
    except (SyntaxError, ValueError):
        return False
    return any(not isinstance(statement, ast.Expr) or isinstance(statement.value, ast.Call) for statement in statements)
