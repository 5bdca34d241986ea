"""What the project's own benchmark measured last, for each change and way to build: `doit layers bench` notes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from layerdoit.history import store

if TYPE_CHECKING:
    import sqlite3

DOCKERFILES: Final = ("plain", "mount", "chef")
"""Other ways to build the same image."""
OURS: Final = "layerdoit"

_SAVE: Final = "INSERT OR REPLACE INTO benchmarks (variant, scenario, peer, at, seconds, n) VALUES (?, ?, ?, ?, ?, ?)"
_LATEST: Final = "SELECT scenario, peer, at, seconds, n FROM benchmarks WHERE variant = ? ORDER BY scenario, peer"


@dataclass(frozen=True)
class Recorded:
    """The newest figures of one variant. `at`: when the oldest of them was measured, in seconds since 1970.

    `seconds`: (scenario, peer) -> (median seconds, number of builds). Scenarios: cold, nothing, leaf, deep, manifest,
    bump, new-bin, asset, back; peers: layerdoit, plain, mount, chef, native. Only builds that came out right are in it.
    `moments`: when each was measured, where that is not `at`: what was measured together has the same one.
    """

    at: float
    seconds: Mapping[tuple[str, str], tuple[float, int]]
    moments: Mapping[tuple[str, str], float] = field(default_factory=dict)


def record(folder: Path, variant: str, found: Recorded) -> None:
    """Note a benchmark; each of its figures takes the place of the one before. Never raises for the database's sake."""
    rows = [(variant, *place, found.at, *measured) for place, measured in found.seconds.items()]

    def change(connection: sqlite3.Connection) -> None:
        connection.executemany(_SAVE, rows)

    if rows:
        store.write(folder, change)


def latest(folder: Path, variant: str) -> Recorded | None:
    """The newest figures of a variant (profile and target); None where it was never measured."""
    rows = store.read(folder, _LATEST, (variant,))
    if not rows:
        return None
    seconds = {(row["scenario"], row["peer"]): (float(row["seconds"]), int(row["n"])) for row in rows}
    at = min(float(row["at"]) for row in rows)
    moments = {(row["scenario"], row["peer"]): float(row["at"]) for row in rows if row["at"] != at}
    return Recorded(at, seconds, moments)
