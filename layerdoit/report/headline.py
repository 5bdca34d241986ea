"""What a reader should know first: how long an edit takes, beside what, and what that saved; each with n and how.

A figure is only said where at least three runs, or three builds of each way in a benchmark, support it. Pure.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from layerdoit.core.units import count_text
from layerdoit.report import comparison
from layerdoit.report.change_kinds import PLAIN_WORDS, Kind
from layerdoit.report.formats import LONG, date_text, seconds_text, share_text
from layerdoit.report.saved import COMMAND, PLAIN

if TYPE_CHECKING:
    from layerdoit.report.comparison import Compared
    from layerdoit.report.figures import Report
    from layerdoit.report.kind_figures import KindFigures
    from layerdoit.report.saved import Saved

ENOUGH: Final = 3
"""Runs without which nothing is said in front."""
_EDITS: Final[Sequence[Kind]] = ("leaf", "library", "files", "manifest", "dependency")
"""What people wait for, the most frequent thing first."""


@dataclass(frozen=True)
class Fact:
    """A figure: `words` say of what, `how` it was computed and of how many."""

    figure: str
    words: str
    how: str


@dataclass(frozen=True)
class Headline:
    """`parts`: a sentence, and which parts of it are figures; `missing`: what would say more."""

    parts: Sequence[tuple[str, bool]]
    facts: Sequence[Fact]
    missing: str = ""

    @property
    def text(self) -> str:
        """The sentence."""
        return "".join(text for text, _ in self.parts)


def headline(report: Report) -> Headline:
    """The sentence and its figures. A short history says that it is short."""
    edit = typical(report)
    if edit is None:
        return Headline(((_few(report), False),), tuple(_reused(report)), _missing(report, None))
    parts = [(f"{PLAIN_WORDS[edit.kind]} is in the image in ", False), (seconds_text(edit.ready.median), True)]
    facts = [_edit(edit)]
    if (found := report.compared.get(edit.kind)) and _often(found):
        said, word = comparison.figure(found.median, found.other)
        parts += [(", ", False), (said, True), (f" {word} {comparison.PEERS[found.peer]}", False)]
        facts.append(_beside(found, said))
    if report.saved is not None and counts(report.saved):
        facts.append(_saved(report, report.saved))
        compared = f" {facts[-1].words}, compared with {comparison.PEERS[PLAIN]}"
        parts += [("; ", False), (facts[-1].figure, True), (compared, False)]
    return Headline((*parts, (".", False)), (*facts, *_reused(report)), _missing(report, edit.kind))


def typical(report: Report) -> KindFigures | None:
    """The edit that people make, if enough of it is known."""
    known = {found.kind: found for found in report.kinds if found.ready.n >= ENOUGH}
    return next((known[kind] for kind in _EDITS if kind in known), None)


def _few(report: Report) -> str:
    if not report.runs:
        return "No runs yet: the next build is the first one here."
    runs = count_text(len(report.runs), "run")
    return f"{runs} so far. A figure stands here after {ENOUGH} edits of one kind."


def _often(found: Compared) -> bool:
    return min(found.n, found.n_other) >= ENOUGH


def counts(found: Saved) -> bool:
    """Whether enough was measured to say in front what was saved."""
    return found.runs >= ENOUGH and all(one.n_plain >= ENOUGH for one in found.kinds)


def _missing(report: Report, kind: Kind | None) -> str:
    """The command that would say more of the kind of change that the sentence is about."""
    if not report.runs:
        return ""
    found = next(iter(report.compared.values()), None) if kind is None else report.compared.get(kind)
    if found is None:
        return f"Nothing to compare with yet: `{COMMAND},mount` measures other ways to build this project."
    if not _often(found):
        return f"Other ways were measured fewer than {ENOUGH} times: `{COMMAND},mount` measures them often enough."
    if report.saved is None or not counts(report.saved):
        return f"What was saved is not known well enough yet: `{COMMAND}` measures plain builds."
    return ""


def _edit(found: KindFigures) -> Fact:
    words = PLAIN_WORDS[found.kind]
    how = f"Median of {found.ready.n} runs, from their start until the image was there."
    most = f" Nine in ten took at most {seconds_text(found.ready.p90)}."
    until = f"until {words[0].lower()}{words[1:]} is in the image"
    return Fact(seconds_text(found.ready.median), until, how + most)


def _beside(found: Compared, said: str) -> Fact:
    medians = f"{seconds_text(found.median)} (n={found.n}) against {seconds_text(found.other)} (n={found.n_other})"
    how = f"Medians of the same edit, side by side in the benchmark of {date_text(found.at)}: {medians}."
    return Fact(said, f"beside {comparison.PEERS[found.peer]}", f"{how} It was the fastest Dockerfile measured.")


def _saved(report: Report, found: Saved) -> Fact:
    how = f"{found.runs} runs: for each kind, runs × (median of the plain build minus median here)."
    at = f" The plain build was measured on {date_text(found.at)}."
    others = [
        f" Compared with {comparison.PEERS[peer]}: {seconds_text(abs(one.seconds))} {_verb(one)}, in {one.runs} runs."
        for peer, one in report.saved_by.items()
        if peer != PLAIN and one.kinds and counts(one)
    ]
    return Fact(seconds_text(abs(found.seconds)), f"{_verb(found)}{since(report)}", "".join((how, at, *others)))


def _verb(found: Saved) -> str:
    return "saved" if found.seconds >= 0 else "lost"


def _reused(report: Report) -> Iterator[Fact]:
    deps = next(found for found in report.layers if found.layer == "deps")
    if deps.hit_rate is not None and deps.n >= ENOUGH:
        hits = deps.counts["reused"] + deps.counts["pulled"]
        how = f"{hits} of {deps.n} recorded runs reused or pulled the deps layer."
        yield Fact(share_text(deps.hit_rate), "of runs compiled no dependency", how)


def since(report: Report) -> str:
    """When the recorded runs begin: ` since` a month of a long history, a day of a short one. Empty: not known."""
    moments = [run.at for run in report.runs if run.at is not None]
    if not moments:
        return ""
    if max(moments) - moments[0] < LONG:
        return f" since {date_text(moments[0])}"
    same = time.localtime(moments[0])[0] == time.localtime(max(moments))[0]
    return time.strftime(" since %B" if same else " since %B %Y", time.localtime(moments[0]))
