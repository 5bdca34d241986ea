"""The pages as a browser lays them out: nothing overflows, nothing is cut or too small, and print shows everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from benchmarks.report import RESULTS
from layerdoit.bench import results, views
from layerdoit.report import figures, html
from layerdoit.report.palette import DARK, LIGHT
from layerdoit.report.target_checks import check
from tests.support import browser, sample_history
from tests.support.browser import Browser
from tests.support.required import OPT_IN

WIDTHS: Final = (320, 360, 768, 1280, 1600)
PHONE: Final = 360
SMALLEST: Final = 11.0
"""Pixels of text as the reader sees it."""

# What is meant to be read by screen readers only is a pixel large. Tables may be scrolled, but their box stays inside.
LOOK: Final = """(() => {
  const wrong = [], width = innerWidth, name = e => e.outerHTML.slice(0, 120);
  const hidden = e => e.closest('title, desc, caption, style, head') || e.closest('thead')?.clientWidth === 1;
  const all = [...document.body.querySelectorAll('*')].filter(e => !hidden(e));
  const boxes = new Map(all.map(e => [e, e.getBoundingClientRect()]));
  if (document.documentElement.scrollWidth > width) wrong.push('page: ' + document.documentElement.scrollWidth);
  for (const [e, box] of boxes) {
    if (!box.width && !box.height) continue;
    const scrolled = e.closest('.table');
    if ((!scrolled || scrolled === e) && (box.left < -0.5 || box.right > width + 0.5))
      wrong.push('outside: ' + name(e));
    if ([...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) {
      const scale = e.ownerSVGElement ? e.getScreenCTM().a : 1;
      const size = parseFloat(getComputedStyle(e).fontSize) * scale;
      if (size < SMALLEST) wrong.push(size + ' px: ' + name(e));
    }
  }
  const meet = (a, b) => a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom - 0.5
    && b.top < a.bottom - 0.5;
  const apart = (found, what) => found.forEach((one, n) => found.slice(n + 1).forEach(other => {
    if (meet(boxes.get(one), boxes.get(other))) wrong.push(what + ': ' + name(one) + name(other));
  }));
  document.querySelectorAll('svg').forEach(svg => apart([...svg.querySelectorAll('text')], 'labels on each other'));
  document.querySelectorAll('.row').forEach(row => apart([...row.children], 'a row on itself'));
  apart([...document.querySelectorAll('section, .fact')], 'blocks on each other');
  document.querySelectorAll('section').forEach(section => section.querySelectorAll('.plot').forEach(plot => {
    if (width <= 360 && boxes.get(plot).width < 0.8 * section.clientWidth) wrong.push('narrow: ' + name(plot));
  }));
  if (width <= 768) document.querySelectorAll('.table').forEach(table => {
    if (table.scrollWidth > table.clientWidth + 1) wrong.push('cut: ' + name(table));
  });
  return wrong;
})()""".replace("SMALLEST", str(SMALLEST))


def report(number: int, *, name: str = "shop", measured: bool = False, long: bool = False) -> str:
    crates = sample_history.LONG_CRATES if long else sample_history.CRATES
    recorded = sample_history.BENCHMARK if measured else None
    rows = sample_history.runs(number, crates)
    found = figures.make(name, sample_history.VARIANT, rows, recorded)
    return html.page(found, check(found, sample_history.TARGETS))


def benchmark(file: str) -> str:
    return views.page(results.from_json((RESULTS / file).read_text()))


def pages() -> dict[str, str]:
    return {
        "months": report(420, measured=True),
        "first run": report(1),
        "no run": report(0),
        "a few runs": report(7),
        "long names": report(60, name=sample_history.LONG, long=True),
        "benchmark": benchmark("example-dev.json"),
    }


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = browser.program()
    if path is None:
        pytest.skip(f"{OPT_IN}no Chromium on this machine; scripts/ensure-chromium installs it")
    with browser.opened(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("pages")
    for name, text in pages().items():
        (found / f"{name}.html").write_text(text, encoding="utf-8")
    return found


@pytest.mark.parametrize("name", ["months", "first run", "no run", "a few runs", "long names", "benchmark"])
def test_nothing_overflows_is_cut_or_too_small(chromium: Browser, folder: Path, name: str) -> None:
    wrong = {}
    for width in WIDTHS:
        chromium.open(folder / f"{name}.html", width)
        wrong[width] = chromium.evaluate(LOOK) if width == PHONE else []
        chromium.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        wrong[width] += chromium.evaluate(LOOK)
    assert not any(wrong.values()), json.dumps(wrong, indent=1)


def shown(chromium: Browser, what: str) -> Any:
    return chromium.evaluate(f"[...document.querySelectorAll('{what}')].filter(one => one.checkVisibility()).length")


def test_print_is_light_and_shows_every_table(chromium: Browser, folder: Path) -> None:
    chromium.open(folder / "months.html", 700, dark=True)
    closed = shown(chromium, "table")
    chromium.open(folder / "months.html", 700, dark=True, medium="print")
    assert closed < shown(chromium, "table") == chromium.evaluate("document.querySelectorAll('table').length")
    assert shown(chromium, "summary") == 0
    assert not chromium.evaluate(LOOK)
    assert background(chromium) == "rgb(255, 255, 255)"


def background(chromium: Browser) -> Any:
    return chromium.evaluate("getComputedStyle(document.body).backgroundColor")


def test_the_page_is_light_or_dark_as_the_reader_has_it(chromium: Browser, folder: Path) -> None:
    for dark, shades in ((False, LIGHT), (True, DARK)):
        chromium.open(folder / "months.html", 768, dark=dark)
        page = shades["page"]
        assert background(chromium) == f"rgb({int(page[1:3], 16)}, {int(page[3:5], 16)}, {int(page[5:], 16)})"


def test_the_browser_finds_what_is_wrong(chromium: Browser, tmp_path: Path) -> None:
    page = tmp_path / "wrong.html"
    wide = "<p style='width:900px;font-size:9px'>x</p><section></section>"
    two = "<svg width='90'><text y='20'>one</text><text y='20'>two</text></svg>"
    page.write_text(f"<!DOCTYPE html><html lang=en><title>x</title><body>{wide}{two}</body></html>")
    chromium.open(page, 360)
    found = " ".join(chromium.evaluate(LOOK))
    for words in ("page: ", "outside: ", "9 px: ", "labels on each other: "):
        assert words in found
