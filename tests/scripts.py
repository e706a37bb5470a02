"""Experiments as tests meet them: run as a person runs them, or loaded as modules where a start would take too long."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


def load(name: str) -> ModuleType:
    """The script as a module, its `main` not called."""
    spec = importlib.util.spec_from_file_location(name, EXPERIMENTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def command(name: str, *arguments: str) -> list[str]:
    return [sys.executable, str(EXPERIMENTS / f"{name}.py"), *arguments]


def environment(cache: Path) -> dict[str, str]:
    """On the CPU, with compiled programs kept in `cache` and nowhere else."""
    return {**os.environ, "JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(cache)}


def run(cache: Path, place: Path, name: str, *arguments: str, timeout: float = 900) -> subprocess.CompletedProcess:
    """The finished script, its runs below `place`."""
    return subprocess.run(
        command(name, *arguments),
        cwd=place,
        env=environment(cache),
        capture_output=True,
        text=True,
        timeout=timeout,
    )
