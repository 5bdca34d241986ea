"""One run, and what it did to each layer, as rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from layerdoit.history import store
from layerdoit.layers import reasons

if TYPE_CHECKING:
    import sqlite3

    from layerdoit.history.crates import Crate
    from layerdoit.layers.reasons import Reason

Ended = Literal["ok", "failed", "interrupted"]

TEXT: Final = 300
"""Characters that are kept of an error."""


@dataclass(frozen=True)
class RunRecord:
    """One call of doit. `token` names it; `at`: seconds since 1970; `dirty`: the tree differs from `commit`."""

    token: str
    at: float
    task: str
    variant: str
    host: str
    version: str
    seconds: float
    outcome: Ended = "ok"
    failed_in: str | None = None
    error: str | None = None
    commit: str | None = None
    dirty: bool | None = None


@dataclass(frozen=True)
class LayerRecord:
    """What a run did to one layer. `action`: reuse is a hit; `cold`: it was made from nothing, not from an earlier one.

    `seconds`: all of it, `export` being the part in which the image was written; `compiled`, `fresh`, `external`:
    crates that cargo compiled, took as they were, and compiled although they are external; `size`: bytes of the
    image; `sent`: bytes that went to the builder; `shared`: how many of the compiled came from a store (sccache). None:
    not known.
    """

    layer: str
    key: str
    action: str
    cold: bool = False
    seconds: float = 0.0
    how: str = ""
    export: float | None = None
    compiled: int | None = None
    fresh: int | None = None
    external: int | None = None
    size: int | None = None
    sent: int | None = None
    reasons: Sequence[Reason] = ()
    outcome: Ended = "ok"
    shared: int | None = None


_RUN: Final = """
INSERT INTO runs (token, at, task, variant, host, version, git_commit, dirty, outcome, failed_in, error, seconds)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (token) DO UPDATE SET
    task = excluded.task, git_commit = excluded.git_commit, dirty = excluded.dirty, outcome = excluded.outcome,
    failed_in = excluded.failed_in, error = excluded.error, seconds = excluded.seconds
RETURNING id
"""
_LAYER: Final = """
INTO layers
    (run, layer, key, action, cold, seconds, how, export, compiled, fresh, external, size, sent, shared, reasons,
    outcome)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# A layer that this run built stays so, although the run's later parts found it there.
_HIT: Final = f"INSERT OR IGNORE {_LAYER}"
_MISS: Final = f"INSERT OR REPLACE {_LAYER}"
_PHASE: Final = "INSERT OR REPLACE INTO phases (run, phase, seconds) VALUES (?, ?, ?)"
_CRATE: Final = "INSERT OR REPLACE INTO crates (run, crate, version, seconds, share) VALUES (?, ?, ?, ?, ?)"


def save(
    folder: Path,
    run: RunRecord,
    layers: Sequence[LayerRecord] = (),
    phases: Mapping[str, float] | None = None,
    crates: Sequence[Crate] = (),
) -> None:
    """Note what a run has done so far; what was noted of it before is kept. Never raises for the database's sake."""

    def change(connection: sqlite3.Connection) -> None:
        number = connection.execute(_RUN, _run_values(run)).fetchone()[0]
        for layer in layers:
            connection.execute(_HIT if layer.action == "reuse" else _MISS, (number, *_layer_values(layer)))
        connection.executemany(_PHASE, [(number, *phase) for phase in (phases or {}).items()])
        rows = [(number, one.crate, one.version, one.seconds, one.share) for one in crates]
        connection.executemany(_CRATE, rows)
        for table, column in (("layers", "run"), ("phases", "run"), ("crates", "run"), ("runs", "id")):
            connection.execute(f"DELETE FROM {table} WHERE {column} <= ?", (number - store.KEPT,))  # noqa: S608 - names

    store.write(folder, change)


def _run_values(run: RunRecord) -> tuple[object, ...]:
    error = None if run.error is None else run.error[:TEXT]
    return (
        *(run.token, run.at, run.task, run.variant, run.host, run.version, run.commit, run.dirty),
        *(run.outcome, run.failed_in, error, run.seconds),
    )


def _layer_values(layer: LayerRecord) -> tuple[object, ...]:
    why = json.dumps(reasons.as_json(layer.reasons))
    return (
        *(layer.layer, layer.key, layer.action, layer.cold, layer.seconds, layer.how[:TEXT], layer.export),
        *(layer.compiled, layer.fresh, layer.external, layer.size, layer.sent, layer.shared, why, layer.outcome),
    )
