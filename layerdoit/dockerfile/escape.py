"""The escape character of a Dockerfile: it continues a line, and takes away the meaning of the next character."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_DIRECTIVE: Final = re.compile(r"#\s*(?P<name>[a-zA-Z]+)\s*=\s*(?P<value>\S.*?)\s*$")


def escape_of(text: str) -> str:
    """A backslash, or the character that a directive at the top sets."""
    return escape_in(text.removeprefix("\ufeff").split("\n"))


def escape_in(lines: Sequence[str]) -> str:
    """The same of lines without a byte order mark."""
    for line in lines:
        found = _DIRECTIVE.match(line.strip())
        if found is None:
            return "\\"
        if found["name"].lower() == "escape" and found["value"] in ("\\", "`"):
            return found["value"]
    return "\\"
