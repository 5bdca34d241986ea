"""A second machine for the time of the test run: see `tests/support/second_engine.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import second_engine as second
from tests.support.second_engine import SecondEngine


@pytest.fixture(scope="session")
def second_engine(docker_engine: Any) -> Iterator[SecondEngine]:
    """An engine that has nothing; skipped where none can be had. A test removes what it brought there."""
    if why := second.lacks():
        pytest.skip(why)
    with second.started() as engine:
        yield engine
