"""The report as tables of text, which every view shows in its own way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from layerdoit.core.units import size_text
from layerdoit.history import Figures
from layerdoit.history.crates import KEPT
from layerdoit.layers.key import IMAGES
from layerdoit.report.change_kinds import MEANING
from layerdoit.report.figures import LayerFigures, Report
from layerdoit.report.formats import (
    NOTHING,
    commit_text,
    median_text,
    one_line,
    reason_text,
    seconds_text,
    share_text,
    signed_text,
    trend_text,
    when_text,
)
from layerdoit.report.saved import COMMAND

if TYPE_CHECKING:
    from layerdoit.report.saved import Saved
    from layerdoit.report.target_checks import Checked

Name = Literal["targets", "hits", "kinds", "saved", "layers", "phases", "sizes", "slowest", "crates", "bench", "moved"]

NUMBERS: Final = frozenset(
    [
        *("n", "reused", "pulled", "built", "failed", "hit rate", "median", "p90", "took", "newest", "least", "most"),
        *("share", "cooks", "runs", "saved", "from scratch", "on an earlier one", "crates compiled", "plain build"),
        *("here", *(f"{layer} hits" for layer in IMAGES)),
    ]
)
"""Columns that are read from the right."""


@dataclass(frozen=True)
class Section:
    """A table. `name`: which; `note`: what its figures are; `rows`: as long as `head`; none: the note says it all."""

    name: Name
    title: str
    note: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def sections(report: Report, checked: Sequence[Checked] = ()) -> Iterator[Section]:
    """Tables that have something to say. The targets come first."""
    for section in (_targets(checked), *_of(report)):
        if section.rows or section.name == "saved":
            yield section


def _of(report: Report) -> Iterator[Section]:
    if not report.runs:
        return
    yield _hits(report)
    yield _kinds(report)
    yield _saved(report.saved)
    yield _layers(report)
    yield Section(
        "phases",
        "Phases outside the layers",
        "of successful runs",
        ("phase", "median", "p90", "range", "n"),
        [(name, *_spread(found)) for name, found in report.phases.items()],
    )
    yield Section(
        "sizes",
        "Sizes of images",
        "as they were when built or pulled",
        ("image", "newest", "least", "most", "n"),
        [
            (one.image, size_text(one.newest), size_text(one.all.low), size_text(one.all.high), str(one.all.n))
            for one in report.sizes
        ],
    )
    yield Section(
        "slowest",
        "Slowest builds of a layer",
        "",
        ("layer", "took", "when", "commit", "why"),
        [
            (
                one_line(one.layer),
                seconds_text(one.seconds),
                when_text(one.at),
                commit_text(one.commit),
                reason_text(one.reasons),
            )
            for one in report.slowest
        ],
    )
    yield _crates(report)


def _targets(checked: Sequence[Checked]) -> Section:
    rows = [(one.target.name, one.written.strip(), one.measured, str(one.n), one.result) for one in checked]
    return Section("targets", "Targets", "", ("target", "wanted", "measured", "n", "result"), rows)


def _hits(report: Report) -> Section:
    return Section(
        "hits",
        "Hits per layer",
        "of the recorded runs that reached the layer; runs with nothing to do are not recorded",
        ("layer", "hit rate", "n", "reused", "pulled", "built", "failed", "older → newer half"),
        [
            (
                found.layer,
                share_text(found.hit_rate),
                *map(str, (found.n, *found.counts.values())),
                trend_text(found.trend, share_text),
            )
            for found in report.layers
        ],
    )


def _kinds(report: Report) -> Section:
    return Section(
        "kinds",
        "Time per kind of change",
        "from the start of the run until the image was ready; whole run: including the container, if one was started",
        ("kind", "what", "median", "p90", "range", "n", "whole run", "older → newer half"),
        [
            (found.kind, MEANING[found.kind], *_spread(found.ready), median_text(found.whole), trend_text(found.trend))
            for found in report.kinds
        ],
    )


def _saved(found: Saved | None) -> Section:
    title = "Saved compared with a plain build"
    head = ("kind", "runs", "plain build", "here", "saved")
    if found is None:
        return Section("saved", title, f"no plain build is recorded; `{COMMAND}` measures one", head, ())
    left = ", ".join(f"{kind} {runs}" for kind, runs in found.left_out.items())
    note = f"runs times the difference of the medians; the plain build was measured {when_text(found.at)}"
    note += f"; not counted, because no counterpart was measured: {left}" if left else ""
    rows = [
        (
            one.kind,
            str(one.runs),
            f"{seconds_text(one.plain)} (n={one.n_plain})",
            f"{seconds_text(one.median)} (n={one.runs})",
            signed_text(one.seconds),
        )
        for one in found.kinds
    ]
    together = ("together", str(found.runs), "", "", signed_text(found.seconds))
    return Section("saved", title, note, head, [*rows, together] if rows else ())


def _crates(report: Report) -> Section:
    rows = [
        (one_line(one.crate), one_line(one.version), seconds_text(one.seconds), share_text(one.share), str(one.cooks))
        for one in report.crates.crates
    ]
    return Section(
        "crates",
        "Slowest crates of cooks",
        "compiling and build script, in the latest cook that compiled it; share of that cook's compiling; "
        f"cooks: in how many of {report.crates.cooks} it was among the {KEPT} slowest",
        ("crate", "version", "took", "share", "cooks"),
        rows,
    )


def _layers(report: Report) -> Section:
    return Section(
        "layers",
        "Time per layer",
        "medians of successful builds and pulls; from scratch: nothing of an earlier build could be reused",
        ("layer", "from scratch", "on an earlier one", "pulled", "crates compiled"),
        [_layer(found) for found in report.layers if found.cold or found.warm or found.pull],
    )


def _layer(found: LayerFigures) -> tuple[str, ...]:
    crates = NOTHING if found.compiled is None else f"{found.compiled.median:g} (n={found.compiled.n})"
    if found.shared is not None:
        crates += f", {found.shared.median:g} by sccache (n={found.shared.n})"
    return (found.layer, *map(median_text, (found.cold, found.warm, found.pull)), crates)


def _spread(found: Figures) -> tuple[str, str, str, str]:
    between = f"{seconds_text(found.low)} to {seconds_text(found.high)}"
    return seconds_text(found.median), seconds_text(found.p90), between, str(found.n)
