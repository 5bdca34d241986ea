"""Read the `Name: value` lines of `docker buildx inspect` and `docker buildx du`."""

from __future__ import annotations

import re


def field(text: str, name: str) -> str:
    """The first value with this name, '' if there is none."""
    found = re.search(rf"^[ \t]*{re.escape(name)}:[ \t]*(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""
