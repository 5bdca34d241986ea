"""The list of long test files, by which workers begin with them."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import SECONDS


def test_every_file_of_the_list_is_there() -> None:
    tests = Path(__file__).resolve().parents[1]
    assert [name for name in SECONDS if not (tests / name).is_file()] == []
