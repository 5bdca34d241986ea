"""From recorded runs to figures: hits per layer, seconds per kind of change, sizes, trend. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from layerdoit import deploy
from layerdoit.history import Figures, LayerRecord
from layerdoit.history.benchmarks import DOCKERFILES
from layerdoit.history.export import record_of
from layerdoit.history.medians import figures
from layerdoit.layers import reasons
from layerdoit.layers.key import IMAGES, ORDER
from layerdoit.report import saved
from layerdoit.report import slow_crates as crates
from layerdoit.report.change_kinds import MEANING, Kind, kind_of
from layerdoit.report.comparison import Compared, compared
from layerdoit.report.kind_figures import KindFigures, Trend
from layerdoit.report.plausible import duration, moment
from layerdoit.report.saved import Saved

if TYPE_CHECKING:
    from layerdoit.history.benchmarks import Recorded
    from layerdoit.history.crates import Crate
    from layerdoit.layers.reasons import Reason

Status = Literal["reused", "pulled", "built", "failed"]

STATUSES: Final[tuple[Status, ...]] = ("reused", "pulled", "built", "failed")
SLOWEST: Final = 8
HALF: Final = 3
"""Fewer measurements in a half say nothing of a trend."""


@dataclass(frozen=True)
class Seen:
    """A recorded run.

    `at`: seconds since 1970, None for what is no moment; `ready`: the run's seconds without those of the container, so
    until the image was ready; None: not measured.
    """

    at: float | None
    task: str
    outcome: str
    ready: float | None
    whole: float | None
    commit: str | None
    layers: Mapping[str, LayerRecord]
    phases: Mapping[str, float]
    kind: Kind | None
    """None for a run that did not go well."""
    crates: Sequence[Crate] = ()
    """The slowest external crates that it compiled for the deps layer."""

    def status(self, layer: str) -> Status | None:
        """What became of a layer (`base` is two images); None where the run did not come to it."""
        parts = [self.layers[name] for name in IMAGES[layer] if name in self.layers]
        if not parts:
            return None
        if any(part.outcome != "ok" for part in parts):
            return "failed"
        if any(part.action not in ("reuse", "pull") for part in parts):
            return "built"
        return "pulled" if any(part.action == "pull" for part in parts) else "reused"


@dataclass(frozen=True)
class LayerFigures:
    """A layer over all runs that came to it: how often each status; seconds of builds and pulls that went well.

    `shared`: how many of the compiled crates came by sccache, in builds that asked it.
    """

    layer: str
    counts: Mapping[Status, int]
    cold: Figures | None
    warm: Figures | None
    pull: Figures | None
    compiled: Figures | None
    shared: Figures | None
    trend: Trend | None

    @property
    def n(self) -> int:
        """Runs that came to this layer."""
        return sum(self.counts.values())

    @property
    def hit_rate(self) -> float | None:
        """The share of runs in which the layer was reused or pulled, 0 to 1; None without runs."""
        return (self.counts["reused"] + self.counts["pulled"]) / self.n if self.n else None


@dataclass(frozen=True)
class SizeFigures:
    """Bytes of an image, as they were recorded when it was built or pulled."""

    image: str
    newest: int
    all: Figures


@dataclass(frozen=True)
class Slow:
    """One build of a layer."""

    layer: str
    seconds: float
    at: float | None
    commit: str | None
    reasons: Sequence[Reason]


@dataclass(frozen=True)
class Report:
    """Everything that is shown. `elsewhere`: runs of other variants (profile and target), which count for nothing.

    `saved`: None where no plain build is recorded.
    """

    project: str
    variant: str
    runs: Sequence[Seen]
    elsewhere: int
    outcomes: Mapping[str, int]
    layers: Sequence[LayerFigures]
    kinds: Sequence[KindFigures]
    phases: Mapping[str, Figures]
    sizes: Sequence[SizeFigures]
    slowest: Sequence[Slow]
    crates: crates.Slowest
    saved: Saved | None
    compared: Mapping[Kind, Compared]
    """What the benchmark says of these kinds beside the best Dockerfile."""
    saved_by: Mapping[str, Saved]
    """By Dockerfile that was measured; `saved` is the one of the plain build."""


def make(project: str, variant: str, rows: Sequence[Mapping[str, Any]], recorded: Recorded | None = None) -> Report:
    """`rows`: runs as `history.export.as_json` gives them, oldest first; `recorded`: the variant's benchmark."""
    # Those of services go on behind it.
    runs = [_seen(row) for row in rows if f"{row['variant']}/".startswith(f"{variant}/")]
    outcomes: dict[str, int] = {}
    for run in runs:
        outcomes[run.outcome] = outcomes.get(run.outcome, 0) + 1
    kinds = tuple(found for kind in MEANING if (found := _kind(kind, runs)) is not None)
    return Report(
        project,
        variant,
        runs,
        len(rows) - len(runs),
        outcomes,
        tuple(_layer(name, runs) for name in IMAGES),
        kinds,
        _phases(runs),
        tuple(size for image in ORDER if (size := _size(image, runs)) is not None),
        _slowest(runs),
        crates.slowest([run.crates for run in runs]),
        saved.saved(kinds, recorded),
        {kind: one for kind, name in saved.SCENARIOS.items() if (one := compared(recorded, name)) is not None},
        {peer: by for peer in DOCKERFILES if (by := saved.saved(kinds, recorded, peer)) is not None},
    )


def _seen(row: Mapping[str, Any]) -> Seen:
    layers = {name: record_of(layer) for name, layer in row["layers"].items()}
    phases = {name: spent for name, seconds in row["phases"].items() if (spent := duration(seconds)) is not None}
    whole = duration(row["seconds"])
    container = sum(phases.get(name, 0.0) for name in deploy.phases())
    return Seen(
        moment(row["at"]),
        row["task"],
        row["outcome"],
        None if whole is None else max(0.0, whole - container),
        whole,
        row["git_commit"],
        layers,
        phases,
        kind_of(layers) if row["outcome"] == "ok" else None,
        crates.cooked(row["crates"]),
    )


def _layer(layer: str, runs: Sequence[Seen]) -> LayerFigures:
    counts: dict[Status, int] = dict.fromkeys(STATUSES, 0)
    hits: list[float] = []
    spent: dict[str, list[float]] = {"cold": [], "warm": [], "pull": []}
    compiled: list[float] = []
    shared: list[float] = []
    for run in runs:
        status = run.status(layer)
        if status is None:
            continue
        counts[status] += 1
        hits.append(float(status in ("reused", "pulled")))
        parts = [run.layers[name] for name in IMAGES[layer] if name in run.layers]
        done = [part for part in parts if part.action != "reuse"]
        seconds = duration(sum(part.seconds for part in done))
        if status in ("built", "pulled") and seconds is not None:
            cold = all(part.cold for part in done)
            spent["pull" if status == "pulled" else "cold" if cold else "warm"].append(seconds)
        if status == "built":
            compiled += [part.compiled for part in done if part.compiled is not None]
            shared += [part.shared for part in done if part.shared is not None]
    return LayerFigures(
        layer,
        counts,
        figures(spent["cold"]),
        figures(spent["warm"]),
        figures(spent["pull"]),
        figures(compiled),
        figures(shared),
        _trend(hits, share=True),
    )


def _kind(kind: Kind, runs: Sequence[Seen]) -> KindFigures | None:
    mine = [run for run in runs if run.kind == kind]
    spent = [run.ready for run in mine if run.ready is not None]
    ready = figures(spent)
    if ready is None:
        return None
    deployed = [run for run in mine if any(name in run.phases for name in deploy.phases())]
    whole = figures([run.whole for run in deployed if run.whole is not None])
    return KindFigures(kind, ready, whole, _trend(spent))


def _trend(values: Sequence[float], *, share: bool = False) -> Trend | None:
    half = len(values) // 2
    older, newer = values[:half], values[half:]
    if half < HALF:
        return None
    if share:
        return Trend(sum(older) / len(older), sum(newer) / len(newer), len(older), len(newer))
    was, now = figures(older), figures(newer)
    assert was is not None and now is not None  # noqa: S101, PT018 - neither half is empty
    return Trend(was.median, now.median, was.n, now.n)


def _phases(runs: Sequence[Seen]) -> dict[str, Figures]:
    good = [run for run in runs if run.outcome == "ok"]
    found = {name: figures(_of_phase(good, name)) for name in ("plan", *deploy.phases())}
    return {name: known for name, known in found.items() if known is not None}


def _of_phase(runs: Iterable[Seen], name: str) -> list[float]:
    return [run.phases[name] for run in runs if name in run.phases]


def _size(image: str, runs: Sequence[Seen]) -> SizeFigures | None:
    sizes = sizes_of(image, runs)
    spread = figures(sizes)
    return None if spread is None else SizeFigures(image, sizes[-1], spread)


def sizes_of(image: str, runs: Sequence[Seen]) -> list[int]:
    """Bytes of an image, each time that it was built or pulled, oldest first."""
    records = [run.layers[image] for run in runs if image in run.layers]
    return [record.size for record in records if record.size is not None and record.size >= 0]


def _slowest(runs: Sequence[Seen]) -> tuple[Slow, ...]:
    builds = [
        Slow(layer.layer, layer.seconds, run.at, run.commit, layer.reasons)
        for run in runs
        for layer in run.layers.values()
        if layer.action not in ("reuse", "pull") and layer.outcome == "ok" and duration(layer.seconds) is not None
    ]
    return tuple(sorted(builds, key=lambda build: -build.seconds)[:SLOWEST])


# --- for other programs ----------------------------------------------------------------------------------------------


def as_json(report: Report) -> dict[str, Any]:
    """The documented form."""
    return {
        "project": report.project,
        "variant": report.variant,
        "runs": len(report.runs),
        "runs_of_other_variants": report.elsewhere,
        "from": report.runs[0].at if report.runs else None,
        "to": report.runs[-1].at if report.runs else None,
        "outcomes": dict(report.outcomes),
        "layers": {
            found.layer: {
                "n": found.n,
                "hit_rate": found.hit_rate,
                **found.counts,
                "cold_seconds": _json(found.cold),
                "warm_seconds": _json(found.warm),
                "pull_seconds": _json(found.pull),
                "compiled": _json(found.compiled),
                "shared": _json(found.shared),
                "hit_rate_trend": _json(found.trend),
            }
            for found in report.layers
        },
        "kinds": {
            found.kind: {"seconds": _json(found.ready), "run_seconds": _json(found.whole), "trend": _json(found.trend)}
            for found in report.kinds
        },
        "phases": {name: _json(found) for name, found in report.phases.items()},
        "sizes": {found.image: {"newest": found.newest, "bytes": _json(found.all)} for found in report.sizes},
        "slowest": [_slow(build) for build in report.slowest],
        "slowest_crates": crates.as_json(report.crates),
        "saved": saved.as_json(report.saved),
        "saved_by": {peer: saved.as_json(one) for peer, one in report.saved_by.items()},
        "compared": {kind: one.as_json() for kind, one in report.compared.items()},
    }


def _slow(found: Slow) -> dict[str, Any]:
    return {**vars(found), **reasons.documented(found.reasons)}


def _json(found: Figures | Trend | None) -> dict[str, float] | None:
    return None if found is None else found._asdict()
