"""The answer as a whole: what explain found, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from layerdoit.layers.key import TAG_DIGITS

if TYPE_CHECKING:
    from layerdoit.explain.difference import Explained, LayerDifference
    from layerdoit.explain.miss import Miss
    from layerdoit.explain.sides import Side

# Changes of one kind that the text names; JSON has all.
NAMED = 40
NAMED_FILES = 12
# How people call the two images of the base layer.
_TITLES = {"base": "base", "runtime": "base (runtime image)", "deps": "deps", "app": "app"}


@dataclass(frozen=True)
class Explanation:
    """`actions`: what would be done to each layer, `outside`: reasons in no key; both only when `new` is the tree."""

    old: Side
    new: Side
    layers: tuple[LayerDifference, ...]
    actions: Mapping[str, str] = field(default_factory=dict)
    outside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    miss: Miss | None = None
    log: str | None = None
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The documented form."""
        return {
            "from": _side(self.old),
            "to": _side(self.new),
            "layers": [self._layer(layer) for layer in self.layers],
            "miss": self._miss(),
            "notes": list(self.notes),
        }

    def _layer(self, found: LayerDifference) -> dict[str, Any]:
        return {
            "layer": found.layer,
            "from": found.old,
            "to": found.new,
            "same": found.same,
            "action": self.actions.get(found.layer),
            "changes": [
                {
                    "kind": one.change.kind,
                    "inputs": list(one.change.names),
                    "from": one.change.old,
                    "to": one.change.new,
                    "text": one.change.text,
                    "because": one.because,
                }
                for one in found.changes
            ],
            "outside": list(self.outside.get(found.layer, ())),
            "unknown": list(found.unknown),
        }

    def _miss(self) -> dict[str, Any] | None:
        if self.miss is None:
            return None
        causes = [{"reason": cause.reason, "crates": list(cause.crates)} for cause in self.miss.causes]
        return {
            "log": self.log,
            "count": self.miss.count,
            "crates": list(self.miss.crates),
            "causes": causes,
            "text": self.miss.sentence,
        }

    def lines(self) -> Iterator[str]:
        """The text."""
        yield f"from  {self.old.words}"
        yield f"to    {self.new.words}"
        for note in self.notes:
            yield f"note: {note}"
        for found in self.layers:
            yield ""
            action = self.actions.get(found.layer)
            yield f"{_TITLES[found.layer]}: {_keys(found)}" + (f" ({_ACTIONS[action]})" if action else "")
            yield from _changes(found.changes)
            yield from (f"  note: {words}" for words in found.unknown)
            yield from (f"  also: {words}" for words in self.outside.get(found.layer, ()))
            if found.layer == "app" and self.miss is not None:
                yield f"  in the last build: {self.miss.sentence}"


_ACTIONS = {
    "reuse": "its image is here",
    "skip": "is not here, and nothing needs it",
    "pull": "would be pulled",
    "build": "would be built",
}


def _side(side: Side) -> dict[str, Any]:
    return {
        "kind": side.kind,
        "text": side.words,
        "keys": {layer: listing.key for layer, listing in side.layers.items()},
    }


def _keys(found: LayerDifference) -> str:
    new = (found.new or "")[:TAG_DIGITS]
    if found.old is None:
        return f"{new}, nothing to compare with"
    return f"the same key, {new}" if found.same else f"{found.old[:TAG_DIGITS]} → {new}"


def _changes(changes: tuple[Explained, ...]) -> Iterator[str]:
    kinds: dict[str, list[Explained]] = {}
    for one in changes:
        kinds.setdefault(one.change.kind, []).append(one)
    for kind, found in kinds.items():
        files = kind in ("file", "asset")
        named = found[: NAMED_FILES if files else NAMED]
        if files and len(named) < len(found):
            yield f"  {_counted(kind, found)}"
        for one in named:
            text = f"{kind} {one.change.text}" if files else one.change.text
            yield f"  {text}" + (f" — {one.because}" if one.because else "")
        if len(named) < len(found):
            yield f"  and {len(found) - len(named)} more {kind}s; --json names all"


def _counted(kind: str, found: list[Explained]) -> str:
    added = sum(one.change.old is None for one in found)
    removed = sum(one.change.new is None for one in found)
    parts = {"changed": len(found) - added - removed, "added": added, "removed": removed}
    return f"{len(found)} {kind}s: " + ", ".join(f"{number} {what}" for what, number in parts.items() if number)
