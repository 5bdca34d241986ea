"""Services, as settings: what all have stands at the top, what one has in its own part; and pages served beside. Pure.

proposed(found, components) -> Services
items(found, services, components, project, name) -> Iterator[Item]
parts(found, services) -> tuple[Found, ...]      # each program by itself, as if it were the only one
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.config import repository_name
from layerdoit.init import folders_of_user, image_settings, run_items
from layerdoit.init.items import Item, in_order, unique
from layerdoit.init.service_shapes import ServiceFound

if TYPE_CHECKING:
    from layerdoit.init.found import Found
    from layerdoit.init.front_end_items import Proposed

_SHORT: Final[Mapping[str, str]] = {"deploy.port": "port", "deploy.health.path": "health"}
_OWN: Final = ("deploy.port", "deploy.publish", "deploy.health", "image.expose", "image.entrypoint")
"""What two services have alike by chance."""
_OF_SERVICES: Final = ("image.", "deploy.", "base.runtime_image")
# In a table of services, the name is what others find it by.
_COMPOSED: Final = re.compile(r"network|isolated|provider|compose-service")
_PAGE_PORT: Final = 8088


class PageService(NamedTuple):
    """A service that serves a component. `proxy`: (path, address) of what it hands on, and to which services."""

    name: str
    component: str
    why: str
    port: int
    proxy: tuple[tuple[str, str], ...] = ()
    needs: tuple[str, ...] = ()


class Services(NamedTuple):
    """Those that are proposed; none of both where the project is one image."""

    programs: tuple[ServiceFound, ...] = ()
    pages: tuple[PageService, ...] = ()


def proposed(found: Found, components: Sequence[Proposed]) -> tuple[Services, tuple[Proposed, ...]]:
    """The services, and the components, of which those that a page serves are no longer comments."""
    free = [one for one in components if one.unused and not one.front.instead and not one.front.package.doubtful]
    programs = found.services
    if free and not programs:
        programs = tuple(_alone(found))
    ports = _ports(found, programs)
    if not free or not ports:
        return Services(found.services), tuple(components)
    pages: list[PageService] = []
    for one in free:
        taken = {name for name, _ in ports} | {page.name for page in pages} | {each.name for each in programs}
        name = _page_name(one, found, taken)
        port = next(port for port in range(_PAGE_PORT, 65536) if port not in {number for _, number in ports})
        ports.append((name, port))
        pages.append(_page(one, name, port, ports))
    served = tuple(one._replace(problem="") if one in free else one for one in components)
    return Services(programs, tuple(pages)), served


def of(found: Found, services: Services) -> Services:
    """The same services, of what was found after something was taken from it."""
    if found.services or not services.programs:
        return services._replace(programs=found.services)
    return services._replace(programs=tuple(_alone(found)))


def _alone(found: Found) -> Iterator[ServiceFound]:
    """The only image, as a service beside a page."""
    if found.selection is None or not found.selection.bins:
        return
    project = repository_name(found.workspace.root_package or found.root.name)
    owners = {name: (key, name) for key, name in found.selection.bins}
    started = image_settings.started(found)
    first = started.value if started else found.runs.program[0] if found.runs.program else ""
    pairs = sorted(found.selection.bins, key=lambda pair: pair[1] != first)
    name = re.sub(r"[^a-z0-9]+", "-", pairs[0][1].lower()).strip("-")
    short = name.removeprefix(f"{project}-")
    where = found.runs.listens[0].where if found.runs.listens else ""
    why = f"{where} serves" if where else f"one of {len(owners)} programs" if len(owners) > 1 else "the only program"
    selection = found.selection._replace(bins=tuple(pairs))
    yield ServiceFound("api" if short == project else short, why, selection, found.hints, found.runs)


def _ports(found: Found, programs: Sequence[ServiceFound]) -> list[tuple[str, int]]:
    return [
        (program.name, item.value)
        for program in programs
        for item in _own_items(_part(found, program), "")
        if item.path == "deploy.port" and item.active
    ]


def _page_name(one: Proposed, found: Found, taken: Collection[str]) -> str:
    """As a compose file calls what it builds from the folder."""
    composed = [hint.value for hint in found.hints if hint.kind == "beside" and hint.why == one.front.package.folder]
    names = (name for name in (*composed, "page") if re.fullmatch(r"[a-z0-9-]+", name) and name != one.name)
    return next((name for name in names if name not in taken), f"{one.name}-page")


def _page(one: Proposed, name: str, port: int, ports: Sequence[tuple[str, int]]) -> PageService:
    proxy = []
    needs = []
    for path, address in one.front.pages.also:
        for service, number in ports:
            if address.endswith(f":{number}") and service != name:
                proxy.append((path, f"http://{service}:{number}"))
                needs.append(service)
    why = f"{one.front.package.where}: no program is seen to serve its pages"
    return PageService(name, one.name, why, port, tuple(proxy), tuple(dict.fromkeys(needs)))


# --- settings ---------------------------------------------------------------------------------------------------------


def _part(found: Found, program: ServiceFound) -> Found:
    hints = tuple(hint for hint in program.hints if not _COMPOSED.fullmatch(hint.kind))
    return replace(found, hints=hints, runs=program.runs, selection=program.selection, services=())


def parts(found: Found, services: Services) -> tuple[Found, ...]:
    """What was found, of each program by itself."""
    return tuple(_part(found, one) for one in services.programs) if services.programs else (found,)


def items(
    found: Found, services: Services, components: Sequence[Proposed], project: str, name: str | None
) -> Iterator[Item]:
    """What containers and images have. `name`: the one that is proposed for the project."""
    if not services.programs:
        yield from _own_items(found, project, name)
        return
    every = {one.name: list(_settled(_own_items(_part(found, one), project))) for one in services.programs}
    served = {page.component for page in services.pages}
    folders = {one.front.package.folder for one in components if one.name in served}
    for one in services.programs:
        start = f"services.{one.name}"
        for place, (_, binary) in enumerate(one.selection.bins):
            yield Item(f"{start}.bins", binary, one.why if place == 0 else "beside it")
        wanted = dict(one.needs)
        yield from (Item(f"{start}.needs", needed, where) for needed, where in wanted.items())
        for hint in found.hints:
            if hint.kind == "beside" and hint.value not in wanted and hint.why not in folders:
                yield Item(f"{start}.needs", hint.value, f"of {hint.where}: if it needs it", active=False)
        for item in every[one.name]:
            if not item.path.startswith(_OF_SERVICES):
                yield item
            elif services.pages or not _common(item, list(every.values())):
                yield replace(item, path=f"{start}.{_SHORT.get(item.path, item.path)}")
            elif one is services.programs[0]:
                yield item
    for page in services.pages:
        start = f"services.{page.name}"
        yield Item(f"{start}.serve", page.component, page.why)
        yield Item(f"{start}.port", page.port, "where nginx listens")
        yield from (Item(f"{start}.needs", needed, "which it hands requests on to") for needed in page.needs)
        for path, address in page.proxy:
            yield Item(f"{start}.static.proxy", (path, address), "as the development server does")


def _settled(items: Iterator[Item]) -> list[Item]:
    return in_order(unique(items))


def _own_items(found: Found, project: str, name: str | None = None) -> Iterator[Item]:
    yield from run_items.items(found, project)
    yield from image_settings.items(found, name)
    yield from folders_of_user.items(found, project)


def _common(item: Item, every: Sequence[Sequence[Item]]) -> bool:
    """Whether all have the same; of arguments, all words together."""
    if item.path.startswith(_OWN):
        return False
    if item.path in ("image.cmd", "deploy.args"):
        said = [[one.value for one in own if one.path == item.path and one.active] for own in every]
        return all(words == said[0] for words in said)
    return all(any(one.path == item.path and one.value == item.value for one in own) for own in every)
