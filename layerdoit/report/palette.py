"""The colours of pages and of the chart in the README. One colour has one meaning, in a light and a dark shade.

Marks differ from the background by 3:1 at least, text by 4.5:1, and states from each other for colour-blind eyes too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Colour = Literal["text", "soft", "line", "page", "card", "ours", "others", "reused", "pulled", "built", "failed"]

LIGHT: Final[Mapping[Colour, str]] = {
    "text": "#1b2026",
    "soft": "#56606b",
    "line": "#dde2e8",
    "page": "#f4f6f8",
    "card": "#ffffff",
    "ours": "#1d5fd0",
    "others": "#7d8894",
    "reused": "#00846b",
    "pulled": "#4a2f8f",
    "built": "#d97a06",
    "failed": "#c0173f",
}
DARK: Final[Mapping[Colour, str]] = {
    "text": "#eef2f6",
    "soft": "#a3aeba",
    "line": "#323b45",
    "page": "#0d1117",
    "card": "#161c24",
    "ours": "#6aa8ff",
    "others": "#8a95a1",
    "reused": "#2bb597",
    "pulled": "#a58bf0",
    "built": "#f2c14e",
    "failed": "#f0506a",
}
"""`ours`: what layerdoit took; `others`: what other ways took; `failed`: whatever went wrong, targets included."""


def variables(shades: Mapping[Colour, str]) -> str:
    """As a style sheet names them."""
    return " ".join(f"--{name}: {value};" for name, value in shades.items())
