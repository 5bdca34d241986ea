"""The history as JSON and CSV, and one run of it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from layerdoit import history
from layerdoit.history import LayerRecord, RunRecord
from layerdoit.history.export import Done, as_csv, as_json, of_run, record_of
from layerdoit.layers.reasons import Reason, from_json

WHY = (
    Reason("changed", ("package serde",), "package", "1.0.0 aa", "1.0.1 bb"),
    Reason("changed", ("file a.rs", "file b.rs"), "file"),
)
APP = LayerRecord("app", "k2", "build", True, 1.5, "compiled", 0.5, 3, 7, 1, 500, 20, WHY)
DEPS = LayerRecord("deps", "k1", "reuse")


def saved(folder: Path) -> None:
    first = RunRecord(
        "one", 10.0, "image", "dev/host", "here", "1.0", 2.0, "failed", "app", "no such crate", "abc", True
    )
    history.save(folder, first, [LayerRecord("app", "k0", "build", outcome="failed")])
    history.save(
        folder, RunRecord("two", 20.0, "cycle_fast", "dev/host", "here", "1.0", 3.0), [DEPS, APP], {"swap": 0.25}
    )


def test_one_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    saved(tmp_path)
    found = of_run(tmp_path, "two")
    assert {layer.layer: layer for layer in found.layers} == {
        "deps": LayerRecord("deps", "k1", "reuse", reasons=()),
        "app": LayerRecord("app", "k2", "build", True, 1.5, "compiled", 0.5, 3, 7, 1, 500, 20, WHY),
    }
    assert found.phases == {"swap": 0.25}
    assert of_run(tmp_path, "three") == Done((), {})
    assert of_run(tmp_path / "none", "two") == Done((), {})


def test_json_has_runs_with_layers_and_phases(tmp_path: Path) -> None:
    saved(tmp_path)
    first, second = json.loads(json.dumps(as_json(tmp_path)))
    assert {name: first[name] for name in ("task", "outcome", "failed_in", "error", "git_commit", "dirty")} == {
        "task": "image",
        "outcome": "failed",
        "failed_in": "app",
        "error": "no such crate",
        "git_commit": "abc",
        "dirty": True,
    }
    assert second["dirty"] is None
    assert second["phases"] == {"swap": 0.25}
    assert second["layers"]["app"]["reasons"] == ["serde 1.0.0 → 1.0.1", "2 files changed: a.rs, b.rs"]
    assert from_json(second["layers"]["app"]["causes"]) == WHY
    assert record_of(second["layers"]["app"]) == APP
    assert second["layers"]["app"]["cold"] is True
    assert second["layers"]["deps"]["action"] == "reuse"
    assert as_json(tmp_path, last=1) == [second]
    assert as_json(tmp_path / "none") == []


def test_csv_has_a_line_for_each_layer(tmp_path: Path) -> None:
    saved(tmp_path)
    rows = list(csv.DictReader(io.StringIO(as_csv(tmp_path))))
    assert [(row["run_task"], row["layer"], row["outcome"]) for row in rows] == [
        ("image", "app", "failed"),
        ("cycle_fast", "app", "ok"),
        ("cycle_fast", "deps", "ok"),
    ]
    assert rows[1]["reasons"] == "serde 1.0.0 → 1.0.1; 2 files changed: a.rs, b.rs"
    assert (rows[1]["sent"], rows[2]["sent"], rows[0]["run_git_commit"]) == ("20", "", "abc")
    assert as_csv(tmp_path / "none").count("\n") == 1, "the header"
