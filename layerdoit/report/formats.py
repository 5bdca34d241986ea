"""Words and numbers that terminal, page and markdown share."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from layerdoit.core.units import count_text, duration_text
from layerdoit.history import Figures
from layerdoit.layers.reasons import Reason, sentences
from layerdoit.report.figures import Report
from layerdoit.report.kind_figures import Trend

NO_RUNS = "no runs yet"
NOTHING = "-"
LONG: Final = 60.0 * 86_400
"""Seconds from which on a history is told by months, not by days."""
_DAYS: Final = 4 * 86_400
_MINUTES: Final = 600


_TEN_MINUTES: Final = 599.5
_HOURS: Final = 7170.0
"""Seconds from which on hours are easier to read than minutes."""


def seconds_text(seconds: float) -> str:
    """Hundredths below one second; whole minutes from ten on, and hours from two on: nothing is known to the second."""
    if seconds >= _HOURS:
        hours = seconds / 3600
        return f"{hours:.1f} h" if hours < 9.95 else f"{hours:,.0f} h"
    if seconds >= _TEN_MINUTES:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.2f} s" if seconds < 0.995 else duration_text(seconds)


def signed_text(seconds: float) -> str:
    """A difference; less than nothing with a minus."""
    return f"-{seconds_text(-seconds)}" if seconds < 0 else seconds_text(seconds)


def when_text(at: float | None) -> str:
    """A moment in local time."""
    return NOTHING if at is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def date_text(at: float) -> str:
    """`5 March 2026`, in local time."""
    return time.strftime("%d %B %Y", time.localtime(at)).lstrip("0")


def span_dates(begin: float, end: float) -> tuple[str, ...]:
    """The labels of a scale of time: its begin, its middle and its end; only what tells them apart."""
    form = "%d %b %Y" if end - begin > _DAYS else "%d %b %H:%M" if end - begin > _MINUTES else "%H:%M:%S"
    moments = (begin, (begin + end) / 2, end) if end > begin else (begin,)
    return tuple(time.strftime(form, time.localtime(at)).lstrip("0") for at in moments)


def one_line(text: str) -> str:
    """Without line breaks and control characters, which a terminal would obey."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def commit_text(commit: str | None) -> str:
    """Its first digits."""
    return NOTHING if commit is None else one_line(commit)[:9]


def share_text(share: float | None) -> str:
    """Per cent."""
    return NOTHING if share is None else f"{share:.0%}"


def median_text(found: Figures | None) -> str:
    """`1.4 s (n=31)`."""
    return NOTHING if found is None else f"{seconds_text(found.median)} (n={found.n})"


def trend_text(found: Trend | None, show: Callable[[float], str] = seconds_text) -> str:
    """`2.0 s → 1.4 s (n=15, 16)`."""
    if found is None:
        return NOTHING
    return f"{show(found.older)} → {show(found.newer)} (n={found.n_older}, {found.n_newer})"


def heading(report: Report) -> str:
    """What the figures are of."""
    if not report.runs:
        return f"{one_line(report.project)}, {one_line(report.variant)}: {NO_RUNS}{_elsewhere(report)}"
    begin, end = when_text(report.runs[0].at), when_text(report.runs[-1].at)
    between = begin if begin == end else f"{begin} to {end}"
    ended = ", ".join(f"{number} {one_line(outcome)}" for outcome, number in report.outcomes.items())
    count = count_text(len(report.runs), "recorded run")
    return f"{one_line(report.project)}, {one_line(report.variant)}: {count} ({ended}), {between}{_elsewhere(report)}"


def _elsewhere(report: Report) -> str:
    return f"; {report.elsewhere} of other profiles or targets not counted" if report.elsewhere else ""


def reason_text(found: Sequence[Reason]) -> str:
    """The first reason, and how many more."""
    if not found:
        return NOTHING
    said = sentences(found)
    more = f" (and {len(said) - 1} more)" if len(said) > 1 else ""
    return f"{one_line(said[0])}{more}"
