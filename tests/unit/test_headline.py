"""What a page says first: each figure from what was recorded, and only where enough of it is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from layerdoit.history.benchmarks import Recorded
from layerdoit.report import comparison, figures, findings, html, periods
from layerdoit.report.formats import seconds_text
from layerdoit.report.headline import headline
from tests.support import sample_history
from tests.support.sample_history import BENCHMARK, VARIANT


def report(number: int, recorded: Recorded | None = None) -> figures.Report:
    return figures.make("shop", VARIANT, sample_history.runs(number), recorded)


def test_the_sentence_says_how_long_beside_what_and_what_was_saved() -> None:
    found = report(420, BENCHMARK)
    said = headline(found)
    leaf = next(one for one in found.kinds if one.kind == "leaf")
    assert found.saved is not None
    hours = f"{found.saved.seconds / 3600:.0f} h"
    assert said.text == (
        f"An edit of one crate is in the image in {leaf.ready.median:.1f} s, "
        f"2.3 × faster than a Dockerfile with a target mount; "
        f"{hours} saved since March, compared with a plain Dockerfile."
    )
    assert [text for text, figure in said.parts if figure] == [f"{leaf.ready.median:.1f} s", "2.3 × faster", hours]
    edit, beside, saved, reused = said.facts
    assert f"Median of {leaf.ready.n} runs" in edit.how
    assert "1.9 s (n=5) against 4.4 s (n=5)" in beside.how
    assert f"{found.saved.runs} runs" in saved.how
    mount = leaf.ready.n * (4.4 - leaf.ready.median)
    assert saved.how.endswith(
        f"Compared with a Dockerfile with a target mount: {seconds_text(mount)} saved, in {leaf.ready.n} runs."
    )
    assert "of 420 recorded runs" in reused.how
    assert not said.missing


def test_without_a_benchmark_nothing_is_compared_and_the_command_is_named() -> None:
    said = headline(report(420))
    assert said.text.count("×") == 0
    assert "saved" not in said.text
    assert "`doit layers bench --against plain,mount`" in said.missing


def test_what_was_measured_once_is_not_said_in_front() -> None:
    once = Recorded(1.0, {place: (seconds, 1) for place, (seconds, _) in BENCHMARK.seconds.items()})
    said = headline(report(420, once))
    assert [text for text, figure in said.parts if figure] == [said.facts[0].figure]
    assert "×" not in said.text
    assert "saved" not in said.text
    assert said.missing.startswith("Other ways were measured fewer than 3 times: `doit layers bench")


def test_only_what_was_measured_side_by_side_is_compared() -> None:
    later = replace(BENCHMARK, moments={("leaf", "layerdoit"): 1782900000.0, ("leaf", "plain"): 1782900000.0})
    found = comparison.compared(later, "leaf")
    assert found is not None
    assert (found.peer, found.other, found.median) == ("plain", 131.0, 1.9), "mount was measured at another time"
    alone = replace(BENCHMARK, moments={("leaf", "layerdoit"): 1782900000.0})
    assert comparison.compared(alone, "leaf") is None
    assert comparison.compared(BENCHMARK, "back") is None
    assert comparison.compared(None, "leaf") is None


@pytest.mark.parametrize(("number", "words"), [(0, "No runs yet"), (1, "1 run so far."), (2, "2 runs so far.")])
def test_a_short_history_says_that_it_is_short(number: int, words: str) -> None:
    said = headline(report(number, BENCHMARK))
    assert said.text.startswith(words)
    assert not any(figure for _, figure in said.parts)
    assert not said.facts
    assert "<strong>" not in html.page(report(number, BENCHMARK), ())


def test_what_was_lost_is_said() -> None:
    fast = Recorded(1.0, {("leaf", "plain"): (0.1, 3), ("leaf", "layerdoit"): (0.2, 3)})
    text = headline(report(420, fast)).text
    assert "2.0 × slower than a plain Dockerfile" in text
    assert " lost since March, compared with" in text


@pytest.mark.parametrize(
    ("ours", "other", "said"),
    [
        (1.0, 2.3, ("2.3 × faster", "than")),
        (1.0, 1.04, ("as fast", "as")),
        (1.04, 1.0, ("as fast", "as")),
        (2.0, 1.0, ("2.0 × slower", "than")),
        (1.0, 14.2, ("14 × faster", "than")),
        (0.0, 0.0, ("as fast", "as")),
    ],
)
def test_times_are_compared_in_words(ours: float, other: float, said: tuple[str, str]) -> None:
    assert comparison.figure(ours, other) == said


def test_runs_without_a_date_are_no_chart_over_time() -> None:
    rows = [{**row, "at": -1.0} for row in sample_history.runs(40)]
    page = html.page(figures.make("shop", VARIANT, rows, BENCHMARK), ())
    assert "An edit of one crate: " not in page
    assert " saved, compared" in page


def test_months_of_a_long_history_and_days_of_a_short_one() -> None:
    months = report(420)
    long = periods.of_kind(months, "leaf")
    assert long.rows[0][0] == "2026-03"
    assert len(long.rows) == 9
    assert sum(int(row[-1]) for row in long.rows) == next(
        one.ready.n for one in report(420).kinds if one.kind == "leaf"
    )
    few = figures.make("shop", VARIANT, sample_history.runs(420)[:7])
    assert [len(row[0]) for row in periods.of_hits(few).rows] == [len("2026-03-05")] * len(periods.of_hits(few).rows)
    assert sum(int(row[-1]) for row in periods.of_hits(few).rows) == 7


def titles(number: int) -> list[str]:
    return [part.split("</h2>")[0] for part in html.page(report(number, BENCHMARK), ()).split("<h2>")[1:]]


def test_titles_say_what_was_found_and_of_too_little_nothing() -> None:
    many = titles(420)
    for words in ("Dependencies were reused or pulled in ", "An edit of one crate takes ", "The app image is "):
        assert any(title.startswith(words) for title in many)
    assert any(" saved since March, compared with a plain Dockerfile" in title for title in many)
    assert {"Hits per layer", "Time per kind of change"} <= set(titles(1))


def moved(older: float, newer: float) -> str:
    found: Any = next(one for one in report(420).kinds if one.kind == "leaf")
    return findings.moved(replace(found, trend=found.trend._replace(older=older, newer=newer)))


def test_how_a_time_moved() -> None:
    assert moved(2.5, 2.2) == "An edit of one crate: down from 2.5 s to 2.2 s"
    assert moved(2.2, 2.5) == "An edit of one crate: up from 2.2 s to 2.5 s"
    assert moved(2.2, 2.21) == "An edit of one crate: 2.2 s, as before"
