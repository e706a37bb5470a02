"""The arrows of the house: who may import whom, and that importing does nothing else."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "go_env": set(),
    "curricula": set(),
    "rl_pretrain": set(),
    "esolang": {"rl_pretrain", "curricula"},
    "experiments": {"go_env", "curricula", "rl_pretrain", "esolang"},
}
LIBRARIES = sorted(MAY_IMPORT.keys() - {"experiments"})
NO_NOUNS = {"utils", "util", "common", "helpers", "misc"}
STARTS_DEVICES = {"go_env.pgx_api"}
"""Cannot help it: pgx makes arrays when it is imported. Not for anyone who has devices to choose."""
PICKLERS = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Top-level names of all that a file imports, wherever in the file it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}:{node.lineno}: an import must name its package"
            found.add(node.module)
    return {name.partition(".")[0] for name in found}


def test_every_package_of_the_picture_is_there():
    for folder in LIBRARIES:
        assert (ROOT / folder / "__init__.py").exists()


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_follow_the_arrows(folder):
    forbidden = MAY_IMPORT.keys() - MAY_IMPORT[folder] - {folder} | {"experiments", "tests"}
    offenders = {str(path): names for path in sources(folder) if (names := imported(path) & forbidden)}
    assert not offenders


def test_scripts_import_no_script():
    scripts = {path.stem for path in sources("experiments")}
    offenders = {str(path): names for path in sources(*MAY_IMPORT) if (names := imported(path) & scripts)}
    assert not offenders


def test_only_search_imports_mctx():
    assert [path for path in sources(*MAY_IMPORT) if "mctx" in imported(path)] == [ROOT / "rl_pretrain" / "search.py"]


def test_nothing_is_pickled():
    offenders = {str(path): names for path in sources(*MAY_IMPORT) if (names := imported(path) & PICKLERS)}
    assert not offenders
    assert not [path for path in sources(*MAY_IMPORT) if "allow_pickle=True" in path.read_text()]


def test_every_module_is_named_by_a_noun():
    assert not [path for path in sources(*MAY_IMPORT, "tests") if path.stem in NO_NOUNS]


def test_no_script_shadows_a_package():
    """Python puts a script's folder first on the path, so that its neighbours hide packages of the same name."""
    taken = MAY_IMPORT.keys() | sys.stdlib_module_names
    taken |= {name for path in sources(*MAY_IMPORT) for name in imported(path)}
    assert not taken & {path.stem for path in (ROOT / "experiments").iterdir()}


def test_tests_are_no_package():
    """With an `__init__.py` their folders could hide the packages under test."""
    assert not list((ROOT / "tests").rglob("__init__.py"))


IMPORT_ALL = """
import importlib, pkgutil, sys
import jax

package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if module.name not in sys.argv[2:]:
        importlib.import_module(module.name)
jax.config.update("jax_num_cpu_devices", 3)  # raises where a device is in use already
assert jax.device_count() == 3
"""


@pytest.mark.parametrize("library", LIBRARIES)
def test_importing_a_library_starts_no_device(library):
    """Else no script could choose its devices any more."""
    command = [sys.executable, "-c", IMPORT_ALL, library, *STARTS_DEVICES]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("library", ["go_env", "curricula", "esolang"])
def test_importing_a_library_takes_less_than_a_second_beyond_jax(library):
    """Seconds of CPU, so that a busy machine does not count."""
    code = f"import time, jax.numpy; start = time.process_time(); import {library}; print(time.process_time() - start)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert float(result.stdout) < 1
