"""Colours of pages: text and marks stand out from their background, and states from each other."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Final

import pytest

from layerdoit.report import figures
from layerdoit.report.palette import DARK, LIGHT, Colour

Three = tuple[float, float, float]
THEMES: Final = pytest.mark.parametrize("shades", [LIGHT, DARK], ids=["light", "dark"])
MARKS: Final[tuple[Colour, ...]] = ("ours", "others", "reused", "pulled", "built", "failed")
BLINDNESS: Final[Mapping[str, tuple[Three, Three, Three]]] = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "deutan": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "tritan": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}
"""What is left of linear red, green and blue (Machado, Oliveira and Fernandes 2009, severity 1)."""


def linear(colour: str) -> Three:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return red, green, blue


def luminance(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def seen(colour: str, blindness: str) -> Three:
    """In CIE Lab."""
    rgb = linear(colour)
    red, green, blue = (
        min(1.0, max(0.0, sum(a * b for a, b in zip(row, rgb, strict=True)))) for row in BLINDNESS[blindness]
    )
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    fx, fy, fz = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@THEMES
def test_text_and_marks_stand_out(shades: Mapping[Colour, str]) -> None:
    for ground in (shades["page"], shades["card"]):
        for text in ("text", "soft"):
            assert contrast(shades[text], ground) >= 4.5
    assert contrast(shades["failed"], shades["card"]) >= 4.5, "it is the colour of words, too"
    for mark in MARKS:
        assert contrast(shades[mark], shades["card"]) >= 3, mark


@THEMES
@pytest.mark.parametrize("blindness", BLINDNESS)
def test_states_are_told_apart(shades: Mapping[Colour, str], blindness: str) -> None:
    for one, other in combinations(figures.STATUSES, 2):
        pairs = zip(seen(shades[one], blindness), seen(shades[other], blindness), strict=True)
        assert sum((a - b) ** 2 for a, b in pairs) ** 0.5 >= 15, (one, other)


def test_one_colour_has_one_meaning() -> None:
    for shades in (LIGHT, DARK):
        assert len({shades[mark] for mark in MARKS}) == len(MARKS)
