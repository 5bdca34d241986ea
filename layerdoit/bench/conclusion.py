"""What a benchmark says: how layerdoit stands beside the best Dockerfile, for the edit that matters and for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from layerdoit.bench import results
from layerdoit.bench.results import Cell, Result
from layerdoit.core.prose import listed
from layerdoit.history.benchmarks import DOCKERFILES, OURS
from layerdoit.report import comparison
from layerdoit.report.formats import seconds_text

_FIRST: Final = ("leaf", "deep", "manifest", "new-bin", "asset", "bump", "back", "nothing", "cold")
"""The change that people wait for most often comes first."""


class Beside(NamedTuple):
    """A change: the median of layerdoit, and the best Dockerfile's; each of so many builds."""

    ours: float
    n: int
    best: float
    n_best: int
    peer: str

    @property
    def said(self) -> str:
        """`2.2 × faster`."""
        return comparison.figure(self.ours, self.best)[0]

    @property
    def text(self) -> str:
        """With the name of the Dockerfile."""
        return f"{self.said} ({self.peer})"


def beside(cells: Sequence[Cell], scenario: str) -> Beside | None:
    """None where an image of ours did not come out right, or no Dockerfile did."""
    ours, best = results.right(results.of(cells, scenario, OURS)), results.best_peer(cells, scenario)
    if ours is None or best is None:
        return None
    other = results.right(results.of(cells, scenario, best[0]))
    return None if other is None else Beside(ours.median, ours.n, best[1], other.n, best[0])


def beside_text(cells: Sequence[Cell], scenario: str) -> str:
    """A cell of a table."""
    found = beside(cells, scenario)
    return "-" if found is None else found.text


def first(result: Result) -> tuple[str, Beside] | None:
    """The change that the conclusion is about."""
    known = {name: found for name in result.scenarios if (found := beside(result.cells, name)) is not None}
    name = next((name for name in _FIRST if name in known), None)
    return None if name is None else (name, known[name])


def wrong(result: Result) -> list[str]:
    """Changes after which an image of ours was stale, or was not built."""
    ours = [cell for cell in result.cells if cell.peer == OURS and (cell.stale or cell.error)]
    return list(dict.fromkeys(result.scenarios.get(cell.scenario, cell.scenario) for cell in ours))


def parts(result: Result) -> list[tuple[str, bool]]:
    """The conclusion, and which of its parts are figures."""
    if failed := wrong(result):
        return [(f"Not every image of layerdoit came out right: {listed(failed)}.", False)]
    found = first(result)
    if found is None:
        return [("Nothing to compare: no Dockerfile was measured beside layerdoit.", False)]
    name, one = found
    word = comparison.figure(one.ours, one.best)[1]
    medians = f"{seconds_text(one.ours)} (n={one.n}) against {seconds_text(one.best)} (n={one.n_best})"
    what = result.scenarios[name]
    begin = f"{what[0].upper()}{what[1:]}: "
    return [(begin, False), (one.said, True), (f" {word} the best Dockerfile ({one.peer}), {medians}.", False)]


def others(result: Result) -> str:
    """All changes together, so that nothing is hidden behind the first one; empty where it is the only one."""
    known = {name: found for name in result.scenarios if (found := beside(result.cells, name)) is not None}
    if len(known) < 2 or wrong(result):
        return ""
    slower = [f"{result.scenarios[name]} ({one.said})" for name, one in known.items() if one.said.endswith("slower")]
    faster = sum(one.said.endswith("faster") for one in known.values())
    same = len(known) - faster - len(slower)
    counted = [f"faster in {faster}", *([f"as fast in {same}"] if same else [])]
    counted += [f"slower in {len(slower)}: {listed(slower)}"] if slower else []
    return f"Of {len(known)} kinds of change: {', '.join(counted)}."


def left_out(result: Result) -> str:
    """The Dockerfiles that were no rivals somewhere, because what they built was stale or failed."""
    bad = {cell.peer for cell in result.cells if (cell.stale or cell.error) and cell.peer in DOCKERFILES}
    names = listed([peer for peer in DOCKERFILES if peer in bad])
    return f"Not compared where an image of theirs was stale or failed: {names}." if names else ""


def more(result: Result) -> list[str]:
    """What has to be said beside the first sentence."""
    return [text for text in (others(result), left_out(result)) if text]


def lines(result: Result) -> list[str]:
    """The conclusion as plain sentences."""
    return ["".join(text for text, _ in parts(result)), *more(result)]
