"""The difference between two sides, layer by layer, with the reason of each change as far as the facts give one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from layerdoit.core.prose import listed
from layerdoit.explain.sides import Listing, Side, comparable
from layerdoit.layers import words
from layerdoit.layers.key import ORDER, Layer
from layerdoit.layers.specs import app
from layerdoit.layers.wording import moved
from layerdoit.layers.words import KINDS

if TYPE_CHECKING:
    from layerdoit.explain.graph import Graph, Node
    from layerdoit.layers.words import Change

_DEPENDENCY = re.compile(r"(?:build-|dev-)?dependency \S+: (\S+)")


@dataclass(frozen=True)
class Explained:
    """A change, and who needs what changed; None: not known, or there is nothing more to say.

    `direct`: a package that a manifest of the workspace names.
    """

    change: Change
    because: str | None = None
    direct: bool = False


@dataclass(frozen=True)
class LayerDifference:
    """One layer. `old`, `new`: keys, None where a side has no such layer; `unknown`: what could not be found out."""

    layer: Layer
    old: str | None
    new: str | None
    changes: tuple[Explained, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether both sides have the same key."""
        return self.old == self.new


def between(old: Side, new: Side, layers: Iterable[Layer] = ORDER) -> list[LayerDifference]:
    """The layers that both sides have, in the order in which they are built."""
    return [_layer(old, new, layer) for layer in ORDER if layer in layers and layer in new.layers]


def _layer(old: Side, new: Side, layer: Layer) -> LayerDifference:
    was, now = old.layers.get(layer), new.layers[layer]
    if was is None:
        return LayerDifference(layer, None, now.key)
    if was.key == now.key:
        return LayerDifference(layer, was.key, now.key)
    compared = comparable(was, now)
    if compared is not None and layer == "app":
        compared = (*app.alike(*compared[:2]), compared[2])
    if compared is None:
        sides = [side.words for side, listing in ((old, was), (new, now)) if listing.inputs is None]
        return LayerDifference(layer, was.key, now.key, (), (_gone(layer, was, now, sides),))
    before, after, unknown = compared
    changes = words.changes(before, after)
    if not changes and not unknown:
        unknown = ["its key differs, but none of the listed inputs does"]
    before_graph = after_graph = None
    if any(change.kind == "package" for change in changes):
        unknown += _graphless(old, new, changes)
        before_graph, after_graph = (side.graph() if side.graph else None for side in (old, new))
    moves = _moves(changes, complete=was.whole and now.whole)
    explained = (_explained(change, moves, before_graph, after_graph) for change in changes)
    # What somebody asked for comes before what came along; the sort keeps the order of the kinds.
    ordered = sorted(explained, key=lambda one: (KINDS.index(one.change.kind), not one.direct))
    in_full = (more for one in ordered for more in (one, *_below(one.change, old, new)))
    return LayerDifference(layer, was.key, now.key, tuple(in_full), tuple(unknown))


def _below(change: Change, old: Side, new: Side) -> tuple[Explained, ...]:
    """What changed in the layer below, where that layer has the same key on both sides and so says nothing itself."""
    layer = next((name for name in ORDER if change.kind == "layer" and change.names[0] == name), None)
    if layer is None or layer not in new.layers or change.old is None:
        return ()
    stood_on, newest = old.beneath.get((layer, change.old)), old.layers.get(layer)
    if stood_on is None or newest is None or newest.key != new.layers[layer].key:
        return ()
    return _layer(replace(old, layers={**old.layers, layer: stood_on}), new, layer).changes


def _gone(layer: Layer, was: Listing, now: Listing, sides: list[str]) -> str:
    keys = " and ".join(f"{layer}-{listing.key[:12]}" for listing in (was, now) if listing.inputs is None)
    return f"its key differs, but the inputs of {keys} are unknown: no image with that key is here ({sides[0]})"


def _graphless(old: Side, new: Side, changes: list[Change]) -> list[str]:
    gone = old.graph is None and any(
        moved(change.old, change.new).went and not moved(change.old, change.new).came
        for change in changes
        if change.kind == "package"
    )
    if new.graph is None and old.graph is None:
        return ["why packages changed is unknown: images hold no dependency graph (name a commit instead)"]
    if gone:
        return ["what needed the removed packages is unknown: images hold no dependency graph (name a commit instead)"]
    return []


# --- why a package moved ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Moves:
    """What moved: packages by name and version, and entries of dependency tables by package.

    `complete`: an entry that is not among the changes has not changed.
    """

    came: Mapping[Node, Change]
    went: Mapping[Node, Change]
    asked: Mapping[str, Change]
    complete: bool


def _moves(changes: list[Change], *, complete: bool) -> _Moves:
    went: dict[Node, Change] = {}
    came: dict[Node, Change] = {}
    asked: dict[str, Change] = {}
    for change in changes:
        if change.kind == "package":
            found = moved(change.old, change.new)
            went |= {(_package(change), version): change for version in found.went}
            came |= {(_package(change), version): change for version in found.came}
        for dependency in map(_DEPENDENCY.match, change.names):
            if dependency is not None:
                asked[dependency[1]] = change
    return _Moves(came, went, asked, complete)


def _package(change: Change) -> str:
    return change.names[0].removeprefix("package ")


def _explained(change: Change, moves: _Moves, before: Graph | None, after: Graph | None) -> Explained:
    if change.kind != "package":
        return Explained(change)
    found = moved(change.old, change.new)
    if found.came and after is not None:
        return _needed(change, [(_package(change), version) for version in found.came], after, moves.came, moves)
    if found.went and not found.came and before is not None:
        nodes = [(_package(change), version) for version in found.went]
        return _needed(change, nodes, before, moves.went, moves)
    return Explained(change)


def _needed(change: Change, nodes: list[Node], graph: Graph, others: Mapping[Node, Change], moves: _Moves) -> Explained:
    """Who needs a package, and whether that moved too. That one moved because of the other, nobody can know."""
    needs = "needed by" if change.new is not None else "was needed by"
    for node in nodes:
        if node in graph.direct:
            who = f"direct dependency of {listed(graph.direct[node])}"
            if node[0] in moves.asked:
                return Explained(change, f"{who}; {moves.asked[node[0]].text}", direct=True)
            return Explained(
                change, who + (", with the same requirement as before" if moves.complete else ""), direct=True
            )
    for node in nodes:
        chain = graph.way(node, others.__contains__)
        if chain is not None:
            return Explained(change, f"{needs} {_names(chain[:-1])}, which {_fate(others[chain[0]])} too")
    for node in nodes:
        chain = graph.way(node, lambda other: other in graph.direct and other[0] in moves.asked)
        if chain is not None:
            return Explained(change, f"{needs} {_names(chain[:-1])}; {moves.asked[chain[0][0]].text}")
    chain = next(filter(None, map(graph.from_direct, nodes)), None)
    if chain is None:
        return Explained(change)
    who = f"{needs} {_names(chain[:-1])} (of {listed(graph.direct[chain[0]])})"
    return Explained(change, who + (", which did not move" if moves.complete else ""))


def _fate(change: Change) -> str:
    return "is new" if change.old is None else "is gone" if change.new is None else "moved"


def _names(chain: list[Node]) -> str:
    return " → ".join(name for name, _ in chain)
