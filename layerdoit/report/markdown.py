"""The report for the job summary of a CI service."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from layerdoit.report.formats import heading
from layerdoit.report.sections import Section, sections

if TYPE_CHECKING:
    from layerdoit.report.figures import Report
    from layerdoit.report.target_checks import Checked


def page(report: Report, checked: Sequence[Checked]) -> str:
    """Headings and tables; ends with an empty line, so that another text can follow."""
    return text("Image layers", heading(report), sections(report, checked))


def text(title: str, lead: str, shown: Iterable[Section]) -> str:
    """A heading, a paragraph, and tables."""
    return "\n".join([f"## {_plain(title)}\n\n{_plain(lead)}\n", *map(_table, shown)]) + "\n"


def _table(section: Section) -> str:
    lines = [section.head, ["---"] * len(section.head), *section.rows] if section.rows else ()
    rows = "".join(f"| {' | '.join(map(_plain, line))} |\n" for line in lines)
    note = f"{_plain(section.note)}\n\n" if section.note else ""
    return f"### {_plain(section.title)}\n\n{note}{rows}"


def _plain(text: str) -> str:
    """Nothing in it is markdown or HTML, nor ends a cell."""
    return re.sub(r"([\\`*_\[\]<>|#~&])", r"\\\1", " ".join(text.split()))
