"""The charts of the report. Each mark says its number in a `title`; colours are classes of the page's style."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from layerdoit.core.units import size_text
from layerdoit.layers.key import IMAGES
from layerdoit.report import plots
from layerdoit.report.change_kinds import PLAIN_WORDS, Kind
from layerdoit.report.figures import HALF, STATUSES, Report, Seen, Slow
from layerdoit.report.formats import (
    NOTHING,
    one_line,
    reason_text,
    seconds_text,
    share_text,
    signed_text,
    span_dates,
    when_text,
)
from layerdoit.report.kind_figures import KindFigures
from layerdoit.report.markup import Markup
from layerdoit.report.plots import Axis, Row

SHOWN: Final = 300
"""Newest runs of a kind, each of which is a dot."""
WINDOW: Final = 20
"""Runs that a point of the hit rate over time counts."""
LEAST_RUNS: Final = 10
"""Fewer say nothing of how something moved."""


def hits(report: Report) -> Markup:
    """For each layer one bar: the shares of reused, pulled, built, failed."""
    rows = []
    for found in report.layers:
        if not found.n:
            continue
        marks, begin = [], 0.0
        for status in STATUSES:
            length = found.counts[status] / found.n * 100
            if length:
                told = f"{found.layer}: {status} in {found.counts[status]} of {found.n} runs"
                marks.append(plots.bar(begin, length, f"fill segment {status}", told))
            begin += length
        told = ", ".join(f"{status} {found.counts[status]}" for status in STATUSES if found.counts[status])
        rate = share_text(found.hit_rate)
        rows.append(Row(found.layer, rate, marks, f"{found.layer}, {found.n} runs: {told}", "", f"n={found.n}"))
    caption = "Of the runs that came to the layer. A changed source file always builds app, but seldom deps or base."
    return plots.figure(plots.rows(rows, short=True), caption=caption, legend=STATUSES)


def hits_over_time(report: Report) -> Markup:
    """For each layer the share of hits among the last runs, run by run; nothing of a short history."""
    if len(report.runs) < LEAST_RUNS:
        return Markup("")
    rows = []
    for layer in IMAGES:
        known = [status for run in report.runs[-SHOWN:] if (status := run.status(layer)) is not None]
        if len(known) < LEAST_RUNS:
            continue
        hit = [status in ("reused", "pulled") for status in known]
        shares = [sum(part) / len(part) for end in range(1, len(hit) + 1) if (part := hit[max(0, end - WINDOW) : end])]
        marks = [plots.across(0, 100, 8, "grid"), plots.across(0, 100, 92, "grid")]
        points = [(100 * number / (len(shares) - 1), 92 - 84 * share) for number, share in enumerate(shares)]
        last = share_text(shares[-1])
        told = f"{layer}: {last} of its last {min(WINDOW, len(hit))} runs were hits"
        rows.append(Row(layer, last, [*marks, plots.line(points, "stroke ours")], told))
    if not rows:
        return Markup("")
    caption = f"Each point counts the {WINDOW} runs before it, from the oldest run to the newest; lines at 0% and 100%."
    return plots.figure(plots.rows(rows, short=True), caption=caption)


def kinds(report: Report) -> Markup:
    """For each kind of change every run as a dot, and the median as a line."""
    spent = {found.kind: _of_kind(report, found.kind) for found in report.kinds}
    axis = plots.powers([run.ready or 0.0 for runs in spent.values() for run in runs])
    rows = [_kind(found, spent[found.kind], axis) for found in report.kinds]
    caption = "A dot is a run, the upright line is the median. From left to right, each step multiplies the time."
    return plots.figure(plots.rows(rows, axis), caption=caption)


def _kind(found: KindFigures, runs: Sequence[Seen], axis: Axis) -> Row:
    # Beside each other and not on top of each other: the same for the same run.
    marks = [
        plots.dot(axis.scale(run.ready or 0.0), 28 + 44 * (number * 7 % 10) / 9, 3.5, "run ours")
        for number, run in enumerate(runs)
    ]
    marks.append(plots.upright(axis.scale(found.ready.median), 18, 82, "median"))
    median = seconds_text(found.ready.median)
    told = f"{found.kind}: median {median}, p90 {seconds_text(found.ready.p90)}, n={found.ready.n}"
    return Row(PLAIN_WORDS[found.kind], median, marks, told, found.kind, f"n={found.ready.n}")


def over_time(report: Report, kind: Kind) -> Markup:
    """Every run of a kind by date, and the median of the runs around; nothing of a short history."""
    runs = [run for run in _of_kind(report, kind) if run.at is not None]
    if len(runs) < 2 * HALF:
        return Markup("")
    axis = plots.powers([run.ready or 0.0 for run in runs])
    down = Axis(lambda value: 100 - axis.scale(value), [(100 - place, text) for place, text in axis.ticks])
    moments = [run.at or 0.0 for run in runs]
    begin, end = min(moments), max(moments)

    def place(at: float) -> float:
        return 1 + 98 * (at - begin) / (end - begin) if end > begin else 50.0

    marks = []
    for run in runs:
        told = f"{when_text(run.at)}: {seconds_text(run.ready or 0.0)}"
        marks.append(plots.dot(place(run.at or 0.0), down.scale(run.ready or 0.0), 4, "run ours", told))
    usual = _medians([run.ready or 0.0 for run in runs])
    points = [(place(at), down.scale(one)) for at, one in zip(moments, usual, strict=False)]
    marks.append(plots.line(points, "stroke ours"))
    name = f"{PLAIN_WORDS[kind]}: seconds until the image was there, by date"
    words = f"{len(runs)} runs, from {when_text(begin)} to {when_text(end)}"
    line = f"; the line is the median of {_around(len(runs))} runs around" if usual else ""
    drawn = plots.framed(name, words, down, marks, span_dates(begin, end))
    return plots.figure(drawn, caption=f"A dot is a run{line}.")


def _around(n: int) -> int:
    return min(25, n // 4 * 2 + 1)


def _medians(values: Sequence[float]) -> list[float]:
    """For each value the median of those around it; nothing of a few."""
    if len(values) < LEAST_RUNS:
        return []
    half = _around(len(values)) // 2
    near = [sorted(values[max(0, here - half) : here + half + 1]) for here in range(len(values))]
    return [part[len(part) // 2] for part in near]


def _of_kind(report: Report, kind: Kind) -> list[Seen]:
    return [run for run in report.runs if run.kind == kind and run.ready is not None][-SHOWN:]


def sizes(report: Report) -> Markup:
    """The size of each image, each time that it was built or pulled."""
    rows = []
    for found in report.sizes:
        known = [size for run in report.runs if (size := _bytes(run, found.image)) is not None][-SHOWN:]
        scale = plots.linear(max(known), room=80.0)
        steps = len(known) - 1
        points = [(1 + 98 * number / max(1, steps), 92 - scale(size)) for number, size in enumerate(known)]
        newest = plots.dot(points[-1][0] if steps else 99, points[-1][1], 4, "fill ours")
        told = f"{found.image}: newest {size_text(found.newest)}, from {size_text(found.all.low)} to "
        marks = [plots.across(0, 100, 92, "grid"), plots.line(points, "stroke ours"), newest]
        text = size_text(found.newest)
        first = f"{size_text(known[0])} at first" if size_text(known[0]) != text else ""
        rows.append(Row(found.image, text, marks, f"{told}{size_text(found.all.high)}", first, f"n={found.all.n}"))
    caption = "Each time that the image was built or pulled, from the oldest to the newest; each line begins at zero."
    return plots.figure(plots.rows(rows), caption=caption)


def _bytes(run: Seen, image: str) -> int | None:
    found = run.layers.get(image)
    return found.size if found is not None and found.size is not None and found.size >= 0 else None


def crates(report: Report) -> Markup:
    """For each of the slowest crates a bar of its seconds."""
    found = report.crates.crates
    scale = plots.linear(max((one.seconds for one in found), default=0.0))
    rows = [
        Row(
            one_line(one.crate),
            seconds_text(one.seconds),
            [plots.bar(0, scale(one.seconds), "fill ours")],
            f"{one.crate} {one.version}: {seconds_text(one.seconds)}, {share_text(one.share)} of the cook",
            one_line(one.version),
            share_text(one.share),
        )
        for one in found
    ]
    caption = "Compiling and build script, in the latest build that compiled it; share of all that was compiled then."
    return plots.figure(plots.rows(rows, low=True), caption=caption)


def saved(report: Report) -> Markup:
    """For each kind of change a bar of what was saved, or lost."""
    found = report.saved.kinds if report.saved else ()
    most = max((abs(one.seconds) for one in found), default=0.0)
    lost = max((-one.seconds for one in found), default=0.0)
    scale = plots.linear(most, room=100.0 if lost <= 0 else 50.0)
    zero = 0.0 if lost <= 0 else 50.0
    rows = []
    for one in found:
        length = scale(abs(one.seconds))
        begin, kind = (zero, "ours") if one.seconds >= 0 else (zero - length, "others")
        told = f"{one.kind}: {signed_text(one.seconds)} saved in {one.runs} runs"
        marks = [plots.bar(begin, length, f"fill {kind}")]
        text = signed_text(one.seconds)
        rows.append(Row(PLAIN_WORDS[one.kind], text, marks, told, one.kind, f"n={one.runs}"))
    caption = "For each kind: runs × (median of the plain build minus median here)."
    return plots.figure(plots.rows(rows), caption=caption) if rows else Markup("")


def slowest(report: Report) -> Markup:
    """For each of the slowest builds a bar, and why it was made."""
    scale = plots.linear(max((one.seconds for one in report.slowest), default=0.0))
    return plots.figure(plots.rows([_slow(one, scale(one.seconds)) for one in report.slowest]))


def _slow(one: Slow, length: float) -> Row:
    why = reason_text(one.reasons)
    told = f"{one.layer}: {seconds_text(one.seconds)}, {when_text(one.at)}, {why}"
    marks = [plots.bar(0, length, "fill built")]
    small = when_text(one.at) if why == NOTHING else f"{when_text(one.at)}: {why}"
    return Row(one_line(one.layer), seconds_text(one.seconds), marks, told, small, long=True)
