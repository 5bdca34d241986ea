"""The titles of the page: what its charts and tables show, in a plain sentence. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from layerdoit.core.units import size_text
from layerdoit.report.change_kinds import PLAIN_WORDS
from layerdoit.report.formats import median_text, one_line, seconds_text, share_text
from layerdoit.report.headline import ENOUGH, counts, since
from layerdoit.report.sections import Name, Section

if TYPE_CHECKING:
    from layerdoit.report.figures import Report
    from layerdoit.report.kind_figures import KindFigures
    from layerdoit.report.target_checks import Checked


_LITTLE: Final = 0.01
"""A share of a size that is not worth a word."""


def title(report: Report, section: Section) -> str:
    """Of a table of the report; its own title where there is nothing to say."""
    found = _FINDINGS.get(section.name)
    return (found(report) if found else "") or section.title


def of_targets(checked: Sequence[Checked]) -> str:
    """How many are met, and of how many nothing is known."""
    met, unknown = sum(one.met for one in checked), sum(one.value is None for one in checked)
    if met == len(checked):
        return "Every target is met" if met > 1 else "The target is met"
    if unknown == len(checked):
        return "Nothing is measured yet of the targets"
    told = f"; of {unknown}, nothing is measured yet" if unknown else ""
    return f"{met} of {len(checked)} targets {'is' if met == 1 else 'are'} met{told}"


def moved(found: KindFigures) -> str:
    """How the time of a kind of change moved."""
    name = PLAIN_WORDS[found.kind]
    if found.trend is None:
        return f"{name}: run by run"
    was, now = seconds_text(found.trend.older), seconds_text(found.trend.newer)
    if was == now:
        return f"{name}: {now}, as before"
    return f"{name}: {'down' if found.trend.newer < found.trend.older else 'up'} from {was} to {now}"


def _kinds(report: Report) -> str:
    by_kind = {found.kind: found for found in report.kinds if found.ready.n >= ENOUGH}
    named = [by_kind[kind] for kind in ("leaf", "library", "dependency", "toolchain") if kind in by_kind]
    if not named:
        return ""
    first, *others = [f"{PLAIN_WORDS[one.kind]} takes {seconds_text(one.ready.median)}" for one in named]
    shown = [first, *(f"{other[0].lower()}{other[1:].replace(' takes', '')}" for other in others[-1:])]
    return ", ".join(shown)


def _hits(report: Report) -> str:
    deps = next(found for found in report.layers if found.layer == "deps")
    if deps.n < ENOUGH:
        return ""
    return f"Dependencies were reused or pulled in {share_text(deps.hit_rate)} of {deps.n} runs"


def hits_moved(report: Report) -> str:
    """How the hit rate of deps moved."""
    trend = next(found for found in report.layers if found.layer == "deps").trend
    if trend is None:
        return "Hits over time"
    was, now = share_text(trend.older), share_text(trend.newer)
    return f"Dependencies: {now} hits, as before" if was == now else f"Dependencies: from {was} hits to {now}"


def _phases(report: Report) -> str:
    known = [name for name, found in report.phases.items() if found.n >= ENOUGH]
    if not known:
        return ""
    slowest = max(known, key=lambda name: report.phases[name].median)
    return f"Beside the layers, “{slowest}” takes longest: {seconds_text(report.phases[slowest].median)}"


def _saved(report: Report) -> str:
    if report.saved is None or not report.saved.kinds or not counts(report.saved):
        return ""
    verb = "saved" if report.saved.seconds >= 0 else "lost"
    return f"{seconds_text(abs(report.saved.seconds))} {verb}{since(report)}, compared with a plain Dockerfile"


def _sizes(report: Report) -> str:
    app = next((found for found in report.sizes if found.image == "app"), None)
    if app is None:
        return ""
    known = [run.layers["app"].size for run in report.runs if "app" in run.layers]
    first = next(size for size in known if size is not None and size >= 0)
    text = f"The app image is {size_text(app.newest)}"
    if app.all.n < ENOUGH or abs(app.newest - first) < _LITTLE * first:
        return text
    bigger = "bigger" if app.newest > first else "smaller"
    return f"{text}, {size_text(abs(app.newest - first))} {bigger} than at first"


def _slowest(report: Report) -> str:
    worst = report.slowest[0]
    return f"The slowest build of a layer took {seconds_text(worst.seconds)}: {one_line(worst.layer)}"


def _crates(report: Report) -> str:
    worst = report.crates.crates[0]
    return f"{one_line(worst.crate)} is the slowest dependency: {seconds_text(worst.seconds)}"


def _layers(report: Report) -> str:
    deps = next(found for found in report.layers if found.layer == "deps")
    if deps.cold is None or deps.warm is None:
        return ""
    cold, warm = median_text(deps.cold), median_text(deps.warm)
    return f"Dependencies from scratch take {cold}, on an earlier build {warm}"


_FINDINGS: Final[Mapping[Name, Callable[[Report], str]]] = {
    "hits": _hits,
    "kinds": _kinds,
    "saved": _saved,
    "layers": _layers,
    "phases": _phases,
    "sizes": _sizes,
    "slowest": _slowest,
    "crates": _crates,
}
