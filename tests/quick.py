"""Which cases of a test run every time, and which among the slow tests."""

from collections.abc import Iterable

import pytest


def first(cases: Iterable, num: int = 1) -> list:
    """The first `num` cases for every run, the others for `make test-slow`: for parametrize."""

    def is_many(case) -> bool:
        return isinstance(case, tuple) and not hasattr(case, "_fields")

    return [
        pytest.param(*(case if is_many(case) else (case,)), marks=() if i < num else pytest.mark.slow)
        for i, case in enumerate(cases)
    ]
