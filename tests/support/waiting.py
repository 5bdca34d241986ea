"""Waiting for what happens in another process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest


def until(condition: Callable[[], Any], seconds: float = 60.0, what: str = "the condition") -> Any:
    """Wait for a condition and return what it gave; fail at the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come about in {seconds:.0f} s")
        time.sleep(0.005)
    return found
