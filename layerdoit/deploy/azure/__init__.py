"""Deploy to Azure Container Apps: one revision, which gets the traffic when it is healthy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.deploy.azure.rollout import PHASES

if TYPE_CHECKING:
    from layerdoit.deploy.provider import Provider
    from layerdoit.deploy.settings import DeploySettings

__all__ = ["PHASES", "provider"]


def provider(settings: DeploySettings) -> Provider:
    """See `ProviderModule`."""
    from layerdoit.deploy.azure.container_app import AzureProvider

    return AzureProvider(settings)
