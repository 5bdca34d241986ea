"""Which rows are shown while a plan is carried out, and when there is an estimate."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from layerdoit import history
from layerdoit.build import shown
from layerdoit.engine.board import Usual
from layerdoit.layers.key import Spec
from layerdoit.layers.plan import Plan, Step
from layerdoit.project.run import Run


def step(layer: Any, action: Any) -> Step:
    return Step(Spec(layer, {"layer": layer}, "shop"), action, ())


def plan(**actions: str) -> Plan:
    return Plan(tuple(step(layer, action) for layer, action in actions.items()))


def states(found: Plan, *wanted: str) -> dict[str, str]:
    return {row.name: row.state for row in shown.board(found, wanted).rows}


def test_a_row_for_each_layer_up_to_the_one_that_is_wanted() -> None:
    found = plan(base="reuse", runtime="reuse", deps="build", app="build")
    assert states(found, "app") == {"base": "reused", "deps": "waits", "app": "waits"}
    assert states(found, "base", "deps") == {"base": "reused", "deps": "waits"}
    assert states(plan(base="reuse", runtime="build", deps="build", app="build"), "runtime") == {
        "base": "reused",
        "runtime": "waits",
    }


def test_what_this_call_has_made_is_done_and_not_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "_made", {})
    found = plan(base="reuse", runtime="reuse", deps="reuse", app="build")
    shown.made(step("deps", "build"), 41.0)
    shown.made(step("base", "reuse"), 0.0)
    rows = shown.board(found, ["app"]).rows
    assert [(row.name, row.state, row.until - row.since) for row in rows][:2] == [
        ("base", "reused", 0.0),
        ("deps", "done", 41.0),
    ]


@pytest.mark.parametrize(
    ("asked", "prefix", "highest"),
    [
        ("", "", "app"),
        ("deps", "", "deps"),
        ("shop:deps", "shop", "deps"),
        ("base shop:cache_warm", "shop", "deps"),
        ("deps cycle_fast", "", "app"),
        ("mine", "", "app"),
    ],
)
def test_what_was_typed_tells_what_there_will_be(asked: str, prefix: str, highest: str) -> None:
    assert shown.wanted(asked, prefix, ["base"])[-1] == highest


def saved(folder: Path, *layers: tuple[str, bool, float]) -> None:
    for number, (action, cold, seconds) in enumerate(layers):
        run = history.RunRecord(f"{number} {seconds}", 1.0, "deps", "dev", "host", "1", seconds)
        history.save(folder, run, [history.LayerRecord("deps", "key", action, cold, seconds)])


def usual(folder: Path, *, cold: bool) -> Usual | None:
    state = SimpleNamespace(folder=folder)
    inputs = SimpleNamespace(project=SimpleNamespace(state=state), variant_of=lambda _: "dev")
    return shown.usual(Run(), cast("Any", inputs), step("deps", "build"), cold=cold)


def test_an_estimate_needs_enough_runs_of_the_same_kind(tmp_path: Path) -> None:
    saved(tmp_path, ("build", True, 40.0), ("build", True, 50.0), ("pull", True, 3.0), ("build", False, 5.0))
    assert usual(tmp_path, cold=True) is None
    saved(tmp_path, ("build", True, 60.0))
    assert usual(tmp_path, cold=True) == Usual(50.0, 3)
    assert usual(tmp_path, cold=False) is None
