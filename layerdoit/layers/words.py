"""The difference between two listings of inputs, in words.

    difference(old, new) -> list[str]      # compact: what `plan` and a build say
    changes(old, new) -> list[Change]      # every change by itself: what `explain` says

An input has a name (`package serde`, `dependency api: tokio`, `env RUSTFLAGS`, …) and a text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from layerdoit.layers import wording

NAMED_FILES = 5
NAMED_PACKAGES = 8
_FILES = ("file", "asset")
# What a person looks for first.
KINDS = (
    *("dependency", "feature", "option", "profile", "environment", "toolchain", "system", "package", "setting"),
    *("layer", *_FILES),
)


@dataclass(frozen=True)
class Change:
    """One change. `kind`: one of `KINDS`; `names`: the inputs that it shows in; `old`, `new`: None for none."""

    kind: str
    names: tuple[str, ...]
    old: str | None
    new: str | None
    text: str


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    """What changed, most telling first. Empty exactly when the listings are equal."""
    found: list[Change] = []
    alike: dict[tuple[str, str | None, str | None], list[str]] = defaultdict(list)
    for name in sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name)):
        before, after = old.get(name), new.get(name)
        kind = wording.kind_of(name)
        if kind == "dependency":
            alike[wording.dependency_of(name), before, after].append(name)
        else:
            found.append(Change(kind, (name,), before, after, wording.text_of(kind, name, before, after)))
    for (_, before, after), names in alike.items():
        text = wording.dependency_text(names, before, after)
        found.append(Change("dependency", tuple(names), before, after, text))
    return sorted(found, key=lambda change: (KINDS.index(change.kind), change.names))


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """The changes in few lines: many packages and files are counted, and some of them named."""
    groups: dict[str, list[Change]] = defaultdict(list)
    for change in changes(old, new):
        groups[change.kind if change.kind in ("package", *_FILES) else ""].append(change)
    lines = [change.text for change in groups["package"]]
    if len(lines) > NAMED_PACKAGES:
        lines = [*lines[:NAMED_PACKAGES], f"and {len(lines) - NAMED_PACKAGES} more packages"]
    lines += [change.text for change in groups[""]]
    return lines + [line for kind in _FILES for line in _counted(kind, groups[kind])]


def _counted(noun: str, found: list[Change]) -> list[str]:
    if not found:
        return []
    paths = [wording.path_of(change.names[0]) for change in found]
    named = ", ".join(paths[:NAMED_FILES]) + (", …" if len(paths) > NAMED_FILES else "")
    plural = noun if len(paths) == 1 else f"{noun}s"
    return [f"{len(paths)} {plural} changed: {named}"]
