"""Writes the page: `python -m rl_pretrain.dashboard RUN [RUN ...] [--out FILE]`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rl_pretrain import json_file
from rl_pretrain.dashboard import page, records
from rl_pretrain.run_directory import RunError

NAME = "dashboard.html"


def main(arguments: Sequence[str]) -> None:
    """Raises RunError, in one line, where a run cannot be read or the page not be written."""
    parser = argparse.ArgumentParser(prog="python -m rl_pretrain.dashboard", description="Writes a page about runs.")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run directory, or a directory of several")
    parser.add_argument("--out", type=Path, help=f"where; default {NAME} in the run's directory, or here for several")
    chosen = parser.parse_args(arguments)
    runs = records.read(chosen.runs)
    out = chosen.out or (runs[0].directory / NAME if len(runs) == 1 else Path(NAME))
    try:
        json_file.replace(out, page.render(runs, out.absolute().parent))
    except OSError as error:
        raise RunError(f"cannot write {out}: {error.strerror or error}") from error
    print(out)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except RunError as error:
        sys.exit(f"dashboard: {error}")
