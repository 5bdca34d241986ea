"""A container of a deployment, as the rest of layerdoit sees it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from layerdoit.core.units import address_text
from layerdoit.deploy.provider import Service
from layerdoit.engine.ownership import FOLDER

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.engine.container import Container
    from layerdoit.engine.containers import Containers
    from layerdoit.engine.ownership import Owner


def service(container: Container, settings: DeploySettings, containers: Containers) -> Service:
    """A candidate has no address: it serves nobody yet."""
    bound = container.ports.get(settings.config.port or 0)
    address = url = None
    if bound and container.label("role") == "serving":
        address = address_text(containers.published_host(settings.config.bind), bound[1])
        # What publishes a port is, as far as we know, an HTTP service.
        url = f"http://{address}"
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
