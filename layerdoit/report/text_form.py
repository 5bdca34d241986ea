"""The report for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from layerdoit.report.formats import heading
from layerdoit.report.headline import headline
from layerdoit.report.sections import NUMBERS, Section, sections

if TYPE_CHECKING:
    from typing import TextIO

    from rich.console import Console

    from layerdoit.report.figures import Report
    from layerdoit.report.target_checks import Checked

WIDTH: Final = 140
"""Columns where the output is no terminal."""
_STYLES: Final = {"met": "green", "missed": "bold red", "no data": "yellow"}


def show(report: Report, checked: Sequence[Checked], out: TextIO | None = None) -> None:
    """Print the report as tables."""
    lead = f"{headline(report).text}\n\n{heading(report)}" if report.runs else heading(report)
    show_sections(lead, sections(report, checked), out)


def show_sections(lead: str, shown: Iterable[Section], out: TextIO | None = None) -> None:
    """Print a line, and tables below it."""
    from rich.console import Console

    stream = out or sys.stdout
    console = Console(file=stream, width=None if stream.isatty() else WIDTH, highlight=False)
    # Where nobody reads on, rich would end the program with an exit code of its own.
    with console.capture() as printed:
        _print(console, lead, shown)
    stream.write(printed.get())


def _print(console: Console, lead: str, shown: Iterable[Section]) -> None:
    from rich.table import Table
    from rich.text import Text

    console.print(Text(lead))
    for section in shown:
        console.print()
        if not section.rows:
            console.print(Text(f"{section.title}: {section.note}"))
            continue
        table = Table(title=Text(section.title), caption=Text(section.note), title_justify="left", box=None)
        table.caption_justify = "left"
        for name in section.head:
            table.add_column(Text(name, "bold"), justify="right" if name in NUMBERS else "left")
        for row in section.rows:
            # Not plain text, in which rich would see markup.
            table.add_row(*(Text(cell, _STYLES.get(cell, "")) for cell in row))
        console.print(table)
