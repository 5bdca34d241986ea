"""A benchmark's result for the terminal, a CI service's job summary, and as a page with a chart."""

from __future__ import annotations

from collections.abc import Iterator

from layerdoit.bench import results
from layerdoit.bench.results import COLUMNS, Result
from layerdoit.history import Figures
from layerdoit.report import charts, html, markdown, terminal
from layerdoit.report.sections import Section

_CELLS = "seconds: median (least-most, number of builds) / crates compiled; every image was checked"


def title(result: Result) -> str:
    """What was measured."""
    return f"Benchmark of {result.meta['project']}"


def sections(result: Result) -> Iterator[Section]:
    """Changes down, ways to build across; then what went wrong, and notes."""
    peers = [peer for peer in COLUMNS if any(cell.peer == peer for cell in result.cells)]
    head = ("what", *peers, "layerdoit / best Dockerfile")
    rows = [
        (
            words,
            *(results.cell_text(results.of(result.cells, scenario, peer)) for peer in peers),
            results.ratio_text(result.cells, scenario),
        )
        for scenario, words in result.scenarios.items()
        if any(cell.scenario == scenario for cell in result.cells)
    ]
    yield Section("bench", "Time per change", _CELLS, head, rows)
    if wrong := results.problems(result):
        yield Section("bench", "Went wrong", "", ("what",), [(text,) for text in wrong])
    if result.notes:
        yield Section("bench", "Notes", "", ("what",), [(note,) for note in result.notes])


def show(result: Result) -> None:
    """Print the tables."""
    terminal.show_sections(results.header(result), sections(result))


def summary(result: Result) -> str:
    """Markdown."""
    return markdown.text(title(result), results.header(result), sections(result))


def page(result: Result) -> str:
    """One page that needs nothing from elsewhere."""
    rows: dict[str, dict[str, Figures]] = {}
    for scenario in result.scenarios:
        found = {peer: one for peer in COLUMNS if (one := results.every(result).get((scenario, peer))) is not None}
        if found:
            rows[scenario] = found
    chart = charts.compared("Seconds until the image was there: median (dot), least to most (line)", rows)
    first, *others = sections(result)
    return html.document(title(result), results.header(result), [(first, [chart]), *((one, []) for one in others)])
