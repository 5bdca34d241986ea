"""A benchmark's result as one page: the conclusion first, then for each change the ways beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from layerdoit.bench import conclusion, results
from layerdoit.bench.results import COLUMNS, Cell, Result
from layerdoit.history import Figures
from layerdoit.history.benchmarks import OURS
from layerdoit.report import html, plots
from layerdoit.report.comparison import PEERS
from layerdoit.report.formats import seconds_text
from layerdoit.report.headline import Fact, Headline
from layerdoit.report.html import Block
from layerdoit.report.markup import Markup, coded, element
from layerdoit.report.plots import Row
from layerdoit.report.sections import Section

_SMALL: Final = {"mount": "target mount", "chef": "cargo-chef", "native": "cargo here, no image"}
_ROOM: Final = 2.0
"""So many times the slowest median a scale has at most."""
_MEASURED: Final = (
    "Every image was checked: each edit carries a mark, which was looked up in the binaries. The ways took turns. "
    "Bars are medians, the thin line goes from the least to the most, n is the number of builds."
)


def page(title: str, result: Result, tables: Sequence[Section]) -> str:
    """The whole document. `tables`: the same as the terminal shows."""
    first = Headline(conclusion.parts(result), list(_facts(result)), " ".join(conclusion.more(result)))
    return html.document(title, results.header(result), first, list(_blocks(result, tables)), _MEASURED)


def _facts(result: Result) -> Iterator[Fact]:
    """The changes that people wait for most, beside the best Dockerfile; nothing where nothing is concluded."""
    if conclusion.wrong(result):
        return
    for name in ("leaf", "deep", "bump", "back"):
        found = conclusion.beside(result.cells, name)
        if name in result.scenarios and found is not None:
            medians = f"Medians: {seconds_text(found.ours)} (n={found.n}) against {seconds_text(found.best)}"
            how = f"{medians} (n={found.n_best}), {PEERS[found.peer]}."
            yield Fact(found.said, result.scenarios[name], how)


def _blocks(result: Result, tables: Sequence[Section]) -> Iterator[Block]:
    first, *others = tables
    groups = [drawn for name in result.scenarios if (drawn := _group(result, name)) is not None]
    caption = element(
        "p",
        "Seconds until the image was there. Bars are medians and begin at zero; each change has a scale of its own.",
        class_="note",
    )
    drawing = element("div", *groups, class_="groups")
    yield Block("Every change, every way to build", "", [caption, drawing], first, wide=True)
    for section in others:
        yield Block(section.title, "", (), None, wide=True, listed=[row[0] for row in section.rows])


def _group(result: Result, name: str) -> Markup | None:
    here = [cell for cell in result.cells if cell.scenario == name]
    peers = [peer for peer in COLUMNS if results.of(here, name, peer)]
    if not peers:
        return None
    known = {peer: results.right(results.of(here, name, peer)) for peer in peers}
    most = _most([found for found in known.values() if found is not None])
    rows = [_row(result.scenarios[name], peer, known[peer], results.of(here, name, peer), most) for peer in peers]
    found = conclusion.beside(result.cells, name)
    said = f": {found.text}" if found is not None else ""
    words = result.scenarios[name]
    heading = element("h3", coded(f"{words[0].upper()}{words[1:]}"), element("span", said, class_="said"))
    return element("div", heading, plots.figure(plots.rows(rows, low=True)))


def _most(found: Sequence[Figures]) -> float:
    """The end of the scale. One build that took very long does not make all bars invisible."""
    slowest = max((one.median for one in found), default=0.0)
    return min(max((one.high for one in found), default=0.0), _ROOM * slowest)


def _row(change: str, peer: str, found: Figures | None, cells: Sequence[Cell], most: float) -> Row:
    """A bar; what went wrong has none."""
    mine = peer == OURS
    if found is None:
        stale = sum(bool(cell.stale) for cell in cells)
        said, number = ("stale", stale) if stale else ("fails", sum(bool(cell.error) for cell in cells))
        of, small = f"{number} of {len(cells)}", _SMALL.get(peer, "")
        return Row(peer, said, (), f"{change}, {peer}: {said} {of}", small, of, strong=mine, wrong=True)
    scale = plots.linear(most)
    between = f"{seconds_text(found.low)} to {seconds_text(found.high)}"
    told = f"{change}, {peer}: median {seconds_text(found.median)}, {between}, n={found.n}"
    marks = [plots.bar(0, scale(found.median), "fill ours" if mine else "fill others")]
    if found.n > 1:
        marks.append(plots.across(scale(found.low), min(scale(found.high), 100.0), 50, "spread"))
    n = f"n={found.n}" if found.high <= most else f"n={found.n}, up to {seconds_text(found.high)}"
    return Row(peer, seconds_text(found.median), marks, told, _SMALL.get(peer, ""), n, strong=mine)
