"""What a registry's retention lets go. Pure decisions on what was found there; `registry_gc` carries them out.

Manifests hold one another: an index those that it lists, an image what is attached to it (signatures, SBOMs). What
stays holds all that it holds; a manifest that nobody tagged goes only with what held it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Final, Literal, Protocol

Family = Literal["base", "deps", "app", "artefacts", "versions"]
Whose = Literal["ours", "theirs", "nobody"]

FAMILIES: Final[tuple[Family, ...]] = ("base", "deps", "app", "artefacts", "versions")


class Rule(Protocol):
    """What is kept of a family; a section of the configuration."""

    @property
    def max_bytes(self) -> int | None: ...

    @property
    def min_age(self) -> float: ...

    @property
    def floor(self) -> int: ...

    @property
    def idle(self) -> bool: ...


@dataclass(frozen=True)
class Stored:
    """A manifest in the registry.

    `families`: of its tags; `strange`: one of its tags is none of ours, so that it stays. `group`: in which `keep_last`
    counts. `made`: seconds since 1970. `children`: what it lists, as far as it is there; `subject`: what it is attached
    to. `blobs`: bytes by digest. `whose`: `nobody` where nothing says, such as of a signature.
    `config`: digest of an image's configuration, which is its id on many engines.
    """

    digest: str
    tags: tuple[str, ...] = ()
    families: tuple[Family, ...] = ()
    strange: bool = False
    group: str = ""
    made: float = 0.0
    children: tuple[str, ...] = ()
    subject: str = ""
    blobs: Mapping[str, int] = field(default_factory=dict)
    whose: Whose = "ours"
    labels: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    config: str = ""


class Holding:
    """What holds what, in one repository."""

    def __init__(self, stored: Iterable[Stored]) -> None:
        self.by_digest: Mapping[str, Stored] = {one.digest: one for one in stored}

    @cached_property
    def held(self) -> Mapping[str, tuple[str, ...]]:
        """By digest, the manifests that a manifest holds: first what it lists, then what is attached to it."""
        found = {name: [child for child in one.children if child in self.by_digest] for name, one in self._items()}
        for name, one in self._items():
            if one.subject in found:
                found[one.subject].append(name)
        return {name: tuple(dict.fromkeys(several)) for name, several in found.items()}

    @cached_property
    def lists(self) -> Mapping[str, tuple[str, ...]]:
        """By digest, the indexes that list a manifest."""
        found: dict[str, list[str]] = {name: [] for name in self.by_digest}
        for name, one in self._items():
            for child in one.children:
                if child in found:
                    found[child].append(name)
        return {name: tuple(several) for name, several in found.items()}

    def _items(self) -> Iterable[tuple[str, Stored]]:
        return self.by_digest.items()

    def all_of(self, roots: Iterable[str]) -> set[str]:
        """Some manifests with all that they hold."""
        return _reached(roots, self.held)

    def parts_of(self, roots: Iterable[str]) -> set[str]:
        """Some manifests with those that they list."""
        lists = {name: [part for part in one.children if part in self.by_digest] for name, one in self._items()}
        return _reached(roots, lists)

    def above(self, digests: Iterable[str]) -> set[str]:
        """Some manifests with all that list them."""
        return _reached(digests, self.lists)

    def in_order(self, digests: Collection[str]) -> tuple[Stored, ...]:
        """What holds others comes before them: what is interrupted never leaves half an image that has a name."""
        chosen = set(digests)
        order = TopologicalSorter[str](dict.fromkeys(sorted(chosen), ()))
        for name in sorted(chosen):
            for other in self.held[name]:
                if other in chosen:
                    order.add(other, name)
        return tuple(self.by_digest[name] for name in order.static_order())

    def bytes_of(self, digests: Iterable[str]) -> int:
        """Bytes of some manifests and what they hold, each blob once."""
        found: dict[str, int] = {}
        for name in digests:
            found |= self.by_digest[name].blobs
        return sum(found.values())


def decide(
    stored: Collection[Stored],
    rules: Mapping[Family, Rule],
    kept: Mapping[str, str],
    now: float,
    left: Collection[str] = (),
) -> tuple[Stored, ...]:
    """What may go, in the order in which it can. `kept`: digests of what stays whatever the rules say, with the reason.

    `left`: what an earlier removal that did not end left without what held it. Asked again when all that is gone, it
    names nothing.
    """
    holding = Holding(stored)
    followers = {one.digest for one in stored if _follows(one)} - kept.keys()
    # What nothing holds has nothing to go with.
    held = {name for several in holding.held.values() for name in several}
    followers &= held | set(left)
    firm = _firm(stored, rules, now) | holding.above(name for name in kept if name in holding.by_digest)
    open_to = holding.by_digest.keys() - followers - firm
    open_to -= holding.all_of(holding.by_digest.keys() - followers - open_to)
    chosen = set(open_to)
    for family in FAMILIES:
        if family in rules:
            mine = [one for one in stored if family in one.families]
            chosen &= _chosen(holding, mine, open_to, rules[family]) | {
                name for name in chosen if family not in holding.by_digest[name].families
            }
    stays = holding.all_of(holding.by_digest.keys() - followers - chosen)
    chosen = (chosen | followers & set(left)) - stays
    gone = holding.all_of(chosen) - stays
    return holding.in_order(gone)


def freed(stored: Iterable[Stored], gone: Iterable[Stored]) -> int:
    """Bytes that nothing which stays in the repository needs."""
    return sum(released(stored, gone).values())


def released(stored: Iterable[Stored], gone: Iterable[Stored]) -> Mapping[str, int]:
    """Of manifests that go one after the other, the bytes that each releases, by digest."""
    users = Counter(name for one in stored for name in one.blobs)
    found = {}
    for one in gone:
        users.subtract(one.blobs.keys())
        found[one.digest] = sum(size for name, size in one.blobs.items() if users[name] == 0)
    return found


def _follows(one: Stored) -> bool:
    """Whether it goes with what holds it, and only then."""
    return not one.families and not one.strange and one.whose != "theirs"


def _firm(stored: Iterable[Stored], rules: Mapping[Family, Rule], now: float) -> set[str]:
    """What stays by itself: others', what has no tag of ours, what is young or the newest, what no rule is about."""
    ours = [one for one in stored if one.whose == "ours" and one.families]
    found = {one.digest for one in stored if one.whose != "ours" or one.strange or not one.families}
    for family in FAMILIES:
        mine = [one for one in ours if family in one.families]
        rule = rules.get(family)
        if rule is None or rule.idle:
            found |= {one.digest for one in mine}
            continue
        found |= {one.digest for one in mine if now - one.made < rule.min_age}
        ranked: dict[str, list[str]] = {}
        for one in sorted(mine, key=lambda one: (-one.made, one.digest)):
            ranked.setdefault(one.group, []).append(one.digest)
        found |= {name for several in ranked.values() for name in several[: rule.floor]}
    return found


def _chosen(holding: Holding, mine: Collection[Stored], open_to: Collection[str], rule: Rule) -> set[str]:
    """Of a family, those that go: all that may, or with a limit of bytes the oldest until the rest fits."""
    able = sorted((one for one in mine if one.digest in open_to), key=lambda one: (one.made, one.digest))
    if rule.max_bytes is None:
        return {one.digest for one in able}
    left = {one.digest for one in mine}
    gone: set[str] = set()
    while holding.bytes_of(holding.all_of(left)) > rule.max_bytes:
        # What something else lists frees nothing before that is gone.
        held = {child for name in left for child in holding.held[name]}
        first = next((one.digest for one in able if one.digest not in gone | held), None)
        if first is None:
            break
        left.remove(first)
        gone.add(first)
    return gone


def _reached(roots: Iterable[str], edges: Mapping[str, Collection[str]]) -> set[str]:
    found: set[str] = set()
    todo = list(roots)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += edges[name]
    return found
