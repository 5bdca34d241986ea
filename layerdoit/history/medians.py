"""What this project's own history says of how long things take: medians, never constants."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from layerdoit.history import store

RECENT: Final = 50
"""Older runs say little of the project as it is."""
# The base layer does not depend on profile and target.
_SHARED: Final = frozenset({"base", "runtime"})

Part = Literal["all", "work", "export", "compiled"]
_COLUMNS: Final = {
    "all": "layers.seconds",
    "export": "export",
    "work": "layers.seconds - COALESCE(export, 0)",
    "compiled": "compiled",
}


class Figures(NamedTuple):
    """Of `n` measurements: median, least, most, and what nine in ten stay below; seconds, or crates."""

    median: float
    low: float
    high: float
    p90: float
    n: int


class Expected(NamedTuple):
    """How long it will take, in seconds: the sum of medians, of at least `n` runs each. None: not known."""

    seconds: float | None
    n: int


def figures(values: Sequence[float]) -> Figures | None:
    """None without values."""
    if not values:
        return None
    ranked, n = sorted(values), len(values)
    # The module `statistics` takes longer to import than everything else here to run.
    median = (ranked[(n - 1) // 2] + ranked[n // 2]) / 2
    return Figures(median, ranked[0], ranked[-1], ranked[math.ceil(0.9 * n) - 1], n)


def together(parts: Iterable[Figures | None]) -> Figures | None:
    """Of things done one after the other; None where one of them, or all, are not known."""
    wanted = list(parts)
    known = [part for part in wanted if part is not None]
    if not known or len(known) < len(wanted):
        return None
    return Figures(
        sum(part.median for part in known),
        sum(part.low for part in known),
        sum(part.high for part in known),
        sum(part.p90 for part in known),
        min(part.n for part in known),
    )


def expected(folder: Path, variant: str, layers: Collection[str]) -> Expected:
    """How long it takes to have these layers after they were cleared: base, runtime, deps, app.

    `folder`: the state folder; `variant`: profile and target. Known when each of them was made from nothing before.
    """
    found = together(of_layer(folder, variant, layer, cold=True) for layer in layers)
    if found is None:
        return Expected(None if layers else 0.0, 0)
    return Expected(found.median, found.n)


def of_layer(
    folder: Path, variant: str, layer: str, *, cold: bool, part: Part = "all", besides: str = "", action: str = ""
) -> Figures | None:
    """A layer's builds and pulls that went well: those from nothing, or the others.

    `besides`: a run's token; `action`: only `build`, or only `pull`.
    """
    column = _COLUMNS[part]
    rows = store.read(
        folder,
        f"""SELECT {column} AS value FROM layers JOIN runs ON id = run
            WHERE layer = ? AND layers.outcome = 'ok' AND action != 'reuse' AND cold = ? AND {column} IS NOT NULL
                AND (variant = ? OR ?) AND token != ? AND ? IN ('', action)
            ORDER BY run DESC LIMIT ?""",  # noqa: S608 - a constant
        (layer, cold, variant, layer in _SHARED, besides, action, RECENT),
    )
    return figures([row["value"] for row in rows])


def last_size(folder: Path, variant: str, layer: str) -> int | None:
    """Bytes of a layer's image when it was built or pulled last; None where that is not known."""
    rows = store.read(
        folder,
        """SELECT layers.size AS value FROM layers JOIN runs ON id = run
            WHERE layer = ? AND layers.outcome = 'ok' AND layers.size IS NOT NULL AND (variant = ? OR ?)
            ORDER BY run DESC LIMIT 1""",
        (layer, variant, layer in _SHARED),
    )
    return rows[0]["value"] if rows else None


def of_phase(folder: Path, variant: str, phase: str, *, besides: str = "") -> Figures | None:
    """A phase that is no layer's: `plan`, or one that the provider names."""
    rows = store.read(
        folder,
        "SELECT phases.seconds AS value FROM phases JOIN runs ON runs.id = run WHERE phase = ? AND variant = ?"
        " AND outcome = 'ok' AND token != ? ORDER BY run DESC LIMIT ?",
        (phase, variant, besides, RECENT),
    )
    return figures([row["value"] for row in rows])


def of_task(folder: Path, variant: str, tasks: Sequence[str]) -> Figures | None:
    """Calls of one task that went well and had something to do; `tasks`: its names, as calls are recorded.

    Those of services, whose variant goes on behind that of the project, count too.
    """
    rows = store.read(
        folder,
        f"""SELECT seconds AS value FROM runs
            WHERE task IN ({", ".join("?" * len(tasks))}) AND variant || '/' LIKE ? AND outcome = 'ok'
            ORDER BY id DESC LIMIT ?""",  # noqa: S608 - question marks
        (*tasks, f"{variant}/%", RECENT),
    )
    return figures([row["value"] for row in rows])
