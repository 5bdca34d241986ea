"""A benchmark's result for the terminal, a CI service's job summary, and as a page with a chart."""

from __future__ import annotations

from collections.abc import Iterator

from layerdoit.bench import conclusion, results
from layerdoit.bench import page as bench_page
from layerdoit.bench.results import COLUMNS, Result
from layerdoit.report import markdown, text_form
from layerdoit.report.sections import Section

_CELLS = "seconds: median (least-most, number of builds) / crates compiled; every image was checked"


def title(result: Result) -> str:
    """What was measured."""
    return f"Benchmark of {result.meta['project']}"


def sections(result: Result) -> Iterator[Section]:
    """Changes down, ways to build across; then what went wrong, and notes."""
    peers = [peer for peer in COLUMNS if any(cell.peer == peer for cell in result.cells)]
    head = ("what", *peers, "beside the best Dockerfile")
    rows = [
        (
            words,
            *(results.cell_text(results.of(result.cells, scenario, peer)) for peer in peers),
            conclusion.beside_text(result.cells, scenario),
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
    """Print the tables, and the conclusion last, where a terminal's reader looks."""
    text_form.show_sections(results.header(result), sections(result))
    print("", *conclusion.lines(result), sep="\n")


def summary(result: Result) -> str:
    """Markdown; the conclusion comes first."""
    return markdown.text(title(result), " ".join(conclusion.lines(result)), sections(result), results.header(result))


def page(result: Result) -> str:
    """One page that needs nothing from elsewhere."""
    return bench_page.page(title(result), result, list(sections(result)))
