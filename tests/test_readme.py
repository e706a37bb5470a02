"""What the README shows is run: its Python blocks in order, in one namespace, as a reader would paste them."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def blocks():
    """Those that need no run of an experiment."""
    found = re.findall(r"^```python\n(.*?)^```", README.read_text(), flags=re.M | re.S)
    return [block for block in found if "runs/" not in block]


def test_there_is_something_to_run():
    assert len(blocks()) >= 5


@pytest.mark.slow
def test_every_block_runs(capsys):
    namespace = {}
    for block in blocks():
        exec(compile(block, "README.md", "exec"), namespace)
    said = capsys.readouterr().out
    assert "stage 1 level 6 of 6" in said and "b'hello'" in said
