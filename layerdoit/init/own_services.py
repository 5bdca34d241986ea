"""The services of a compose file that are built from this project, where there are several. Pure.

each(own, services, project, files) -> tuple[OwnService, ...]
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.init import compose_service

if TYPE_CHECKING:
    from layerdoit.init.compose_service import Service
    from layerdoit.init.hints import Files, Hint

DEVELOPMENT: Final = re.compile(r"(?i)(^|[^a-z0-9])(dev|devel|development|debug|tests?|e2e|ci|watch)([^a-z0-9]|$)")
"""What names of services and files for development have in them."""
_ENDS: Final = re.compile(r"(?i)(^|[-_])(migrat\w*|seed\w*|init|setup)([-_]|$)")


class OwnService(NamedTuple):
    """`dockerfile`, `target`, `args`: what it is built from; `needs`: services that it depends on."""

    name: str
    where: str
    hints: tuple[Hint, ...]
    dockerfile: str | None
    target: str | None
    args: Mapping[str, str]
    needs: tuple[str, ...]


def each(own: Sequence[Service], services: Mapping[str, Service], project: str, files: Files) -> tuple[OwnService, ...]:
    """Those that run for as long as the project does: none for development, of a profile, or that ends."""
    lasting = [one for one in own if _lasts(one, services)]
    if len(lasting) < 2:
        return ()
    beside = [one.name for one in services.values() if one not in own]
    return tuple(_read(one, [each.name for each in lasting], beside, project, files) for one in lasting)


def _lasts(service: Service, services: Mapping[str, Service]) -> bool:
    dockerfile = compose_service.build(service)[1] or ""
    if "profiles" in service.values or DEVELOPMENT.search(f"{service.name} {dockerfile}") or _ENDS.search(service.name):
        return False
    waited = (compose_service.mapping(one.values.get("depends_on")).get(service.name) for one in services.values())
    conditions = (compose_service.mapping(node).get("condition") for node in waited)
    return all(node is None or node.text != "service_completed_successfully" for node in conditions)


def _read(service: Service, lasting: Sequence[str], beside: Sequence[str], project: str, files: Files) -> OwnService:
    """What it is, and needs. Of its own kind, an address alone tells no need: two may ask each other."""
    context, dockerfile, target = compose_service.build(service)
    built = posixpath.normpath(posixpath.join(context, dockerfile)) if dockerfile else None
    needed = compose_service.depends_on(service)
    needs = [name for name in lasting if name in needed]
    needs += [name for name in beside if name in needed or compose_service.is_named(service, name)]
    hints = tuple(compose_service.hints(service, (), project, files))
    return OwnService(
        service.name, service.where, hints, built, target, compose_service.build_args(service), tuple(needs)
    )
