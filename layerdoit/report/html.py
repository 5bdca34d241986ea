"""The report as one page: no script, nothing from elsewhere; light or dark as the reader has it, and printable."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from layerdoit.report import charts, findings, periods
from layerdoit.report.formats import NOTHING, heading
from layerdoit.report.headline import Fact, Headline, headline, typical
from layerdoit.report.markup import Markup, coded, element
from layerdoit.report.sections import NUMBERS, Name, Section, sections
from layerdoit.report.style import STYLE

if TYPE_CHECKING:
    from layerdoit.report.figures import Report
    from layerdoit.report.target_checks import Checked

_CHARTS: Final[Mapping[Name, tuple[Callable[[Report], Markup], ...]]] = {
    "hits": (charts.hits,),
    "kinds": (charts.kinds,),
    "saved": (charts.saved,),
    "sizes": (charts.sizes,),
    "slowest": (charts.slowest,),
    "crates": (charts.crates,),
}
_WIDE: Final = ("kinds",)
_RESULTS: Final = ("met", "missed", "no data")
_WORDS: Final = ("what", "why")
"""Columns of text, which may be broken into lines."""
_UNIT: Final = re.compile(r"(\d) (s|min|h)\b")
"""A number and its unit stay on one line."""
_NOTHING_ELSE: Final = "default-src 'none'; style-src 'unsafe-inline'"
COUNTED: Final = (
    "Counted from the runs that were recorded in this checkout. A run with nothing to do is not recorded: it writes "
    "nothing and costs nothing. n is the number of measurements; p90 is what nine runs in ten do not exceed."
)


@dataclass(frozen=True)
class Block:
    """A part of a page: what it says, charts, and the table behind them, which is open where there is no chart."""

    title: str
    note: str = ""
    drawn: Sequence[Markup] = ()
    table: Section | None = None
    wide: bool = False
    listed: Sequence[str] = ()


def page(report: Report, checked: Sequence[Checked]) -> str:
    """The whole document."""
    first = headline(report)
    blocks = list(_blocks(report, checked))
    return document(f"Image layers of {report.project}", heading(report), first, blocks, COUNTED)


def _blocks(report: Report, checked: Sequence[Checked]) -> Iterable[Block]:
    for section in sections(report, checked):
        if not section.rows:
            # The headline says what to measure.
            continue
        if section.name == "targets":
            yield Block(findings.of_targets(checked), "", [_goals(checked)], section, wide=True)
            continue
        drawn = [drawing for chart in _CHARTS.get(section.name, ()) if (drawing := chart(report))]
        yield Block(findings.title(report, section), section.note, drawn, section, section.name in _WIDE)
        if section.name == "kinds" and (found := typical(report)) is not None:
            table = periods.of_kind(report, found.kind)
            yield from _drawn(findings.moved(found), charts.over_time(report, found.kind), table, wide=True)
        if section.name == "hits":
            yield from _drawn(findings.hits_moved(report), charts.hits_over_time(report), periods.of_hits(report))


def _drawn(title: str, drawing: Markup, table: Section, *, wide: bool = False) -> Iterable[Block]:
    """A chart more of what a table above tells; none where there is nothing to draw."""
    if drawing:
        yield Block(title, "", [drawing], table, wide)


def _goals(checked: Sequence[Checked]) -> Markup:
    """Each target: what was measured, what is wanted, and whether that is met."""
    return element(
        "ul",
        *(
            element(
                "li",
                element("span", element("bdi", one.target.name)),
                element("b", NOTHING if one.value is None else one.measured),
                element("small", f"wanted {one.written.strip()}, n={one.n}"),
                element("span", one.result, class_=f"verdict {one.result.replace(' ', '-')}"),
                class_=one.result.replace(" ", "-"),
            )
            for one in checked
        ),
        class_="goals",
    )


def document(title: str, lead: str, first: Headline, blocks: Sequence[Block], foot: str) -> str:
    """A page of a headline, its figures, and blocks."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_NOTHING_ELSE),
        element("title", title),
        element("style", Markup(STYLE)),
    )
    words = (element("strong", text) if figure else coded(text) for text, figure in first.parts)
    header = element(
        "header",
        element("h1", element("bdi", title)),
        element("p", lead),
        element("p", *words, class_="headline"),
        element("p", coded(first.missing), class_="missing") if first.missing else "",
        element("dl", *map(_fact, first.facts), class_="facts") if first.facts else "",
    )
    body = element("body", header, element("main", *map(_block, blocks)), element("footer", element("p", foot)))
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _fact(fact: Fact) -> Markup:
    return element(
        "div",
        element("dt", coded(fact.words)),
        element("dd", fact.figure, class_="figure"),
        element("dd", _UNIT.sub("\\1\N{NO-BREAK SPACE}\\2", fact.how), class_="how"),
        class_="fact",
    )


def _block(block: Block) -> Markup:
    note: str = element("p", coded(_sentence(block.note)), class_="note") if block.note else ""
    listed = element("ul", *(element("li", text) for text in block.listed), class_="plain") if block.listed else ""
    table = _table(block.table) if block.table is not None and block.table.rows else ""
    if table and block.drawn:
        # A chart says itself how it is to be read; the note tells of the table's columns.
        table, note = element("details", element("summary", "The numbers as a table"), note, table), ""
    kind = "wide" if block.wide else "block"
    return element("section", element("h2", block.title), note, *block.drawn, listed, table, class_=kind)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _table(section: Section) -> Markup:
    # Narrow screens show each row as a list, which takes the table's meaning away from all but these roles.
    head = (element("th", name, scope="col", role="columnheader", class_=_class(name)) for name in section.head)
    rows = (element("tr", *_cells(section.head, row), role="row") for row in section.rows)
    table = element(
        "table",
        element("caption", section.title),
        element("thead", element("tr", *head, role="row"), role="rowgroup"),
        element("tbody", *rows, role="rowgroup"),
        role="table",
    )
    return element("div", table, class_="table", role="region", aria_label=section.title, tabindex="0")


def _cells(head: Sequence[str], row: Sequence[str]) -> Iterable[Markup]:
    """The first names the row."""
    yield element("th", element("bdi", row[0]), scope="row", role="rowheader")
    for column, text in zip(head[1:], row[1:], strict=True):
        kind = f"verdict {text.replace(' ', '-')}" if text in _RESULTS else "text"
        yield element("td", element("span", text, class_=kind), role="cell", class_=_class(column), data_label=column)


def _class(column: str) -> str:
    return "number" if column in NUMBERS else "words" if column in _WORDS else "plain"
