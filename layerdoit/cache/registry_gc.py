"""Removes from a registry what its retention lets go, and exactly what was shown; what moved meanwhile stays."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Final

from layerdoit.cache import registry_contents, registry_needs, registry_policy
from layerdoit.cache.clear import CANCELLED, REFUSED, interruptible
from layerdoit.cache.registry_contents import Contents, each
from layerdoit.cache.registry_needs import Needs
from layerdoit.cache.registry_policy import FAMILIES, Family, Holding, Rule, Stored
from layerdoit.core.console import say, warn
from layerdoit.core.errors import ConfigError, EngineError
from layerdoit.core.prose import confirm, listed
from layerdoit.core.units import age_text, count_text, size_text
from layerdoit.engine.registry_access import RegistryError
from layerdoit.engine.registry_api import RegistryApi
from layerdoit.publish import place

if TYPE_CHECKING:
    from layerdoit.config import RegistryRetention
    from layerdoit.core.state import State
    from layerdoit.project.inputs import Inputs
    from layerdoit.project.project import Project

_NOTE: Final = "registry_gc.json"
_TRIED: Final = 4
"""So many are removed first: a registry that refuses them all for one reason refuses the others, too."""
_FOR_ALL: Final = ("unchangeable", "login", "rights", "refused", "name", "silent")
_SHOWN: Final = 5


@dataclass(frozen=True)
class Repository:
    """What one holds, what stays whatever the rules say, and what goes. `at`: when that was asked."""

    contents: Contents
    kept: Mapping[str, str]
    going: tuple[Stored, ...] = ()
    spared: tuple[Stored, ...] = ()
    at: float = 0.0


def repositories(project: Project) -> tuple[str, ...]:
    """Where layers and versions of a project are pushed to. ConfigError where nothing says so."""
    found = [project.config.registry.repository] if project.config.registry.repository else []
    for one in project.images:
        try:
            found.append(place.of(one))
        except ConfigError:
            if not found:
                raise
    return tuple(dict.fromkeys(found))


def rules_of(chosen: RegistryRetention) -> Mapping[Family, Rule]:
    """The rule of each family."""
    return {family: getattr(chosen, family) for family in FAMILIES}


def look(api: RegistryApi, project: Project, needs: Needs, *, deciding: bool = True) -> Repository:
    """Read a repository, and decide. Removes nothing."""
    now, chosen = time.time(), project.config.registry.retention
    left = [digest for digest, where in project.state.note(_NOTE).items() if where == api.repository]
    contents = registry_contents.read(api, registry_contents.whose_in(project), now, left)
    rules = rules_of(chosen)

    def decided(kept: Mapping[str, str]) -> tuple[Stored, ...]:
        return registry_policy.decide(contents.stored, rules, kept, now, left)

    kept = registry_needs.kept(contents.stored, needs, chosen.keep_tags)
    if not deciding:
        return Repository(contents, kept, at=now)
    contents = registry_contents.with_attached(api, contents, [one.digest for one in decided(kept)])
    going = decided(kept)
    names = {one.digest for one in going}
    spared = tuple(one for one in decided({}) if one.digest in kept and one.digest not in names)
    return Repository(contents, kept, going, spared, now)


def looked_at(several: Sequence[Inputs]) -> list[Repository]:
    """Each repository, with what would go. What is protected is not known where something does not answer."""
    project = several[0].project
    apis = [RegistryApi.of(name) for name in repositories(project)]
    try:
        needs = registry_needs.gather(several, project.config.registry.retention.protect)
    except EngineError as error:
        warn(f"{error}")
        return [look(api, project, Needs(), deciding=False) for api in apis]
    return [look(api, project, needs) for api in apis]


def run(several: Sequence[Inputs], *, yes: bool, dry_run: bool) -> int:
    """Show what goes, ask, remove it; the exit code. `several`: the tree's inputs, for each platform."""
    project = several[0].project
    chosen = project.config.registry.retention
    names = repositories(project)
    if chosen.idle:
        say("registry_gc: `registry.retention` in layerdoit.yaml sets no limit; nothing to remove")
        return 0
    apis = [RegistryApi.of(name) for name in names]
    needs = registry_needs.gather(several, chosen.protect)
    found = [look(api, project, needs) for api in apis]
    for one in found:
        say(preview(project.name, one))
    if dry_run or not any(one.going for one in found):
        return 0
    if not yes and (declined := _declined()):
        return declined
    failed = 0
    with interruptible("the same command again"):
        for api, one in zip(apis, found, strict=True):
            removal = Removal(api, one, project.state)
            removal.carry_out()
            say(removal.words)
            failed += len(removal.failed)
    return 1 if failed else 0


def _declined() -> int:
    agreed = confirm("remove that from the registry?")
    if agreed is None:
        words = "registry_gc needs confirmation, and there is no terminal to ask on; nothing was removed"
        warn(f"error: {words}\nnext: doit registry_gc --yes")
        return REFUSED
    if not agreed:
        say("cancelled; nothing was removed")
        return CANCELLED
    return 0


# --- words -----------------------------------------------------------------------------------------------------------


def preview(project: str, one: Repository) -> str:
    """What goes, with what goes along, and what would but stays."""
    where = f"registry_gc of project {project} in {one.contents.repository}"
    parts = registry_policy.released(one.contents.stored, one.going)
    size = size_text(sum(parts.values()))
    lines = [f"{where} removes at most {size}:" if one.going else f"{where}: nothing to remove"]
    holding, seen = Holding(one.contents.stored), set[str]()
    rooted = [root for root in one.going if root.families or not _held_by_going(holding, one, root)]
    for root in rooted:
        along = (holding.all_of([root.digest]) & parts.keys()) - {other.digest for other in rooted} - seen
        seen |= along
        own = size_text(sum(parts[name] for name in (root.digest, *along)))
        age = age_text(one.at - root.made)
        lines.append(f"  {kind_of(root):<9}{own:>8}  {name_of(root)} ({age} old{_along(holding, along)})")
    lines += [f"  keeps  {name_of(stays)}: {one.kept[stays.digest]}" for stays in one.spared]
    return "\n".join((*lines, *foreign(one.contents)))


def _held_by_going(holding: Holding, one: Repository, follower: Stored) -> bool:
    return any(follower.digest in holding.held[other.digest] for other in one.going)


def _along(holding: Holding, digests: Collection[str]) -> str:
    several = [holding.by_digest[name] for name in digests]
    attached = sum(bool(one.subject) for one in several)
    words = [(len(several) - attached, "part"), (attached, "attachment")]
    found = " and ".join(count_text(number, noun) for number, noun in words if number)
    return f", with {found}" if found else ""


def name_of(one: Stored) -> str:
    """How people find it."""
    return ", ".join(one.tags) or one.digest[:19]


def kind_of(one: Stored) -> str:
    """What a manifest is, in a word."""
    if one.tags and (one.whose == "theirs" or one.strange):
        return "other"
    return one.families[-1] if one.families else "attached" if one.subject else "part"


def foreign(contents: Contents) -> list[str]:
    """Lines on what is not this project's: it is never touched."""
    others = [one for one in contents.stored if one.tags and (one.strange or (one.whose != "ours" and not one.subject))]
    names = sorted(tag for one in others for tag in one.tags)
    return [f"  not touched: {count_text(len(names), 'tag')} of others: {listed(names, _SHOWN)}"] if names else []


# --- the deed --------------------------------------------------------------------------------------------------------


@dataclass
class Removal:
    """Removes what was decided. `failed`: by digest, what the registry said; `moved`: what is used again meanwhile."""

    api: RegistryApi
    repository: Repository
    state: State
    removed: list[Stored] = field(default_factory=list)
    failed: dict[str, RegistryError] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)

    def carry_out(self) -> None:
        """What holds others first; where that stays, they stay. A RegistryError where nothing at all may be removed."""
        going = {one.digest: one for one in self.repository.going}
        holding = Holding(self.repository.contents.stored)
        order = TopologicalSorter[str](dict.fromkeys(going, ()))
        for name in going:
            for other in holding.held[name]:
                if other in going:
                    order.add(other, name)
        order.prepare()
        stays: set[str] = set()
        self._note([one for one in going.values() if not one.families])
        first = True
        while order.is_active():
            ready = list(order.get_ready())
            while ready:
                part, ready = (ready[:_TRIED], ready[_TRIED:]) if first else (ready, [])
                stays |= holding.all_of(self._named_since())
                self._remove([going[name] for name in part if name not in stays])
                if first and not self.removed and len(self.failed) == len(part):
                    self._give_up()
                first = False
                stays |= holding.all_of([*self.failed, *self.moved])
                order.done(*part)
        self.moved |= (stays & going.keys()) - self.failed.keys() - {one.digest for one in self.removed}
        self._note([])

    def _remove(self, several: Sequence[Stored]) -> None:
        for one, error in zip(several, each(several, self._gone), strict=True):
            if error is not None:
                self.failed[one.digest] = error
            elif one.digest not in self.moved:
                self.removed.append(one)

    def _gone(self, one: Stored) -> RegistryError | None:
        """Remove one with all its tags, unless one of them stands for something else by now."""
        try:
            if any(self.api.digest(tag) not in ("", one.digest) for tag in one.tags):
                self.moved.add(one.digest)
                return None
            # One that somebody else removed is removed.
            self.api.delete(one.digest)
        except RegistryError as error:
            return error
        return None

    def _named_since(self) -> set[str]:
        """What got a tag since it was read, or is listed by something that did."""
        before, tags = self.repository.contents.tags, self.api.tags()
        now = dict(zip(tags, each(tags, self.api.digest), strict=True))
        new = [tag for tag, digest in now.items() if digest not in ("", before.get(tag, ""))]
        found = [one for one in each(new, self.api.manifest) if one is not None]
        known = {one.digest for one in self.repository.contents.stored}
        return known & {name for one in found for name in (one.digest, *(child.digest for child in one.children))}

    def _give_up(self) -> None:
        refusals = {error.refusal.kind for error in self.failed.values()}
        if len(refusals) == 1 and refusals <= set(_FOR_ALL):
            self._note([])
            raise next(iter(self.failed.values()))

    def _note(self, followers: Iterable[Stored]) -> None:
        """Have the next collection know what has no name any more, should this one be interrupted."""
        here = self.api.repository
        new = {one.digest: here for one in followers}
        self.state.change_note(_NOTE, lambda known: {**{n: at for n, at in known.items() if at != here}, **new})

    @property
    def words(self) -> str:
        """What was done, and what was not."""
        where = self.repository.contents.repository
        size = size_text(registry_policy.freed(self.repository.contents.stored, self.removed))
        count = count_text(len(self.removed), "manifest")
        lines = [f"removed {count} from {where}: at most {size}, which its own garbage collection frees"]
        if self.moved:
            lines.append(f"left {count_text(len(self.moved), 'manifest')} that something uses again meanwhile")
        for name, error in list(self.failed.items())[:_SHOWN]:
            lines.append(f"error: {error.what if name in error.what else f'{name}: {error.what}'}\nnext: {error.hint}")
        if len(self.failed) > _SHOWN:
            lines.append(f"and {len(self.failed) - _SHOWN} more were not removed")
        return "\n".join(lines)
