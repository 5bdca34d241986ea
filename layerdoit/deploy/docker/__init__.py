"""Deploy to a Docker engine: one container, replaced only by a healthy one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.deploy.docker.swap import PHASES

if TYPE_CHECKING:
    from layerdoit.deploy.provider import Provider
    from layerdoit.deploy.settings import DeploySettings

__all__ = ["PHASES", "provider"]


def provider(settings: DeploySettings) -> Provider:
    """See `ProviderModule`."""
    if settings.foreign:
        from layerdoit.deploy.docker.foreign_provider import ForeignProvider

        return ForeignProvider(settings)
    from layerdoit.deploy.docker.deployment import DockerProvider

    return DockerProvider(settings)
