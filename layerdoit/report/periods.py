"""What was measured month by month, or day by day: the tables behind the charts over time. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from layerdoit.history.medians import figures
from layerdoit.layers.key import IMAGES
from layerdoit.report.formats import LONG, NOTHING, seconds_text, share_text
from layerdoit.report.sections import Section

if TYPE_CHECKING:
    from layerdoit.report.change_kinds import Kind
    from layerdoit.report.figures import Report, Seen


def of_kind(report: Report, kind: Kind) -> Section:
    """Seconds of a kind of change."""
    rows = []
    for name, runs in _periods([run for run in report.runs if run.kind == kind and run.ready is not None]):
        found = figures([run.ready for run in runs if run.ready is not None])
        if found is not None:
            rows.append((name, seconds_text(found.median), seconds_text(found.p90), str(found.n)))
    return Section("moved", "Time over time", "", ("when", "median", "p90", "n"), rows)


def of_hits(report: Report) -> Section:
    """The share of hits of each layer."""
    rows = [(name, *(_rate(runs, layer) for layer in IMAGES), str(len(runs))) for name, runs in _periods(report.runs)]
    return Section("moved", "Hits over time", "", ("when", *(f"{layer} hits" for layer in IMAGES), "runs"), rows)


def _rate(runs: Sequence[Seen], layer: str) -> str:
    known = [status in ("reused", "pulled") for run in runs if (status := run.status(layer)) is not None]
    return share_text(sum(known) / len(known)) if known else NOTHING


def _periods(runs: Sequence[Seen]) -> list[tuple[str, list[Seen]]]:
    """Months of a long history, days of a short one, the oldest first; without runs of an unknown time."""
    dated = [(run.at, run) for run in runs if run.at is not None]
    moments = [at for at, _ in dated]
    form = "%Y-%m" if moments and max(moments) - min(moments) > LONG else "%Y-%m-%d"
    found: dict[str, list[Seen]] = {}
    for at, run in dated:
        found.setdefault(time.strftime(form, time.localtime(at)), []).append(run)
    return sorted(found.items())
