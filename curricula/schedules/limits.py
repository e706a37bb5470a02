"""What settings may be, said in one line where they are not."""

import math
import numbers


def check_whole(name: str, value, least: int):
    """Raises ValueError unless the value is a whole number of at least `least`."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


def check_share(name: str, value):
    """Raises ValueError unless the value is a number from 0 to 1."""
    if not isinstance(value, numbers.Real) or not 0 <= float(value) <= 1:
        raise ValueError(f"{name} must be from 0 to 1, got {value!r}")


def check_positive(name: str, value):
    """Raises ValueError unless the value is a finite number above 0."""
    if not isinstance(value, numbers.Real) or not 0 < float(value) < math.inf:
        raise ValueError(f"{name} must be a number above 0, got {value!r}")


def check_rate(name: str, value):
    """Raises ValueError unless the value is a number above 0 and at most 1."""
    if not isinstance(value, numbers.Real) or not 0 < float(value) <= 1:
        raise ValueError(f"{name} must be above 0 and at most 1, got {value!r}")
