"""The report for the job summary of a CI service."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from layerdoit.report.formats import heading
from layerdoit.report.headline import headline
from layerdoit.report.sections import Section, sections

if TYPE_CHECKING:
    from layerdoit.report.figures import Report
    from layerdoit.report.target_checks import Checked


def page(report: Report, checked: Sequence[Checked]) -> str:
    """Headings and tables; ends with an empty line, so that another text can follow."""
    first = headline(report)
    return text("Image layers", first.text, sections(report, checked), heading(report))


def text(title: str, first: str, shown: Iterable[Section], about: str) -> str:
    """A heading, what to know first, what it is about, and tables."""
    paragraphs = [f"## {_plain(title)}", f"**{_plain(first)}**", _plain(about)]
    return "\n".join(["\n\n".join(paragraphs) + "\n", *map(_table, shown)]) + "\n"


def _table(section: Section) -> str:
    lines = [section.head, ["---"] * len(section.head), *section.rows] if section.rows else ()
    rows = "".join(f"| {' | '.join(map(_plain, line))} |\n" for line in lines)
    note = f"{_plain(section.note)}\n\n" if section.note else ""
    return f"### {_plain(section.title)}\n\n{note}{rows}"


def _plain(text: str) -> str:
    """Nothing in it is markdown or HTML, nor ends a cell."""
    return re.sub(r"([\\`*_\[\]<>|#~&])", r"\\\1", " ".join(text.split()))
