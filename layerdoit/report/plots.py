"""Parts of charts: text is HTML and keeps its size; drawings are SVG in per cent, and fill whatever room there is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from layerdoit.report.markup import Markup, element

LEAST: Final = 0.01
"""Seconds; a scale of powers has no zero."""
EDGE: Final = 3.0
"""Per cent of the width that stay free on both sides, so that no mark is cut."""
FEW: Final = 3
MANY: Final = 6
"""Labels that a scale has at least and at most."""

Scale = Callable[[float], float]
"""From a value to per cent of the width, or of the height from above."""
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Row:
    """A line of a chart: a name, a drawing, a value. `told`: the whole in words, for who cannot see the drawing."""

    name: str
    value: str
    marks: Sequence[Markup]
    told: str
    small: str = ""
    small_value: str = ""
    long: bool = False
    """Whether the small text beside the name has a line of its own."""
    strong: bool = False
    wrong: bool = False


@dataclass(frozen=True)
class Axis:
    """A scale, and the places of its labels."""

    scale: Scale
    ticks: Sequence[tuple[float, str]]


def rows(found: Sequence[Row], axis: Axis | None = None, *, low: bool = False, short: bool = False) -> Markup:
    """Rows below each other; on a narrow screen name and value stand above the drawing. `short`: the names are."""
    lines = grid(axis) if axis else ()
    shown = [_row(row, lines, low=low) for row in found]
    if axis is not None and found:
        labels = element("svg", *_labels(axis), class_="plot", aria_hidden="true")
        shown.append(element("div", labels, class_="row axis"))
    return element("div", *shown, class_="rows short" if short else "rows")


def _row(row: Row, lines: Sequence[Markup], *, low: bool) -> Markup:
    small = element("small", element("bdi", row.small), class_="long" if row.long else "short") if row.small else ""
    small_value = element("small", row.small_value) if row.small_value else ""
    name = element("bdi", row.name, class_="us" if row.strong else "name-text")
    drawing = svg(row.told, (*lines, *row.marks), "plot low" if low else "plot")
    return element(
        "div",
        element("div", name, " " if row.small else "", small, class_="name"),
        drawing,
        element("div", row.value, " " if row.small_value else "", small_value, class_=f"value{' wrong' * row.wrong}"),
        class_="row",
    )


def svg(told: str, marks: Iterable[Markup], kind: str, more: str = "") -> Markup:
    """A drawing with a title, and a description if there is more to say."""
    described = element("desc", more) if more else ""
    return element("svg", element("title", told), described, *marks, class_=kind, role="img", aria_label=told)


def figure(*parts: str, caption: str = "", legend: Sequence[str] = ()) -> Markup:
    """A chart. `caption`: how to read it; `legend`: what its colours mean."""
    keys = [element("span", element("i", class_=f"key {entry}"), entry) for entry in legend]
    shown = element("div", *keys, class_="legend") if keys else ""
    read = element("figcaption", caption) if caption else ""
    return element("figure", read, *parts, shown)


# --- scales ----------------------------------------------------------------------------------------------------------


def linear(most: float, *, room: float = 100.0) -> Scale:
    """From zero on. `room`: per cent that the longest takes."""
    return lambda value: value / most * room if most > 0 else 0.0


def powers(values: Sequence[float]) -> Axis:
    """A logarithmic scale of seconds that holds the values, with labels that people know."""
    known = [max(value, LEAST) for value in values] or [1.0]
    low, high = math.log10(min(known) / 1.25), math.log10(max(known) * 1.25)

    def scale(value: float) -> float:
        return EDGE + (math.log10(max(value, LEAST)) - low) / (high - low) * (100 - 2 * EDGE)

    inside = [[one for one in marks if low <= math.log10(one) <= high] for marks in (_COARSE, _FINE)]
    chosen = inside[0] if len(inside[0]) >= FEW else inside[1] or [min(known)]
    step = math.ceil(len(chosen) / MANY)
    return Axis(scale, [(scale(one), tick_text(one)) for one in chosen[::step]])


_COARSE: Final = (0.01, 0.1, 1.0, 10.0, *(60.0 * 10**n for n in range(2)), *(3600.0 * 10**n for n in range(7)))
_FINE: Final = (
    *(first * 10.0**n for n in range(-2, 1) for first in (1, 2, 3, 5)),
    *(10.0, 20.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 1800.0),
    *(3600.0 * first * 10**n for n in range(7) for first in (1, 2, 5)),
)


def tick_text(seconds: float) -> str:
    """A round time in its own unit."""
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 60:g} min" if seconds < 3600 else f"{seconds / 3600:,.0f} h"


# --- marks -----------------------------------------------------------------------------------------------------------


def percent(value: float) -> str:
    """A place in a drawing."""
    return f"{value:.2f}%"


def bar(begin: float, length: float, kind: str, told: str = "") -> Markup:
    """A bar over most of a row's height; the shortest can still be seen."""
    title = (element("title", told),) if told else ()
    width = percent(max(length, 0.3))
    return element("rect", *title, x=percent(begin), y="22%", width=width, height="56%", class_=kind)


def dot(x: float, y: float, radius: float, kind: str, told: str = "") -> Markup:
    """A dot, always round."""
    title = (element("title", told),) if told else ()
    return element("circle", *title, cx=percent(x), cy=percent(y), r=radius, class_=kind)


def upright(x: float, top: float, bottom: float, kind: str) -> Markup:
    """A vertical line."""
    return element("line", x1=percent(x), y1=percent(top), x2=percent(x), y2=percent(bottom), class_=kind)


def across(begin: float, end: float, y: float, kind: str) -> Markup:
    """A horizontal line."""
    return element("line", x1=percent(begin), y1=percent(y), x2=percent(end), y2=percent(y), class_=kind)


def line(points: Points, kind: str) -> Markup:
    """A line through points in per cent; it is as thick in every size."""
    if len(points) < 2:
        return Markup("")
    path = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    drawn = element("polyline", points=path, class_=kind)
    return element("svg", drawn, viewBox="0 0 100 100", preserveAspectRatio="none", width="100%", height="100%")


def grid(axis: Axis) -> list[Markup]:
    """A vertical line for each label."""
    return [upright(place, 0, 100, "grid") for place, _ in axis.ticks]


def _labels(axis: Axis) -> list[Markup]:
    return [
        element(
            "text", text, x=percent(place), y=16, class_="start" if place < 8 else "end" if place > 92 else "middle"
        )
        for place, text in axis.ticks
    ]


def framed(told: str, words: str, axis: Axis, marks: Iterable[Markup], dates: Sequence[str]) -> Markup:
    """A drawing over time: labels of the scale on its left, dates below. `axis`: places in per cent from above."""
    beside = (element("text", text, x=0, y=percent(place), dy=4, class_="start") for place, text in axis.ticks)
    lines = (across(0, 100, place, "grid") for place, _ in axis.ticks)
    return element(
        "div",
        element("svg", *beside, class_="tall", aria_hidden="true"),
        svg(told, (*lines, *marks), "tall", words),
        element("div", *(element("span", text) for text in dates), class_="dates"),
        class_="framed",
    )
