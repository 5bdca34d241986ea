"""The page: valid whatever the history holds, nothing from elsewhere, every text escaped."""

from __future__ import annotations

import io
import json
import re
import string
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

from hypothesis import example, given, settings
from hypothesis import strategies as st

from layerdoit.history import LayerRecord
from layerdoit.history.export import layer_as_json
from layerdoit.layers import reasons
from layerdoit.layers.reasons import Kind, Reason, difference
from layerdoit.report import figures, html, markdown, plots, text_form
from layerdoit.report.markup import element
from layerdoit.report.target_checks import check

EVIL = "<script>alert('&\"')</script>"
VARIANT = "dev/host"
TEXT = st.one_of(st.text(max_size=20), st.just(EVIL), st.text(string.printable, max_size=20))
NUMBER = st.one_of(st.floats(), st.floats(0, 1000))
COUNT = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.integers(0, 10**9))
NAMES = st.sampled_from(["base", "runtime", "deps", "app"])
ACTIONS = st.one_of(st.sampled_from(["reuse", "pull", "build"]), TEXT)
SENTENCES = st.one_of(
    TEXT,
    st.sampled_from(["not built before", "1 file changed: a.rs", "the deps layer changed", f"1 file changed: {EVIL}"]),
)
INPUTS = st.one_of(
    TEXT, st.sampled_from(["file a.rs", "deps", f"file {EVIL}", "package serde", "dependency api: tokio"])
)
LISTINGS = st.dictionaries(INPUTS, TEXT, max_size=3)
FIXED: tuple[Kind, ...] = ("up_to_date", "not_built_before", "removed", "in_registry", "inputs_changed")
REASONS = st.one_of(
    st.builds(Reason, st.just("noted"), st.tuples(SENTENCES)),
    st.builds(Reason, st.sampled_from(FIXED)),
    st.builds(Reason, st.sampled_from(["from_scratch", "lacking"]), st.tuples(TEXT)),
)
CAUSES = st.one_of(st.lists(REASONS, max_size=3), st.builds(difference, LISTINGS, LISTINGS))
OUTCOMES = st.one_of(st.sampled_from(["ok", "failed", "interrupted"]), TEXT)


@st.composite
def layers(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    found = {}
    for name in draw(st.lists(st.one_of(NAMES, NAMES, TEXT), max_size=5, unique=True)):
        found[name] = {
            "layer": name,
            "key": draw(TEXT),
            "action": draw(ACTIONS),
            "cold": draw(st.booleans()),
            "seconds": draw(NUMBER),
            "how": draw(TEXT),
            "export": draw(st.none() | NUMBER),
            "compiled": draw(COUNT),
            "fresh": draw(COUNT),
            "external": draw(COUNT),
            "size": draw(COUNT),
            "sent": draw(COUNT),
            "shared": draw(COUNT),
            "causes": reasons.as_json(draw(CAUSES)),
            "outcome": draw(OUTCOMES),
        }
    return found


RUNS = st.fixed_dictionaries(
    {
        "id": st.integers(),
        "at": NUMBER,
        "task": TEXT,
        "variant": st.one_of(st.just(VARIANT), TEXT),
        "host": TEXT,
        "version": TEXT,
        "git_commit": st.none() | TEXT,
        "dirty": st.none() | st.booleans(),
        "outcome": OUTCOMES,
        "failed_in": st.none() | TEXT,
        "error": st.none() | TEXT,
        "seconds": NUMBER,
        "layers": layers(),
        "phases": st.dictionaries(st.one_of(st.sampled_from(["plan", "start", "swap"]), TEXT), NUMBER, max_size=3),
        "crates": st.lists(
            st.fixed_dictionaries({"crate": TEXT, "version": TEXT, "seconds": NUMBER, "share": NUMBER}), max_size=3
        ),
    }
)


class Tags(HTMLParser):
    """Refuses what is not balanced; keeps the names of elements, attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.opened: list[str] = []
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()
        assert self.opened == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += attrs
        if tag != "meta":
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def row(*, seconds: float = 2.0, **app: Any) -> dict[str, Any]:
    why = [Reason("changed", (f"file {EVIL}",), "file")]
    layer = LayerRecord("app", "k", **{"action": "build", "seconds": 1.0, "compiled": 1, "reasons": why, **app})
    run = {"id": 1, "at": 1000.0, "task": EVIL, "variant": VARIANT, "host": EVIL, "version": "1", "git_commit": EVIL}
    ended = {"dirty": True, "outcome": "ok", "failed_in": None, "error": None, "seconds": seconds}
    crates = [{"crate": EVIL, "version": "1.0.0", "seconds": seconds, "share": 0.5}]
    return {**run, **ended, "layers": {"app": layer_as_json(layer)}, "phases": {"swap": 0.1}, "crates": crates}


def report_of(rows: list[dict[str, Any]], name: str = "shop") -> figures.Report:
    return figures.make(name, VARIANT, rows)


@settings(max_examples=100)
@given(st.lists(RUNS, max_size=6), TEXT)
@example([], EVIL)
@example([row()], EVIL)
@example([{**row(), "at": float("inf")}, {**row(), "at": 1e300}], "shop")
@example([row(size=2**63 - 1, seconds=float("inf"), compiled=-(2**63))], "\x00\ud800")
def test_any_history_is_a_valid_page(rows: list[dict[str, Any]], name: str) -> None:
    report = report_of(rows, name)
    checked = check(report, {"deps_hit_rate": ">80%", "no_op_p90": "<1s", "app_size": "<1GB"})
    page = html.page(report, checked)
    found = Tags(page)
    assert "script" not in found.names
    assert not {"src", "href", "style", "xlink:href"} & {name for name, _ in found.attributes}
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    page.encode()
    assert not {"nan", "inf"} & {value for _, value in found.attributes}
    # The same document is well-formed for the stricter one of the two parsers.
    for drawing in re.findall(r"<figure.*?</figure>", page, re.DOTALL):
        ET.fromstring(drawing)  # noqa: S314 - of our making
    json.dumps(figures.as_json(report), allow_nan=False)
    markdown.page(report, checked).encode()


@settings(max_examples=10)
@given(st.lists(RUNS, max_size=4))
def test_no_history_breaks_the_terminal(rows: list[dict[str, Any]]) -> None:
    text_form.show(report_of(rows), (), io.StringIO())


def test_texts_are_texts() -> None:
    page = html.page(report_of([row()], EVIL), ())
    assert EVIL not in page
    assert f"Image layers of {EVIL}" in Tags(page).text
    assert any(f"1 file changed: {EVIL}" in text for text in Tags(page).text)


def test_nothing_comes_from_elsewhere() -> None:
    page = html.page(report_of([row()] * 4), ())
    assert "default-src &#x27;none&#x27;" in page
    assert not re.search(r"https?://|url\(|@import|<link|<script|<img", page)


def test_the_page_has_its_charts_and_their_numbers() -> None:
    rows = [row(seconds=number, size=number * 10**6) for number in (1, 2, 3)]
    page = html.page(report_of([*rows, *rows]), ())
    assert "<title>app: built in 6 of 6 runs</title>" in page
    assert "<title>leaf: median 1.9 s, p90 2.9 s, n=6</title>" in page
    assert "<title>app: newest 3 MB, from 1 MB to 3 MB</title>" in page
    assert "<h2>An edit of one crate: 1.9 s, as before</h2>" in page
    assert "An edit of one crate: " not in html.page(report_of(rows), ()), "three runs are no line"
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_behind_each_chart_is_its_table() -> None:
    page = html.page(report_of([row(seconds=number, size=10**6) for number in range(1, 13)]), ())
    behind = page.count("<details><summary>The numbers as a table</summary>")
    drawn = [part for part in page.split("<section")[1:] if "<figure>" in part]
    assert behind == len(drawn)
    assert page.count("<caption>") == page.count("<table") == page.count('role="region"')
    assert all("<h2>" in part for part in drawn)
    for landmark in ("<header>", "<main>", "<footer>", '<html lang="en">', "<h1>"):
        assert page.count(landmark) == 1


def test_no_runs_yet() -> None:
    page = html.page(report_of([]), ())
    assert "no runs yet" in page
    assert "<svg" not in page


def test_marks_stay_on_the_paper() -> None:
    rows = [row(seconds=seconds, size=7) for seconds in (0.0, 1e-9, 5.0, 1e300)]
    page = html.page(report_of(rows), ())
    for place in re.findall(r' (?:x|y|cx|cy|x1|x2|y1|y2)="([^"]+)%"', page):
        assert 0 <= float(place) <= 100
    for x, width in re.findall(r'<rect[^>]* x="([^"]+)%"[^>]* width="([^"]+)%"', page):
        assert float(x) + float(width) <= 100.31, "the shortest bar can still be seen"
    for points in re.findall(r'points="([^"]+)"', page):
        assert all(0 <= float(place) <= 100 for place in re.split("[ ,]", points))


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=5))
def test_a_scale_holds_every_time_and_has_a_few_labels(values: list[float]) -> None:
    axis = plots.powers(values)
    assert 1 <= len(axis.ticks) <= 6, "more would stand on each other on a phone"
    places = [place for place, _ in axis.ticks]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in [*map(axis.scale, values), *places])
    assert len({text for _, text in axis.ticks}) == len(places)


def test_elements() -> None:
    assert element("td", "a<b", element("i", "&"), class_='x"y', x=1.25) == (
        '<td class="x&quot;y" x="1.25">a&lt;b<i>&amp;</i></td>'
    )
    assert element("meta", http_equiv="x") == '<meta http-equiv="x">'
