"""A container of a deployment, as the rest of layerdoit sees it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from layerdoit.core.units import address_text
from layerdoit.deploy.provider import Service
from layerdoit.engine.images import PREFIX
from layerdoit.engine.ownership import FOLDER

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.engine.container import Container
    from layerdoit.engine.containers import Containers
    from layerdoit.engine.ownership import Owner


FRONT: Final = "-front"
"""What follows the name of a deployment in the name of its front."""


def port_of(container: Container, settings: DeploySettings) -> int:
    """The port that a container was started with, whatever the settings say by now; 0 for none."""
    written = container.labels.get(f"{PREFIX}port")
    return (settings.config.port or 0) if written is None else int(written or 0)


def bound(container: Container, settings: DeploySettings, containers: Containers) -> tuple[str, int] | None:
    """Host and port of this machine at which users find a container."""
    at = front_of(container, containers) if container.label("front") else container
    found = at.ports.get(port_of(container, settings)) if at else None
    return (containers.published_host(found[0]), found[1]) if found else None


def front_of(container: Container, containers: Containers) -> Container | None:
    """The front that stands before a container, running or not."""
    if not container.label("front"):
        return None
    found = containers.inspect(container.label("deployment") + FRONT)
    if found is None or found.label("role") != "front":
        return None
    ours = ("project", "deployment", "environment")
    return found if all(found.label(name) == container.label(name) for name in ours) else None


def service(container: Container, settings: DeploySettings, containers: Containers) -> Service:
    """A candidate has no address: it serves nobody yet."""
    return at(container, bound(container, settings, containers) if container.label("role") == "serving" else None)


def at(container: Container, place: tuple[str, int] | None) -> Service:
    """A container that users find at this host and port; None where they do not."""
    address = address_text(*place) if place else None
    # What publishes a port is, as far as we know, an HTTP service.
    url = f"http://{address}" if address else None
    return Service(
        container.id,
        container.name,
        container.label("key"),
        container.running,
        address,
        container.started_at,
        url,
        release=container.label("release"),
        commit=container.label("commit"),
        digest=container.label("digest"),
    )


def other_folder(container: Container, owner: Owner) -> str:
    """Which other clone of the project deployed a container; '' where this folder did, or nobody can tell."""
    folder = container.label(FOLDER)
    # One that is gone has moved here, or was cloned anew.
    if not folder or not os.path.isdir(folder) or not owner.made_elsewhere(container.labels):
        return ""
    return f"{container.name} was deployed from {folder}, another clone of this project"
