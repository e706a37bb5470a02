"""Checks of settings, with one line for the person who chose them."""

import re
from typing import Any


class SettingError(Exception):
    """A setting that cannot be. Not a ValueError, which command-line parsers would catch and dress up."""


def at_least(minimum: float, settings: Any, *names: str) -> None:
    """Raises SettingError where one of these attributes is less than `minimum`, or no number at all (NaN)."""
    for name in names:
        value = getattr(settings, name)
        if not value >= minimum:
            raise SettingError(f"{name} must be at least {minimum}, got {value}")


def a_name(name: str) -> None:
    """Raises SettingError where a run's name could not be that of a directory in the place of all runs."""
    if not re.fullmatch(r"[\w.+-]*\w[\w.+-]*", name):
        raise SettingError(f"name must be letters, digits and any of . + - _, got {name!r}")
