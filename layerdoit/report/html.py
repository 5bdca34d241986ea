"""The report as one page: no script, nothing from elsewhere; light or dark as the reader has it, and printable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from layerdoit.report import charts
from layerdoit.report.formats import heading
from layerdoit.report.markup import Markup, element
from layerdoit.report.sections import NUMBERS, Name, Section, sections

if TYPE_CHECKING:
    from layerdoit.report.figures import Report
    from layerdoit.report.target_checks import Checked

_LIGHT: Final = """--text: #1f2328; --soft: #59636e; --line: #d1d9e0; --back: #ffffff; --c1: #0969da; --c2: #8250df;
  --c3: #bc4c00; --c4: #cf222e; --c5: #1a7f37; --c6: #9a6700; --c7: #57606a; --c8: #bf3989;"""
_DARK: Final = """--text: #f0f6fc; --soft: #9198a1; --line: #3d444d; --back: #0d1117; --c1: #4493f8; --c2: #ab7df8;
  --c3: #db6d28; --c4: #f85149; --c5: #3fb950; --c6: #d29922; --c7: #9198a1; --c8: #db61a2;"""
_THEMES: Final = f"""
:root {{ color-scheme: light dark; {_LIGHT} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_DARK} }} }}
@media print {{ :root {{ color-scheme: light; {_LIGHT} }} }}
"""
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); margin: 0 auto;
  padding: 1.5rem; max-width: 62rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .3rem; }
p { color: var(--soft); margin: .2rem 0 .8rem; }
.wide-table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  white-space: nowrap; }
.number { text-align: right; } .words { white-space: normal; overflow-wrap: anywhere; min-width: 12rem; }
figure { margin: 1rem 0; overflow-x: auto; } figcaption { color: var(--soft); font-size: .85rem; }
svg { width: 100%; height: auto; min-width: 36rem; max-width: 45rem; display: block; }
svg text { font: 12px system-ui, sans-serif; fill: var(--text); }
svg .label { text-anchor: end; } svg .middle { text-anchor: middle; } svg .end { text-anchor: end; }
svg .tick { fill: var(--soft); } svg .grid { stroke: var(--line); stroke-width: 1; }
svg .fill { fill: var(--c); } svg .stroke { stroke: var(--c); stroke-width: 2; fill: none; }
svg .wide { stroke-width: 4; } svg polyline.deps { stroke-dasharray: 8 3; } svg polyline.app { stroke-dasharray: 3 3; }
.legend { font-size: .85rem; } .entry { margin-right: 1rem; white-space: nowrap; }
.key { display: inline-block; width: .75em; height: .75em; border-radius: 2px; background: var(--c); }
.reused, .leaf, .app { --c: var(--c5); } .pulled, .library, .deps { --c: var(--c1); }
.built, .dependency, .base { --c: var(--c3); } .failed { --c: var(--c4); } .runtime, .manifest { --c: var(--c2); }
.toolchain { --c: var(--c4); } .files { --c: var(--c6); } .nothing { --c: var(--c8); } .other { --c: var(--c7); }
.layerdoit { --c: var(--c5); } .plain { --c: var(--c4); } .mount { --c: var(--c1); } .chef { --c: var(--c3); }
.native { --c: var(--c7); }
.met { color: var(--c5); } .missed { color: var(--c4); font-weight: 600; } .no-data { color: var(--c6); }
@media (max-width: 40rem) { body { padding: .8rem; } th, td { padding-right: .6rem; } }
@media print { body { padding: 0; max-width: none; }
  figure, tr { break-inside: avoid; } h2, h2 + p { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } .wide-table, figure { overflow: visible; }
  table { font-size: .8rem; } th, td { white-space: normal; } td.number { white-space: nowrap; }
  .words { min-width: 0; } }
"""
_CHARTS: Final[Mapping[Name, tuple[Callable[[Report], Markup], ...]]] = {
    "hits": (charts.hits, charts.hits_over_time),
    "kinds": (charts.kinds, charts.over_time),
    "sizes": (charts.sizes,),
    "crates": (charts.crates,),
}
_RESULTS: Final = ("met", "missed", "no data")
_WORDS: Final = ("what", "why")
"""Columns of text, which may be broken into lines."""
_NOTHING_ELSE: Final = "default-src 'none'; style-src 'unsafe-inline'"


def page(report: Report, checked: Sequence[Checked]) -> str:
    """The whole document."""
    shown = sections(report, checked)
    drawn = ((section, [chart(report) for chart in _CHARTS.get(section.name, ())]) for section in shown)
    return document(f"Image layers of {report.project}", heading(report), drawn)


def document(title: str, lead: str, shown: Iterable[tuple[Section, Sequence[Markup]]]) -> str:
    """A page of a heading, a paragraph, and tables, each with its charts."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_NOTHING_ELSE),
        element("title", title),
        element("style", Markup(_THEMES + _STYLE)),
    )
    body = element(
        "body",
        element("h1", title),
        element("p", lead),
        *(_section(section, drawn) for section, drawn in shown),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _section(section: Section, drawn: Sequence[Markup]) -> Markup:
    rows = (element("tr", *map(_cell, section.head, row)) for row in section.rows)
    table = element(
        "table",
        element(
            "thead", element("tr", *(element("th", name, scope="col", class_=_class(name)) for name in section.head))
        ),
        element("tbody", *rows),
    )
    note = element("p", section.note) if section.note else Markup("")
    shown = element("div", table, class_="wide-table") if section.rows else Markup("")
    return element("section", element("h2", section.title), note, *drawn, shown)


def _cell(column: str, text: str) -> Markup:
    return element("td", text, class_=text.replace(" ", "-") if text in _RESULTS else _class(column))


def _class(column: str) -> str:
    return "number" if column in NUMBERS else "words" if column in _WORDS else "plain"
