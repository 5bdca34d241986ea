"""Charts as inline SVG. Colours are classes of the page's style; each mark says its number in a `title`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from layerdoit.core.units import size_text
from layerdoit.history import Figures
from layerdoit.layers.key import IMAGES, ORDER
from layerdoit.report.change_kinds import MEANING
from layerdoit.report.figures import STATUSES, Report, Seen
from layerdoit.report.formats import seconds_text, share_text, when_text
from layerdoit.report.markup import Markup, element, joined

WIDTH: Final = 720
LEFT: Final = 96
NAMES: Final = 190
"""Room for the names of crates."""
LONGEST_NAME: Final = 26
RIGHT: Final = 24
ROW: Final = 26
NARROW: Final = 14
HEIGHT: Final = 240
TOP: Final = 12
BOTTOM: Final = 26
SHOWN: Final = 300
"""Newest runs that a chart over time shows."""
WINDOW: Final = 20
"""Runs that a point of the hit rate over time counts."""
LEAST: Final = 0.01
"""Seconds; a logarithmic scale has no zero."""

Scale = Callable[[float], float]


def hits(report: Report) -> Markup:
    """For each layer one bar: the shares of reused, pulled, built, failed."""
    layers = [found for found in report.layers if found.n]
    marks = []
    for row, found in enumerate(layers):
        x, y = float(LEFT), TOP + row * ROW
        marks.append(_label(found.layer, y + 15))
        for status in STATUSES:
            width = found.counts[status] / found.n * (WIDTH - LEFT - RIGHT - 60)
            if width:
                title = f"{found.layer}: {status} in {found.counts[status]} of {found.n} runs"
                bar = element("rect", _title(title), x=x, y=y, width=width, height=18, class_=f"fill {status}")
                marks.append(bar)
            x += width
        text = f"{share_text(found.hit_rate)} of {found.n}"
        marks.append(element("text", text, x=x + 8, y=y + 14, class_="value"))
    return _figure("Hits per layer", _svg(marks, TOP + len(layers) * ROW, "Hits per layer"), STATUSES)


def kinds(report: Report) -> Markup:
    """For each kind of change a dot at the median and a line to the 90th percentile, on a scale of powers of ten."""
    found = report.kinds
    scale, ticks = _seconds([one.ready.median for one in found] + [one.ready.p90 for one in found], LEFT, WIDTH - RIGHT)
    height = TOP + len(found) * ROW
    marks = [_vertical(scale(tick), height, f"{tick:g} s") for tick in ticks]
    for row, one in enumerate(found):
        y = TOP + row * ROW + 10
        title = f"{one.kind}: median {seconds_text(one.ready.median)}, p90 {seconds_text(one.ready.p90)}"
        x, end = scale(one.ready.median), scale(one.ready.p90)
        marks += [
            _label(one.kind, y + 5),
            element("line", x1=x, y1=y, x2=end, y2=y, class_=f"stroke wide {one.kind}"),
            element("circle", _title(f"{title}, n={one.ready.n}"), cx=x, cy=y, r=6, class_=f"fill {one.kind}"),
        ]
    name = "Median (dot) and 90th percentile (end of line) per kind of change"
    return _figure(name, _svg(marks, height + BOTTOM, name), ())


def over_time(report: Report) -> Markup:
    """Seconds until the image was ready, run by run, coloured by kind."""
    runs = [run for run in report.runs if run.kind is not None and run.ready is not None][-SHOWN:]
    scale, ticks = _seconds([run.ready or 0.0 for run in runs], HEIGHT - BOTTOM, TOP)
    across = _across(len(runs))
    marks = [_horizontal(scale(tick), f"{tick:g} s") for tick in ticks]
    marks += [
        element(
            "circle",
            _title(f"{when_text(run.at)}, {run.kind}: {seconds_text(run.ready or 0.0)}"),
            cx=across(number),
            cy=scale(run.ready or 0.0),
            r=4,
            class_=f"fill {run.kind}",
        )
        for number, run in enumerate(runs)
    ]
    marks += _dates(runs)
    present = [kind for kind in MEANING if any(run.kind == kind for run in runs)]
    name = "Seconds until the image was ready, run by run"
    return _figure(name, _svg(marks, HEIGHT, name), present)


def hits_over_time(report: Report) -> Markup:
    """For each layer the share of hits among the last runs, run by run."""
    runs = report.runs[-SHOWN:]
    across = _across(len(runs))

    def down(share: float) -> float:
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)

    marks = [_horizontal(down(share), share_text(share)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    for layer in IMAGES:
        points, recent = [], list[bool]()
        for number, run in enumerate(runs):
            status = run.status(layer)
            if status is not None:
                recent = [*recent, status in ("reused", "pulled")][-WINDOW:]
                points.append((across(number), down(sum(recent) / len(recent))))
        marks.append(_line(points, layer))
    name = f"Share of hits among the last {WINDOW} runs"
    return _figure(name, _svg([*marks, *_dates(runs)], HEIGHT, name), tuple(IMAGES))


def sizes(report: Report) -> Markup:
    """The size of each image, each time that it was built or pulled."""
    runs = report.runs[-SHOWN:]
    most = max((_bytes(run, image) or 0 for run in runs for image in ORDER), default=0) or 1
    across = _across(len(runs))

    def down(size: float) -> float:
        return HEIGHT - BOTTOM - size / most * (HEIGHT - BOTTOM - TOP)

    marks = [_horizontal(down(share * most), size_text(share * most)) for share in (0.0, 0.5, 1.0)]
    for image in ORDER:
        known = [(number, size) for number, run in enumerate(runs) if (size := _bytes(run, image)) is not None]
        marks.append(_line([(across(number), down(size)) for number, size in known], image))
        marks += [
            element(
                "circle",
                _title(f"{when_text(runs[number].at)}, {image}: {size_text(size)}"),
                cx=across(number),
                cy=down(size),
                r=3,
                class_=f"fill {image}",
            )
            for number, size in known
        ]
    present = [image for image in ORDER if any(_bytes(run, image) is not None for run in runs)]
    return _figure("Sizes of images", _svg([*marks, *_dates(runs)], HEIGHT, "Sizes of images"), present)


def crates(report: Report) -> Markup:
    """For each of the slowest crates a bar of its seconds."""
    found = report.crates.crates
    most = max((one.seconds for one in found), default=0.0) or 1.0
    marks = []
    for row, one in enumerate(found):
        y, width = TOP + row * ROW, one.seconds / most * (WIDTH - NAMES - RIGHT - 60)
        title = f"{one.crate} {one.version}: {seconds_text(one.seconds)}, {share_text(one.share)} of the cook"
        marks += [
            _label(_shortened(one.crate), y + 14, NAMES),
            element("rect", _title(title), x=NAMES, y=y, width=max(width, 1.0), height=18, class_="fill deps"),
            element("text", seconds_text(one.seconds), x=NAMES + width + 8, y=y + 14, class_="value"),
        ]
    name = "Seconds of the slowest crates in the latest cook that compiled them"
    return _figure(name, _svg(marks, TOP + len(found) * ROW, name), ())


def compared(name: str, found: Mapping[str, Mapping[str, Figures]]) -> Markup:
    """For each row, and in it for each class, a dot at the median and a line from least to most; powers of ten."""
    every = [one for row in found.values() for one in row.values()]
    scale, ticks = _seconds([end for one in every for end in (one.low, one.high)], LEFT, WIDTH - RIGHT)
    height = TOP + sum(len(row) * NARROW + NARROW for row in found.values())
    marks, y = [_vertical(scale(tick), height, f"{tick:g} s") for tick in ticks], float(TOP)
    for label, row in found.items():
        marks.append(_label(label, y + len(row) * NARROW / 2 + 5))
        for kind, one in row.items():
            between = f"{seconds_text(one.low)} to {seconds_text(one.high)}"
            title = _title(f"{label}, {kind}: median {seconds_text(one.median)}, {between}, n={one.n}")
            place = {"y1": y + 8, "y2": y + 8, "x1": scale(one.low), "x2": scale(one.high)}
            marks += [
                element("line", **place, class_=f"stroke wide {kind}"),
                element("circle", title, cx=scale(one.median), cy=y + 8, r=5, class_=f"fill {kind}"),
            ]
            y += NARROW
        y += NARROW
    legend = tuple(dict.fromkeys(kind for row in found.values() for kind in row))
    return _figure(name, _svg(marks, height + BOTTOM, name), legend)


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _bytes(run: Seen, image: str) -> int | None:
    found = run.layers.get(image)
    return found.size if found is not None and found.size is not None and found.size >= 0 else None


# --- scales ----------------------------------------------------------------------------------------------------------


def _seconds(values: Sequence[float], begin: float, end: float) -> tuple[Scale, list[float]]:
    """A logarithmic scale over whole powers of ten that hold the values, and those powers."""

    def power(value: float) -> float:
        return math.log10(max(value, LEAST))

    low = math.floor(min(map(power, values), default=-1))
    high = max(math.ceil(max(map(power, values), default=0)), low + 1)

    def scale(value: float) -> float:
        return begin + (power(value) - low) / (high - low) * (end - begin)

    return scale, [10.0**number for number in range(low, high + 1)]


def _across(number: int) -> Scale:
    step = (WIDTH - LEFT - RIGHT - 12) / max(1, number - 1)
    return lambda index: LEFT + 6 + index * step


# --- parts -----------------------------------------------------------------------------------------------------------


def _figure(name: str, svg: Markup, legend: Sequence[str]) -> Markup:
    keys = [element("span", element("i", class_=f"key {entry}"), f" {entry}", class_="entry") for entry in legend]
    shown = element("div", *keys, class_="legend") if keys else ""
    return element("figure", element("figcaption", name), svg, shown)


def _svg(marks: Sequence[str], height: float, name: str) -> Markup:
    return element("svg", joined(*marks), viewBox=f"0 0 {WIDTH} {height:g}", role="img", aria_label=name)


def _title(text: str) -> Markup:
    return element("title", text)


def _label(text: str, y: float, left: float = LEFT) -> Markup:
    return element("text", text, x=left - 10, y=y, class_="label")


def _line(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return element("polyline", points=path, class_=f"stroke {kind}") if len(points) > 1 else Markup("")


def _vertical(x: float, height: float, text: str) -> Markup:
    return joined(
        element("line", x1=x, y1=TOP - 6, x2=x, y2=height, class_="grid"),
        element("text", text, x=x, y=height + 16, class_="tick middle"),
    )


def _horizontal(y: float, text: str) -> Markup:
    return joined(
        element("line", x1=LEFT, y1=y, x2=WIDTH - RIGHT, y2=y, class_="grid"),
        element("text", text, x=LEFT - 10, y=y + 4, class_="label"),
    )


def _dates(runs: Sequence[Seen]) -> list[Markup]:
    if not runs:
        return []
    y = HEIGHT - 6
    first = element("text", when_text(runs[0].at), x=LEFT, y=y, class_="tick")
    last = element("text", when_text(runs[-1].at), x=WIDTH - RIGHT, y=y, class_="tick end")
    return [first, last] if len(runs) > 1 else [first]
