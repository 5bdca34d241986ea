"""A container of a deployment, as the rest of layerdoit sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.core.units import address_text
from layerdoit.deploy.provider import Service

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.engine.containers import Container, Containers


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
