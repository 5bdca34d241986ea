"""Which volumes of watches are left over: of this project, used by nobody, and not of a watch that just begins."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from layerdoit.engine import live_volumes
from layerdoit.engine.ownership import Owner

MINE = Owner(("path:here",), "/here")


def volume(name: str, watch: str, age: float, marks: str = "path:here", zone: float = 0) -> Mapping[str, Any]:
    """`zone`: hours; the engine writes times in its own."""
    made = datetime.fromtimestamp(int(time.time() - age), timezone(timedelta(hours=zone)))
    labels = {"io.layerdoit.project": "shop", "io.layerdoit.live": watch, "io.layerdoit.marks": marks}
    return {"Name": name, "Labels": labels, "CreatedAt": made.isoformat().replace("+00:00", "Z")}


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """What the engine says that no container uses."""
    there: list[Mapping[str, Any]] = []

    class Api:
        def get(self, path: str, query: Mapping[str, Any]) -> Any:
            assert (path, query["filters"]["dangling"]) == ("/volumes", ["true"])
            return {"Volumes": list(there) or None}

    monkeypatch.setattr(live_volumes, "connect", Api)
    monkeypatch.setattr(live_volumes, "_removed", lambda name: name != "in use by now")
    return there


def test_old_ones_go_and_those_of_a_watch_that_is_over(left: list[Mapping[str, Any]]) -> None:
    assert live_volumes.sweep("shop", MINE) == ()
    left += [
        volume("old", "a", 3600),
        volume("in use by now", "a", 3600),
        volume("young", "b", 3),
        volume("young elsewhere", "b", 3, zone=5.5),
        volume("old elsewhere", "b", 3600, zone=-8),
        volume("over", "c", 3),
        volume("going", "d", 3600),
        volume("namesake's", "c", 3600, marks="path:there"),
        volume("before the clock was set back", "e", -7200),
    ]
    found = live_volumes.sweep("shop", MINE, {"c"}, "d")
    assert found == ("old", "old elsewhere", "over", "before the clock was set back")


def test_a_time_that_cannot_be_read_keeps_nothing(left: list[Mapping[str, Any]]) -> None:
    left.append({**volume("odd", "a", 3), "CreatedAt": "yesterday"})
    assert live_volumes.sweep("shop", MINE) == ("odd",)
