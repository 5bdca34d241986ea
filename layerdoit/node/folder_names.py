"""Paths within a project, as text; '' is its root."""

from __future__ import annotations


def joined(*parts: str) -> str:
    """A path of parts that may be empty."""
    return "/".join(part for part in parts if part)


def normal(path: str) -> str:
    """Without `.` and `..`; what leads out keeps them at its start."""
    found: list[str] = []
    for part in path.split("/"):
        if part == ".." and found and found[-1] != "..":
            found.pop()
        elif part not in ("", "."):
            found.append(part)
    return "/".join(found)
