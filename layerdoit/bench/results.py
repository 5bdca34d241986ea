"""What was measured, and the figures of it: medians and spreads of builds that came out right."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from layerdoit.history import Figures
from layerdoit.history.benchmarks import DOCKERFILES, OURS
from layerdoit.history.medians import figures

COLUMNS: Final = (*DOCKERFILES, OURS, "native")


@dataclass(frozen=True)
class Cell:
    """One build: who, what, how long, what was compiled, and whether what came out is right."""

    run: int
    scenario: str
    peer: str
    seconds: float
    compiled: int
    crates: Sequence[str] = ()
    layers: Sequence[str] = ()
    stale: Sequence[str] = ()
    error: str = ""


@dataclass(frozen=True)
class Result:
    """A benchmark: `kind`: run, watch, edit, noop, swap, deploys, services; `meta`: when, where; `rows`: figures."""

    kind: str
    meta: Mapping[str, Any]
    cells: Sequence[Cell] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    scenarios: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def to_json(result: Result) -> str:
    """A result as a file holds it; `figures` are there for other programs, and follow from the cells."""
    counted: dict[str, dict[str, Any]] = {}
    for (scenario, peer), found in every(result).items():
        spread = {"median": found.median, "low": found.low, "high": found.high, "n": found.n}
        counted.setdefault(scenario, {})[peer] = spread
    return json.dumps({**asdict(result), "figures": counted}, indent=1) + "\n"


def from_json(text: str) -> Result:
    """A result as it was written."""
    found = json.loads(text)
    found.pop("figures", None)
    cells = [Cell(**cell) for cell in found.pop("cells", [])]
    return Result(cells=cells, **found)


# --- figures ---------------------------------------------------------------------------------------------------------


def of(cells: Iterable[Cell], scenario: str, peer: str) -> list[Cell]:
    """The cells of one place in the table."""
    return [cell for cell in cells if cell.scenario == scenario and cell.peer == peer]


def right(cells: Sequence[Cell]) -> Figures | None:
    """The seconds of builds that all came out right; None when one did not, or there is none."""
    if any(cell.stale or cell.error for cell in cells):
        return None
    return figures([cell.seconds for cell in cells])


def every(result: Result) -> dict[tuple[str, str], Figures]:
    """(scenario, peer) -> the figures of builds that all came out right."""
    places = dict.fromkeys((cell.scenario, cell.peer) for cell in result.cells)
    return {place: found for place in places if (found := right(of(result.cells, *place))) is not None}


def median(cells: Sequence[Cell]) -> float | None:
    """The median of `right`."""
    found = right(cells)
    return None if found is None else found.median


def best_peer(cells: Sequence[Cell], scenario: str) -> tuple[str, float] | None:
    """The fastest of the Dockerfiles that came out right, and its seconds."""
    found = [(time, peer) for peer in DOCKERFILES if (time := median(of(cells, scenario, peer))) is not None]
    return (min(found)[1], min(found)[0]) if found else None


# --- words -----------------------------------------------------------------------------------------------------------


def seconds_text(value: float) -> str:
    """As many digits as mean something."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def spread(values: Sequence[float]) -> str:
    """median (least-most, n=…)."""
    found = figures(values)
    if found is None or found.n == 1:
        return f"{seconds_text(values[0])} (n=1)" if values else "-"
    return f"{seconds_text(found.median)} ({seconds_text(found.low)}-{seconds_text(found.high)}, n={found.n})"


def cell_text(cells: Sequence[Cell]) -> str:
    """Seconds / crates compiled; what went wrong comes first."""
    if not cells:
        return "-"
    failed = [cell for cell in cells if cell.error]
    if len(failed) == len(cells):
        return "fails"
    done = [cell for cell in cells if not cell.error]
    counts = sorted({cell.compiled for cell in done})
    crates = str(counts[0]) if len(counts) == 1 else f"{counts[0]}-{counts[-1]}"
    text = f"{spread([cell.seconds for cell in done])} / {crates}"
    stale = sum(bool(cell.stale) for cell in done)
    if stale:
        text = f"STALE {stale} of {len(done)}: {text}"
    return f"fails {len(failed)} of {len(cells)}: {text}" if failed else text


def problems(result: Result) -> list[str]:
    """Every build that failed or came out wrong, once."""
    found = []
    for cell in result.cells:
        wrong = [*cell.stale, *([f"failed: {cell.error}"] if cell.error else [])]
        found += [f"run {cell.run}, {cell.scenario}, {cell.peer}: {words}" for words in wrong]
    return list(dict.fromkeys(found))


_META: Final = (
    *("project", "profile", "target", "size", "machine", "engine", "buildx", "cargo", "cargo-chef"),
    *("layerdoit", "date", "runs", "load"),
)


def header(result: Result) -> str:
    """Where, with what and when it was measured."""
    return "; ".join(f"{name} {result.meta[name]}" for name in _META if result.meta.get(name))
