"""A container of a deployment, as the rest of layerdoit sees it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from layerdoit.core.units import address_text
from layerdoit.deploy.provider import Service
from layerdoit.engine.images import PREFIX
from layerdoit.engine.ownership import FOLDER

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.engine.container import Container
    from layerdoit.engine.containers import Containers
    from layerdoit.engine.ownership import Owner


def port_of(container: Container, settings: DeploySettings) -> int:
    """The port that a container was started with, whatever the settings say by now; 0 for none."""
    written = container.labels.get(f"{PREFIX}port")
    return (settings.config.port or 0) if written is None else int(written or 0)


def bound(container: Container, settings: DeploySettings, containers: Containers) -> tuple[str, int] | None:
    """Host and port of this machine at which users find a container."""
    found = container.ports.get(port_of(container, settings))
    return (containers.published_host(found[0]), found[1]) if found else None


def service(container: Container, settings: DeploySettings, containers: Containers) -> Service:
    """A candidate has no address: it serves nobody yet."""
    at = bound(container, settings, containers) if container.label("role") == "serving" else None
    address = address_text(*at) if at else None
    # What publishes a port is, as far as we know, an HTTP service.
    url = f"http://{address}" if address else None
    return Service(
        container.id, container.name, container.label("key"), container.running, address, container.started_at, url
    )


def other_folder(container: Container, owner: Owner) -> str:
    """Which other clone of the project deployed a container; '' where this folder did, or nobody can tell."""
    folder = container.label(FOLDER)
    # One that is gone has moved here, or was cloned anew.
    if not folder or not os.path.isdir(folder) or not owner.made_elsewhere(container.labels):
        return ""
    return f"{container.name} was deployed from {folder}, another clone of this project"
