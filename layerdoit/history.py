"""What was built, why, how long it took, and whether a layer was there already (SQLite, in the state folder)."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from layerdoit.layers.plan import Outcome

_SCHEMA = """
CREATE TABLE IF NOT EXISTS layers (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    variant TEXT NOT NULL,
    layer TEXT NOT NULL,
    key TEXT NOT NULL,
    action TEXT NOT NULL,
    seconds REAL NOT NULL,
    compiled INTEGER,
    external INTEGER,
    reasons TEXT NOT NULL
)
"""
# Rows beyond this number are dropped, oldest first.
KEPT = 10_000


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[sqlite3.Connection]:
    """The history database; safe under concurrent runs and a kill at any moment."""
    import sqlite3

    connection = sqlite3.connect(folder / "history.db", timeout=10)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(_SCHEMA)
        with connection:
            yield connection
    finally:
        connection.close()


def record(folder: Path, variant: str, outcome: Outcome) -> None:
    """Note what was done for a layer; a reused layer costs nothing and is not noted."""
    step = outcome.step
    if step.action == "reuse":
        return
    row = (
        time.time(),
        variant,
        step.spec.layer,
        step.spec.key,
        step.action,
        outcome.seconds,
        outcome.counts.get("compiled"),
        outcome.counts.get("external"),
        json.dumps(step.reasons),
    )
    with opened(folder) as connection:
        connection.execute(
            "INSERT INTO layers (at, variant, layer, key, action, seconds, compiled, external, reasons)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        connection.execute("DELETE FROM layers WHERE id <= (SELECT MAX(id) FROM layers) - ?", (KEPT,))
