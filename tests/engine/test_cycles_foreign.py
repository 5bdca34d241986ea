"""Cycles on an engine with neighbours: what others have stays, and their next build is still cached."""

from __future__ import annotations

from collections.abc import Callable

from tests.engine.cache_fixture import Neighbours, neighbours, ours
from tests.engine.cycle_fixture import ok, served
from tests.support.checkout import Checkout

__all__ = ["neighbours", "ours", "served"]


def test_no_cycle_touches_what_others_have(
    served: Callable[..., Checkout], parents: str, neighbours: Neighbours
) -> None:
    one = served(parents)
    before = neighbours.state()
    assert all(before["mounts"].values())
    cycles = (["cycle_fast"], ["cycle_clean"], ["cycle_nuclear", "--yes"], ["cache_refresh"], ["cache_warm"])
    for words in cycles:
        ok(one.doit(*words))
        assert neighbours.state() == before, words
        assert neighbours.rebuild() == [], words
        assert neighbours.state() == before, words
