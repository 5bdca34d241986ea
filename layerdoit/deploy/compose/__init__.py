"""Deploy as a service of the user's own compose file: our image by an override file, replaced only by a healthy one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.deploy.docker.swap import PHASES

if TYPE_CHECKING:
    from layerdoit.deploy.provider import Provider
    from layerdoit.deploy.settings import DeploySettings

__all__ = ["PHASES", "provider"]


def provider(settings: DeploySettings) -> Provider:
    """See `ProviderModule`."""
    from layerdoit.deploy.compose.service_deployment import ComposeProvider

    return ComposeProvider(settings)
