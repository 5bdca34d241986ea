"""The difference between two listings of inputs, in words."""

from __future__ import annotations

from collections.abc import Mapping

NAMED_FILES = 5
NAMED_PACKAGES = 8
_KEYS = ("base", "deps", "runtime")


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What changed, most telling first. Empty when the listings are equal."""
    changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    groups: dict[str, list[str]] = {"file": [], "asset": [], "package": [], "": []}
    for name in changed:
        kind, _, rest = name.partition(" ")
        if kind in ("files", "assets"):
            groups[kind[:-1]].append(rest.removeprefix("in "))
        elif kind in ("file", "asset"):
            groups[kind].append(rest)
        elif kind == "package":
            groups["package"].append(_package(rest, old.get(name), new.get(name)))
        else:
            groups[""].append(_single(name, old.get(name), new.get(name)))
    return [
        *_some(groups["package"], NAMED_PACKAGES, "packages"),
        *groups[""],
        *_files("file", groups["file"]),
        *_files("asset", groups["asset"]),
    ]


def _package(name: str, old: str | None, new: str | None) -> str:
    if old is None:
        return f"{name} {_version(new)} added"
    if new is None:
        return f"{name} {_version(old)} removed"
    if _version(old) == _version(new):
        return f"{name} {_version(new)}: other content or source"
    return f"{name} {_version(old)} → {_version(new)}"


def _version(value: str | None) -> str:
    return (value or "").split(" ")[0]


def _single(name: str, old: str | None, new: str | None) -> str:
    if name in _KEYS:
        return f"the {name} layer changed"
    if name.startswith("Dockerfile.") or name == "local packages under external ones":
        return f"{name} changed"
    if old is None:
        return f"{name}: now {_short(new)}"
    if new is None:
        return f"{name}: gone (was {_short(old)})"
    return f"{name}: {_short(old)} → {_short(new)}"


def _short(value: str | None) -> str:
    text = value or "(none)"
    return text if len(text) <= 80 else text[:77] + "..."


def _some(items: list[str], limit: int, noun: str) -> list[str]:
    return items if len(items) <= limit else [*items[:limit], f"and {len(items) - limit} more {noun}"]


def _files(noun: str, paths: list[str]) -> list[str]:
    if not paths:
        return []
    named = ", ".join(paths[:NAMED_FILES]) + (", …" if len(paths) > NAMED_FILES else "")
    plural = noun if len(paths) == 1 else f"{noun}s"
    return [f"{len(paths)} {plural} changed: {named}"]
