"""HTML and SVG by construction: every text is escaped, every element is closed."""

from __future__ import annotations

import html
import re
from typing import Final

_VOID: Final = frozenset({"meta", "br"})
# What may stand in no document, escaped or not; and halves of surrogate pairs, which no file can hold.
_IMPOSSIBLE: Final = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010fffd]")


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def escaped(text: str) -> Markup:
    """Text as markup; characters that no document may hold are replaced."""
    if isinstance(text, Markup):
        return text
    return Markup(html.escape(_IMPOSSIBLE.sub("\ufffd", text)))


def element(name: str, *children: str, **attributes: str | float) -> Markup:
    """An element. An attribute's trailing `_` is dropped (`class_`), other `_` become `-`; numbers are shortened."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value if isinstance(value, str) else f"{value:.6g}")}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{''.join(map(escaped, children))}</{name}>")


def coded(text: str) -> Markup:
    """Text in which words between backticks are commands or names."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escaped(text)
    return Markup("".join(element("code", part) if n % 2 else escaped(part) for n, part in enumerate(parts)))
