"""Every notebook is clean, and runs from top to bottom without an error and without an accelerator."""

import ast
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat is an optional extra: pip install -e '.[notebooks]'")

NOTEBOOKS = sorted((Path(__file__).parents[1] / "experiments" / "notebooks").glob("*.ipynb"))
KILOBYTES = 32
LONG = ("curriculum_and_memory", "games_with_search", "inspect_checkpoint", "use_our_environments")
"""Half a minute each, or more."""
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 4


@each
def test_it_is_valid_small_and_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.cells[0].cell_type == "markdown" and notebook.cells[0].source.startswith("# ")
    assert path.stat().st_size < KILOBYTES * 1024
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None, f"clear the outputs of {path.name}"


@each
def test_its_code_compiles(path):
    for i, cell in enumerate(nbformat.read(path, as_version=4).cells):
        if cell.cell_type == "code":
            ast.parse(cell.source, f"{path.name}, cell {i}")


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.slow if path.stem in LONG else (), id=path.stem) for path in NOTEBOOKS],
)
def test_it_runs(path, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="nbclient is an optional extra: pip install -e '.[notebooks]'")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(nbformat.read(path, as_version=4), timeout=500, resources=place).execute()
