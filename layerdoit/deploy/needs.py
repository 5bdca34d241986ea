"""What a service needs beside it: containers of images that we do not build, and services of a compose file.

They are started where they do not run, waited for, and otherwise left alone. Services of ours are deployed in the order
of their needs, which is not done here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from layerdoit.core.errors import DeployError
from layerdoit.deploy.docker.foreign import Foreign, Had

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings


def check(settings: DeploySettings) -> None:
    """Raise where something that a service needs does not exist. Starts nothing."""
    if settings.config.provider == "docker":
        _, of_compose = _apart(settings)
        if of_compose:
            from layerdoit.deploy.compose.needed_services import NeededServices

            NeededServices(settings, of_compose).check()


def lacking(settings: DeploySettings) -> tuple[str, ...]:
    """What is not up and healthy at this moment, of what `have` would start."""
    if not settings.needs or settings.config.provider != "docker":
        return ()
    foreign, of_compose = _apart(settings)
    found = [one.service for one in foreign if Foreign(one).lacking()]
    if of_compose:
        from layerdoit.deploy.compose.needed_services import NeededServices

        found += NeededServices(settings, of_compose).lacking()
    return tuple(found)


def have(settings: DeploySettings) -> Had:
    """Have what a service needs, up and healthy. Two runs, or two services in threads, may ask for the same at once.

    DeployError where something does not become healthy, with the end of its log. On another provider than docker,
    nothing is started: there, manifests and compose files say what runs beside.
    """
    if not settings.needs or settings.config.provider != "docker":
        return Had()
    foreign, of_compose = _apart(settings)
    networks, remarks = list[str](), list[str]()
    for one in foreign:
        first, had = have(one), Foreign(one).have()
        networks += had.networks
        remarks += [*first.remarks, *had.remarks]
    if of_compose:
        from layerdoit.deploy.compose.needed_services import NeededServices

        had = NeededServices(settings, of_compose).have()
        networks += had.networks
        remarks += had.remarks
    ours = [one.network for one in _of_table(settings) if not one.foreign]
    found = tuple(dict.fromkeys(name for name in (*networks, *ours) if name != settings.network))
    return Had(found, tuple(dict.fromkeys(remarks)))


def unmanaged(settings: DeploySettings) -> str:
    """Why a service of an image that is not built here is not started, with another provider; '' where it is."""
    provider = settings.config.provider
    if not settings.foreign or provider == "docker":
        return ""
    place = {"compose": "the compose file", "command": "what your commands deploy"}.get(provider, "the manifests")
    if provider == "azure-container-apps":
        place = "an app of its own"
    return f"{settings.service} ({settings.foreign}) is not started: with provider {provider}, it belongs into {place}"


def refuse(settings: DeploySettings) -> None:
    """Raise where somebody asks for a service that is not started with this provider."""
    if why := unmanaged(settings):
        raise DeployError(
            why,
            where=settings.where.get("deploy.provider"),
            hint=f"describe it there, or: services: {{{settings.service}: {{deploy: {{provider: docker}}}}}}",
        )


def _of_table(settings: DeploySettings) -> Sequence[DeploySettings]:
    table = settings.table()
    return [table[name] for name in settings.needs if name in table]


def _apart(settings: DeploySettings) -> tuple[list[DeploySettings], list[str]]:
    """Those of images that are not built here, and those of the compose file."""
    table = settings.table()
    foreign = [one for one in _of_table(settings) if one.foreign and one.config.provider == "docker"]
    return foreign, [name for name in settings.needs if name not in table]
