"""Everything that a check-up said: for people, for programs, and as an exit code."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from layerdoit.core.units import count_text
from layerdoit.doctor.finding import LEVELS, Fact, Finding, Item, Level, Unchecked

WIDTH = 110
WARNINGS = 2
"""The exit code for warnings, where they are asked for."""


@dataclass(frozen=True)
class Report:
    """What was found, worst first."""

    findings: tuple[Finding, ...]
    facts: tuple[Fact, ...]
    unchecked: tuple[Unchecked, ...]

    def count(self, level: Level) -> int:
        """How many findings are of a level."""
        return sum(finding.level == level for finding in self.findings)

    def exit_code(self, *, strict: bool) -> int:
        """1: errors. 2: warnings, if `strict`. 0: nothing, or hints only."""
        if self.count("error"):
            return 1
        return WARNINGS if strict and self.count("warning") else 0

    def as_json(self) -> dict[str, Any]:
        """The report as one object."""
        return {
            "findings": [asdict(finding) for finding in self.findings],
            "not_checked": [asdict(item) for item in self.unchecked],
            "facts": {fact.name: fact.value for fact in self.facts},
            "errors": self.count("error"),
            "warnings": self.count("warning"),
            "hints": self.count("hint"),
        }

    def lines(self) -> list[str]:
        """The report for people."""
        width = max((len(fact.name) for fact in self.facts), default=0)
        out = [f"{fact.name:<{width}}  {fact.value}" for fact in self.facts]
        out += [f"not checked: {item.what}: {item.why}" for item in self.unchecked]
        for finding in self.findings:
            out += ["", *_told(finding)]
        return [*out, "", self.summary()]

    def summary(self) -> str:
        """The last line."""
        counts = [(self.count(level), level) for level in LEVELS]
        told = ", ".join(count_text(count, level) for count, level in counts if count)
        if not told:
            return "No problems found."
        if not self.count("error") and not self.count("warning"):
            return f"No errors or warnings; {told}."
        return f"{told[0].upper()}{told[1:]}."


def _told(finding: Finding) -> list[str]:
    where = f"{finding.where}: " if finding.where else ""
    head = textwrap.wrap(
        f"{finding.level}: {where}{finding.what} [{finding.id}]", WIDTH, subsequent_indent="  ", break_on_hyphens=False
    )
    rest = []
    for label, text in (("why", finding.why), ("fix", finding.fix)):
        first, *more = text.splitlines() or [""]
        rest += textwrap.wrap(f"  {label}: {first}", WIDTH, subsequent_indent="       ", break_on_hyphens=False)
        rest += [f"       {line}" for line in more]
    return [*head, *rest]


def report(items: Iterable[Item]) -> Report:
    """Sort what the checks said."""
    everything = list(items)
    findings = [item for item in everything if isinstance(item, Finding)]
    findings.sort(key=lambda finding: LEVELS.index(finding.level))
    facts = tuple(item for item in everything if isinstance(item, Fact))
    unchecked = tuple(dict.fromkeys(item for item in everything if isinstance(item, Unchecked)))
    return Report(tuple(dict.fromkeys(findings)), facts, unchecked)
