"""The chart in the README, from a recorded run of `doit layers bench`: one picture for light and one for dark pages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from layerdoit.bench import conclusion, results
from layerdoit.bench.conclusion import Beside
from layerdoit.bench.results import Result
from layerdoit.history.benchmarks import OURS
from layerdoit.report.comparison import PEERS
from layerdoit.report.markup import Markup, element
from layerdoit.report.palette import DARK, LIGHT, Colour

_WIDTH: Final = 480
"""Narrow, with large letters: on a phone the picture is shown at three quarters of its size."""
_LEFT: Final = 144
_LONGEST: Final = _WIDTH - _LEFT - 66
_ROW: Final = 25
_GROUP: Final = 30
_CHANGES: Final = ("leaf", "deep", "bump")
_NAMES: Final = {
    "plain": "plain",
    "mount": "target mount",
    "chef": "cargo-chef",
    OURS: OURS,
    "native": "cargo, no image",
}


def files(recorded: Path) -> dict[str, str]:
    """File name -> picture."""
    result = read(recorded)
    return {"benchmark-light.svg": drawn(result, LIGHT), "benchmark-dark.svg": drawn(result, DARK)}


def read(recorded: Path) -> Result:
    """The run that the chart shows."""
    return results.from_json(recorded.read_text(encoding="utf-8"))


def title(result: Result) -> str:
    """What the chart says, for who cannot see it; the README has it too."""
    found = _beside(result, "leaf")
    return (
        f"One changed line of {result.meta['project']} is in the image in {_seconds(found.ours)}, "
        f"{found.said} than with {PEERS[found.peer]} ({_seconds(found.best)})"
    )


def drawn(result: Result, shades: Mapping[Colour, str]) -> str:
    """A picture that needs nothing from elsewhere, without a background."""
    every = results.every(result)
    groups = [name for name in _CHANGES if name in result.scenarios]
    most = max(found.median for (name, _), found in every.items() if name in groups)
    parts: list[Markup] = []
    y = 0.0
    for name in groups:
        found = _beside(result, name)
        parts += _heading(result.scenarios[name], found.said, y + 19)
        y += _GROUP
        for peer in (found.peer, OURS, "native"):
            if (name, peer) in every:
                parts += _bar(peer, every[name, peer].median, most, y)
                y += _ROW
        y += 12
    parts += [element("text", text, x=0, y=y + 16 + 20 * n, class_="soft") for n, text in enumerate(_about(result))]
    height = y + 20 * len(_about(result)) + 4
    told = title(result)
    return (
        element(
            "svg",
            element("title", told),
            element("style", Markup(_style(shades))),
            *parts,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {_WIDTH} {height:g}",
            role="img",
            aria_label=told,
        )
        + "\n"
    )


def _heading(change: str, said: str, y: float) -> list[Markup]:
    return [
        element("text", f"{change[0].upper()}{change[1:]}", x=0, y=y, class_="strong"),
        element("text", said, x=_WIDTH, y=y, class_="strong end"),
    ]


def _bar(peer: str, seconds: float, most: float, y: float) -> list[Markup]:
    length = seconds / most * _LONGEST
    mine = peer == OURS
    return [
        element("text", _NAMES[peer], x=0, y=y + 16, class_="strong" if mine else "text"),
        element("rect", x=_LEFT, y=y + 3, width=length, height=17, rx=2, class_="ours" if mine else "others"),
        element("text", _seconds(seconds), x=_LEFT + length + 7, y=y + 16, class_="strong" if mine else "text"),
    ]


def _about(result: Result) -> list[str]:
    """Where it was measured, and what is no faster."""
    cold, meta = _beside(result, "cold"), result.meta
    least = min(found.n for found in results.every(result).values())
    return [
        f"First build: {_seconds(cold.ours)}, {_NAMES[cold.peer]} {_seconds(cold.best)}.",
        f"{meta['project']}, {meta['profile']} profile, {meta['machine'].split(', ')[-1]}, {meta['date']}.",
        f"Medians of {least} builds; a bar ends when the image is there.",
    ]


def _beside(result: Result, name: str) -> Beside:
    found = conclusion.beside(result.cells, name)
    assert found is not None, f"the recorded run has no {name} beside a Dockerfile"  # noqa: S101 - a fact of the file
    return found


def _seconds(value: float) -> str:
    return f"{results.seconds_text(value)} s"


def _style(shades: Mapping[Colour, str]) -> str:
    return (
        f"text{{font:16px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:{shades['text']}}}"
        f".soft{{fill:{shades['soft']}}}.strong{{font-weight:700}}.end{{text-anchor:end}}"
        f".ours{{fill:{shades['ours']}}}.others{{fill:{shades['others']}}}"
    )
