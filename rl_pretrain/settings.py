"""Checks of settings, with one line for the person who chose them."""

from typing import Any


class SettingError(Exception):
    """A setting that cannot be. Not a ValueError, which command-line parsers would catch and dress up."""


def at_least(minimum: float, settings: Any, *names: str) -> None:
    """Raises SettingError where one of these attributes is less than `minimum`, or no number at all (NaN)."""
    for name in names:
        value = getattr(settings, name)
        if not value >= minimum:
            raise SettingError(f"{name} must be at least {minimum}, got {value}")
