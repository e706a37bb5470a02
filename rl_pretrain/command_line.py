"""Settings from a command line, on top of a preset."""

import argparse
from collections.abc import Mapping, Sequence
from typing import TypeVar

import tyro

from rl_pretrain.settings import SettingError

T = TypeVar("T")


def parse(arguments: Sequence[str], presets: Mapping[str, T], description: str | None, default: str) -> T:
    """Settings by `--preset=NAME` and flags that change some of them.

    Args:
      presets: dataclasses of one type, by name.
      default: the preset where none is named.

    Raises SettingError for an unknown preset or settings that make no sense; exits as command lines do for bad flags.
    """
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--preset", default=default)
    chosen, rest = first.parse_known_args(arguments)
    if chosen.preset not in presets:
        raise SettingError(f"unknown preset {chosen.preset!r}; choose one of {', '.join(presets)}")
    preset = presets[chosen.preset]
    return tyro.cli(type(preset), default=preset, args=rest, description=description)
