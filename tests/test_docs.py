"""What the documentation says is so: its code runs, its commands are understood, its quotes and names are right.

The site takes parts of README.md and WORKSPACE.md as they are; the README's own code is run by `test_readme.py`.
"""

import ast
import functools
import pkgutil
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scripts
import tyro

from go_env import Go
from rl_pretrain import command_line

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
SCRIPTS = sorted((ROOT / "experiments").glob("*.py"))
LAUNCH = re.compile(r"--(coordinator|process-id|num-processes)=\S+")
"""Flags that `rl_pretrain.processes` takes before a script reads the others."""


def code(page: Path, looks_into_a_run: bool = False) -> list[str]:
    """The Python blocks of a page: those that need no run of an experiment, or those that do."""
    found = re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.M | re.S)
    return [block for block in found if ("runs/" in block) == looks_into_a_run]


def commands() -> list[tuple[str, str]]:
    """Every script with its arguments, as README, pages and the scripts themselves show it to be run."""
    texts = [path.read_text() for path in (ROOT / "README.md", *PAGES)]
    texts += [ast.get_docstring(ast.parse(path.read_text())) or "" for path in SCRIPTS]
    found = {pair for text in texts for pair in re.findall(r"python experiments/(\w+\.py)([^`\n]*)", text)}
    return sorted(found)


@functools.cache
def load(name: str):
    return scripts.load(name)


@pytest.mark.parametrize("page", [page for page in PAGES if code(page)], ids=lambda page: page.stem)
def test_code_runs_as_a_reader_would_paste_it(page):
    namespace = {}
    for block in code(page):
        exec(compile(block, page.name, "exec"), namespace)


@pytest.mark.slow
def test_code_that_looks_into_a_run(tmp_path, monkeypatch):
    """On a run of seconds, under the name that the run of ten minutes has."""
    settings = "--preset=tiny", "--name=cpu", "--devices=1", "--iterations=2"
    finished = scripts.run(tmp_path / "cache", tmp_path, "go_9x9", *settings)
    assert finished.returncode == 0, finished.stderr
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"observations": np.zeros((2, *Go(size=5).observation_shape), np.float32)}
    blocks = [block for page in (ROOT / "README.md", *PAGES) for block in code(page, looks_into_a_run=True)]
    assert blocks
    for block in blocks:
        exec(compile(block, "a block with runs/", "exec"), namespace)
    assert [row["iteration"] for row in namespace["rows"]] == [1, 2]
    assert namespace["logits"].shape == (2, 26) and namespace["values"].shape == (2,)


def test_there_is_something_to_run():
    assert sum(len(code(page)) for page in PAGES) >= 4 and len(commands()) >= 20


@pytest.mark.parametrize("script", sorted({name for name, _ in commands()}))
def test_commands_name_scripts_presets_and_flags_that_exist(script, capsys):
    module = load(script.removesuffix(".py"))
    lines = [LAUNCH.sub("", rest) for name, rest in commands() if name == script]
    for arguments in [shlex.split(line, comments=True) for line in lines]:
        if "--help" in arguments:
            continue
        try:
            if hasattr(module, "parse"):
                module.parse(arguments)
            elif hasattr(module, "PRESETS"):
                command_line.parse(arguments, module.PRESETS, None, default=next(iter(module.PRESETS)))
            else:
                tyro.cli(module.Config, args=arguments)
        except (SystemExit, command_line.SettingError) as error:
            pytest.fail(f"{script} {shlex.join(arguments)}: {error}\n{capsys.readouterr().err}")


def test_quoted_results_are_those_of_their_source():
    lines = [line for line in (ROOT / "docs/experiments.md").read_text().splitlines() if line.startswith("| `python")]
    assert len(lines) >= 10
    for line in lines:
        command, *quotes, source = [cell.strip() for cell in line.strip("|").split("|")]
        said = " ".join((ROOT / source).read_text().split())
        for quote in quotes:
            assert quote == "–" or quote in said, f"{command}: {source} does not say {quote!r}"


def test_names_of_tests_and_files_exist():
    texts = "".join(page.read_text() for page in PAGES)
    tests = "".join(path.read_text() for path in (ROOT / "tests").glob("*.py"))
    names = set(re.findall(r"`(test_\w+)`", texts))
    assert names and sorted(name for name in names if f"def {name}(" not in tests) == []
    paths = set(re.findall(r"`((?:tests|experiments|docs|curricula)/[\w./]+)`", texts))
    assert paths and sorted(path for path in paths if not (ROOT / path).exists()) == []


def test_names_of_our_code_exist():
    texts = "".join(page.read_text() for page in (ROOT / "README.md", *PAGES))
    names = set(re.findall(r"`((?:go_env|rl_pretrain|curricula|esolang)(?:\.\w+)+)`", texts))
    assert len(names) >= 10
    for name in names:
        pkgutil.resolve_name(name)


def test_targets_and_extras_exist():
    texts = "".join(path.read_text() for path in (ROOT / "README.md", *PAGES))
    targets = set(re.findall(r"^(?:make|`make) ([\w-]+)|`make ([\w-]+)`", texts, flags=re.M))
    makefile = (ROOT / "Makefile").read_text()
    for target in {a or b for a, b in targets}:
        assert re.search(rf"^{target}:", makefile, flags=re.M), f"make {target} is shown, and is not in the Makefile"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for name in re.findall(r"'(?:\.|reward-pretraining)\[([\w,-]+)\]'", texts):
        assert set(name.split(",")) <= set(extras), f"[{name}] is shown, and is not in pyproject.toml"
