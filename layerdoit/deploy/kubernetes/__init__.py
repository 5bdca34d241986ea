"""Deploy to a namespace of a Kubernetes cluster: the user's manifests, with the digest of the release in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.deploy.kubernetes.kube_phases import PHASES

if TYPE_CHECKING:
    from layerdoit.deploy.provider import Provider
    from layerdoit.deploy.settings import DeploySettings

__all__ = ["PHASES", "provider"]


def provider(settings: DeploySettings) -> Provider:
    """See `ProviderModule`."""
    from layerdoit.deploy.kubernetes.cluster import KubernetesProvider

    return KubernetesProvider(settings)
