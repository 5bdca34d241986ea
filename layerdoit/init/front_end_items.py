"""Components for front ends, as settings and remarks; what they make is not asked for in another way. Pure.

proposed(found) -> tuple[Proposed, ...]
relieved(found, proposed) -> Found            # without what the proposed components do
items(found, proposed) -> Iterator[Item]
remarks(found, proposed) -> Iterator[str]
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.config.components_section import Component
from layerdoit.core.prose import listed
from layerdoit.init import run_items
from layerdoit.init.items import Item
from layerdoit.init.places import reachable

if TYPE_CHECKING:
    from layerdoit.init.found import Found
    from layerdoit.init.front_end_uses import FrontEnd
    from layerdoit.init.hints import Hint
    from layerdoit.init.run_time import RunTime

_ONLY_NPM: Final = re.compile(
    r"the stage .* also runs `(?:npm|pnpm|yarn)\b[^`]*`(?:(?:, | and )`(?:npm|pnpm|yarn)\b[^`]*`)*, and our"
)
_UNUSED: Final = "nothing is known to use its pages"
_RUST_EMBED: Final = "rust-embed in a dev build"


class Proposed(NamedTuple):
    """A component. `problem`: why it is only shown as a comment."""

    name: str
    front: FrontEnd
    build: str
    manager: str | None = None
    problem: str = ""

    @property
    def active(self) -> bool:
        return not self.problem

    @property
    def unused(self) -> bool:
        """Whether nothing is wrong with it, but that nothing has its pages."""
        return self.problem == _UNUSED


def proposed(found: Found) -> tuple[Proposed, ...]:
    """A component for each front end that a component can build, with a name of its own."""
    made: list[Proposed] = []
    # Images of services and of components are called by these names.
    taken = {service.name for service in found.services}
    for front in found.front_ends:
        if front.pages.problem or front.package.folder.startswith(".."):
            continue
        made.append(_proposed(front, _name(front, {*taken, *(other.name for other in made)})))
    return tuple(made)


def _name(front: FrontEnd, taken: Collection[str]) -> str:
    """That of its folder; where another one has that, with the folder around it."""
    parts = [re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in front.package.folder.split("/")]
    names = [part for part in parts if part]
    every = ["-".join(names[start:]) for start in range(len(names) - 1, -1, -1)] or ["web"]
    numbered = (f"{every[-1]}-{number}" for number in range(2, 100))
    return next(name for name in (*every, *numbered) if name not in taken)


def _proposed(front: FrontEnd, name: str) -> Proposed:
    package = front.package
    managers = package.builders
    chosen = package.manager if package.manager in managers else managers[0] if managers else None
    script = front.pages.command
    build = f"{chosen or 'npm'} run {script}"
    if package.needs and chosen == "pnpm" and package.name:
        build = f"pnpm --filter {package.name}... run {script}"
    one = Proposed(name, front, build, chosen if len(managers) > 1 else None)
    return one._replace(problem=_problem(one, chosen))


def _problem(one: Proposed, manager: str | None) -> str:
    front = one.front
    if manager is None:
        return f"{front.package.home} has no lock file of npm, pnpm or yarn"
    if front.by_script is not None:
        return f"{front.by_script} runs a package manager itself"
    if front.package.rust:
        return f"its script runs {front.package.rust}"
    if front.pages.output.startswith(".."):
        return f"it writes to {front.output}, outside of its folder"
    if not front.is_used:
        return f"{front.instead[1]} compiles in another folder" if front.instead else _UNUSED
    return ""


# --- settings ---------------------------------------------------------------------------------------------------------


def items(found: Found, components: Sequence[Proposed]) -> Iterator[Item]:
    """The settings of each; what is as by default is left out, but for folder and output."""
    default = Component()
    for one in components:
        start, front = f"components.{one.name}", one.front
        why = f"{front.package.where}: {front.pages.tool} makes its pages"
        if one.problem:
            why = f"{why}; {one.problem}"
        settings = [Item(f"{start}.path", front.package.folder, why)]
        if one.manager is not None:
            settings.append(Item(f"{start}.manager", one.manager, f"lock files of {listed(front.package.builders)}"))
        if one.build != default.build:
            settings.append(Item(f"{start}.build", one.build, front.package.where))
        settings.append(Item(f"{start}.output", front.pages.output, front.pages.where))
        settings += _used(found, start, front)
        settings += _services(found, start, front)
        yield from (replace(item, active=one.active) for item in settings)


def _used(found: Found, start: str, front: FrontEnd) -> Iterator[Item]:
    if front.embedded is not None:
        yield Item(f"{start}.embed", True, f"{front.embedded} compiles it in")
        if front.opened is not None and front.opened.what == _RUST_EMBED:
            why = f"{front.opened.where}: {_RUST_EMBED} reads it there"
            yield Item(f"{start}.into", run_items.place_of(found, front.opened), why)
    elif front.copied is not None:
        yield Item(f"{start}.into", reachable(front.copied[0]), f"from {front.copied[1]}")
    elif front.opened is not None:
        yield Item(
            f"{start}.into", run_items.place_of(found, front.opened), f"{front.opened.where}: {front.opened.what}"
        )


def _services(found: Found, start: str, front: FrontEnd) -> Iterator[Item]:
    """Those of several services that have the pages, where it is not all of them."""
    if front.embedded is not None or not found.services:
        return
    if front.copied is not None:
        names = [one.name for one in found.services if any(hint.where == front.copied[1] for hint in one.hints)]
    else:
        package = front.opened.package if front.opened is not None else ""
        names = [one.name for one in found.services if package in one.selection.packages]
    if 0 < len(names) < len(found.services):
        yield from (Item(f"{start}.services", name, "which has them") for name in names)


# --- what is not said twice -------------------------------------------------------------------------------------------


def relieved(found: Found, components: Sequence[Proposed]) -> Found:
    """What was found, without the files that components bring."""
    active = [one for one in components if one.active]
    if not active:
        return found
    outputs = [one.front.output for one in active]
    top = run_items.workdir(found)
    places = [str(item.value) for item in items(found, active) if item.path.endswith(".into")]

    def brought(path: str, *among: str) -> bool:
        return any(f"{path}/".startswith(f"{output}/") for output in among or outputs)

    def told(hints: Sequence[Hint]) -> tuple[Hint, ...]:
        copies = [hint for hint in hints if hint.kind == "asset" and brought(hint.value.rpartition(":")[0])]
        return tuple(hint for hint in hints if hint not in copies and not _about(hint, copies))

    def runs(one: RunTime) -> RunTime:
        missing = (
            each
            for each in one.missing
            if not (brought(each[0]) or (places and brought(posixpath.join(top, each[0]), *places)))
        )
        return replace(
            one,
            opened=tuple(each for each in one.opened if not brought(each.path)),
            missing=tuple(missing),
            ignored=tuple((path, why) for path, why in one.ignored if not brought(path)),
        )

    return replace(
        found,
        hints=told(found.hints),
        hidden=tuple((where, one) for where, one in found.hidden if not brought(one.path)),
        runs=runs(found.runs),
        services=tuple(one._replace(hints=told(one.hints), runs=runs(one.runs)) for one in found.services),
    )


def _about(hint: Hint, copies: Sequence[Hint]) -> bool:
    """Whether a note says how to have by hand what a component makes."""
    if hint.kind != "note":
        return False
    sources = [(copy.where, copy.value.rpartition(":")[0]) for copy in copies]
    by_hand = any(hint.where == where and f"{source}: " in hint.value for where, source in sources)
    return (
        by_hand
        or any(hint.where == where and f"no {source} in" in hint.value for where, source in sources)
        or bool(_ONLY_NPM.match(hint.value))
    )


# --- remarks ----------------------------------------------------------------------------------------------------------


def remarks(found: Found, components: Sequence[Proposed]) -> Iterator[str]:
    """Front ends that no component can build, or that somebody has to decide on, with what to do."""
    for front in found.front_ends:
        if front.pages.problem:
            yield f"{front.package.where}: {front.pages.problem}"
        elif front.package.folder.startswith(".."):
            builder = next(iter(front.package.builders), "npm")
            yield (
                f"{front.package.where}: {front.pages.tool} makes pages beside this project, and a component is "
                'inside of it: with a Cargo.toml in the folder above ([workspace] members = ["'
                f'{found.root.name}"]), and init there, it is; until then, hooks: {{before_build: [cd '
                f"{front.package.folder} && {builder} run {front.pages.command}]}} makes {front.output} on this machine"
            )
    for one in components:
        front, package = one.front, one.front.package
        if not one.problem:
            continue
        if not package.locks:
            folder = "" if package.home == "." else f" in {package.home}"
            yield (
                f"{package.where}: {front.pages.tool} makes pages, and no lock file says with which packages: run "
                f"`npm install --package-lock-only`{folder}, commit package-lock.json, and run this again"
            )
        elif front.by_script is not None:
            yield (
                f"{front.by_script} runs a package manager, and builds have neither Node nor a network: let it take "
                f"{front.output} where that is there already, and have it made first by the component {one.name}, with "
                "embed: true"
            )
        elif package.rust:
            yield (
                f"{package.where}: the script that makes the pages runs {package.rust}, and the image of a component "
                "has no Rust: run that by hooks: {before_build: […]}, name what it makes in sources.include, and let "
                f"the component {one.name} run a script without it"
            )
        elif front.pages.output.startswith(".."):
            yield (
                f"{front.pages.where}: {front.pages.tool} writes to {front.output}, outside of {package.folder}, and a "
                f"component's output is inside its folder: let it write to dist, and what has the pages take them from "
                f"{posixpath.join(package.folder, 'dist')}"
            )
        elif front.instead is not None:
            yield (
                f"{front.instead[1]} compiles in {front.instead[0]}, and {front.pages.tool} writes to {front.output}: "
                f"let the crate take them from there, then the component {one.name} with embed: true builds them first"
            )
        elif not front.is_used:
            yield (
                f"{package.where}: {front.pages.tool} makes pages in {front.output}, which nothing here is seen to "
                f"serve; with `into:`, they are in the image of the program; with services: {{page: {{serve: "
                f"{one.name}}}}}, they are an image of their own"
            )
