"""The history for other programs: runs as JSON, layers as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from layerdoit.history import store
from layerdoit.history.crates import Crate
from layerdoit.history.records import LayerRecord
from layerdoit.layers import reasons

_RUN: Final = (
    *("id", "at", "task", "variant", "host", "version", "git_commit", "dirty"),
    *("outcome", "failed_in", "error", "seconds"),
)
_LAYER: Final = tuple(field.name for field in fields(LayerRecord))
_CRATE: Final = tuple(field.name for field in fields(Crate))
_SWITCHES: Final = frozenset({"dirty", "cold"})


@dataclass(frozen=True)
class Done:
    """What one run did: its layers, and the seconds of its other phases."""

    layers: tuple[LayerRecord, ...]
    phases: Mapping[str, float]


def of_run(folder: Path, token: str) -> Done:
    """What is known of a run so far; nothing of one that is not there."""
    rows = store.read(folder, "SELECT layers.* FROM layers JOIN runs ON id = run WHERE token = ?", (token,))
    spent = store.read(folder, "SELECT phases.* FROM phases JOIN runs ON id = run WHERE token = ?", (token,))
    return Done(tuple(map(_record, rows)), {row["phase"]: row["seconds"] for row in spent})


def as_json(folder: Path, last: int | None = None) -> list[dict[str, Any]]:
    """Runs, oldest first, each with `layers` (by name), `phases` (seconds by name) and `crates` (that a cook compiled).

    `last`: only so many.
    """
    runs = store.read(folder, "SELECT * FROM runs ORDER BY id DESC LIMIT ?", (-1 if last is None else last,))
    found = {row["id"]: {**_plain(row, _RUN), "layers": {}, "phases": {}, "crates": []} for row in reversed(runs)}
    first = (min(found, default=0),)
    for row in store.read(folder, "SELECT * FROM layers WHERE run >= ?", first):
        if row["run"] in found:
            found[row["run"]]["layers"][row["layer"]] = layer_as_json(_record(row))
    for row in store.read(folder, "SELECT * FROM phases WHERE run >= ?", first):
        if row["run"] in found:
            found[row["run"]]["phases"][row["phase"]] = row["seconds"]
    slowest = "SELECT * FROM crates WHERE run >= ? ORDER BY run, seconds DESC, crate, version"
    for row in store.read(folder, slowest, first):
        if row["run"] in found:
            found[row["run"]]["crates"].append(_plain(row, _CRATE))
    return list(found.values())


def as_csv(folder: Path, last: int | None = None) -> str:
    """One line for each layer of each run, with the run's columns before its own (`run_...`), and a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*(f"run_{name}" for name in _RUN), *_LAYER])
    for run in as_json(folder, last):
        head = [run[name] for name in _RUN]
        for layer in run["layers"].values():
            told = {**layer, "reasons": "; ".join(layer["reasons"])}
            writer.writerow([*head, *(told[name] for name in _LAYER)])
    return text.getvalue()


def record_of(layer: Mapping[str, Any]) -> LayerRecord:
    """A layer of `as_json` as the record that it was made from."""
    values = {name: layer[name] for name in _LAYER if name != "reasons"}
    return LayerRecord(**{**values, "reasons": reasons.from_json(layer["causes"])})


def layer_as_json(found: LayerRecord) -> dict[str, Any]:
    """The documented form."""
    return {**vars(found), **reasons.documented(found.reasons)}


def _record(row: Any) -> LayerRecord:
    values = _plain(row, _LAYER)
    return LayerRecord(**{**values, "reasons": reasons.from_json(json.loads(values["reasons"]))})


def _plain(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    values = {name: row[name] for name in names}
    for name in _SWITCHES & values.keys():
        values[name] = None if values[name] is None else bool(values[name])
    return values
