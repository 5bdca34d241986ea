"""The difference between two listings of inputs, change by change; `explain` and the reasons are made from it.

An input has a name (`package serde`, `dependency api: tokio`, `env RUSTFLAGS`, …) and a text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from layerdoit.layers import wording

# What a person looks for first.
KINDS = (
    *("dependency", "feature", "option", "profile", "environment", "toolchain", "system", "package", "setting"),
    *("layer", "file", "asset"),
)


class Change(NamedTuple):
    """One change. `kind`: one of `KINDS`; `names`: the inputs with this change; `old`, `new`: None for no value."""

    kind: str
    names: tuple[str, ...]
    old: str | None
    new: str | None
    text: str


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    """What changed, most telling change first. Empty exactly when the listings are equal."""
    found, old, new = _turned(old, new)
    alike: dict[tuple[str, str | None, str | None], list[str]] = defaultdict(list)
    for name in sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name)):
        before, after = old.get(name), new.get(name)
        kind = wording.kind_of(name)
        if kind == "dependency":
            alike[wording.dependency_of(name), before, after].append(name)
        else:
            found.append(_change(kind, [name], before, after))
    found += [_change("dependency", names, before, after) for (_, before, after), names in alike.items()]
    return sorted(found, key=lambda change: (KINDS.index(change.kind), change.names))


_TURNED = (("file", "asset"), ("asset", "file"))


Listed = Mapping[str, str]


def _turned(old: Listed, new: Listed) -> tuple[list[Change], Listed, Listed]:
    """Sources that are assets now, or the other way round; and the listings without them."""
    found: list[Change] = []
    gone, come = set[str](), set[str]()
    for was, now in _TURNED:
        for name in old:
            kind, space, rest = name.partition(" ")
            other = f"{now}{kind.removeprefix(was)} {rest}"
            if not space or kind not in (was, f"{was}s") or name in new or other in old:
                continue
            if other in new:
                changed = "" if new[other] == old[name] else "changed, "
                text = f"{wording.path_of(other)} ({changed}{wording.NO_LONGER[was]})"
                found.append(Change(now, (other,), old[name], new[other], text))
                gone.add(name)
                come.add(other)
    if not found:
        return found, old, new
    return found, _but(old, gone), _but(new, come)


def _but(listing: Mapping[str, str], names: set[str]) -> dict[str, str]:
    return {name: value for name, value in listing.items() if name not in names}


def _change(kind: str, names: Sequence[str], old: str | None, new: str | None) -> Change:
    return Change(kind, tuple(names), old, new, wording.change_text(kind, names, old, new))
