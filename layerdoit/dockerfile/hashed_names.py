"""Which files of a page have names that change with their content, so that a name stands for one content for ever.

expression(("assets/*", "*-[hash].*")) -> a regular expression, which nginx and Python read alike, for whole paths
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

# A digit or a capital, or else `-manifest.` would be one; and no size of a picture, such as 1024x1024.
_HASH: Final = "(?=[a-z]*[A-Z0-9])(?![0-9]+x[0-9]+(?![A-Za-z0-9]))[A-Za-z0-9]{8,}"
_STANDS_FOR_IT: Final = "[hash]"
_WILD: Final = {"*": ".*", "?": "."}
# What names other files has a name of its own, wherever it lies; so have its compressed forms.
_NO_PAGE: Final = "(?!.*[.]html?(?:[.](?:gz|br))?$)"


def expression(patterns: Iterable[str]) -> str:
    """Of the path of such a file, relative to the folder of the page; '' where no pattern is given."""
    each = "|".join(_translated(pattern.strip("/")) for pattern in patterns)
    return f"{_NO_PAGE}(?:{each})$" if each else ""


def _translated(pattern: str) -> str:
    """`*` also stands for several folders."""
    return _HASH.join("".join(map(literal, part)) for part in pattern.split(_STANDS_FOR_IT))


def literal(letter: str) -> str:
    """One letter of a pattern. In the configuration of nginx, a backslash may be taken for one of its own."""
    if letter in _WILD:
        return _WILD[letter]
    if not letter.isascii() or letter.isalnum() or letter in "/_-":
        return letter
    return f"[{letter}]" if letter not in "\\^[]" else f"\\{letter}"
