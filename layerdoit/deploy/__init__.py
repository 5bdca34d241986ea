"""Where a built image runs. Every place stands behind the interface in `provider`, and is found in `PROVIDERS`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from layerdoit.deploy.provider import Provider, ProviderModule
    from layerdoit.project.project import Project

PROVIDERS: Final[Mapping[str, str]] = {
    "docker": "layerdoit.deploy.docker",
}
"""Each provider, and its module (a `ProviderModule`), which is imported when it is needed."""


def provider_of(project: Project) -> Provider:
    """Where a project, or this worktree of it, is deployed: no setting chooses a provider yet."""
    from layerdoit.deploy.settings import settings_of

    return module("docker").provider(settings_of(project))


def phases() -> tuple[str, ...]:
    """The phases of all providers' deployments, in the order in which they are shown."""
    return tuple(dict.fromkeys(phase for name in PROVIDERS for phase in module(name).PHASES))


def module(name: str) -> ProviderModule:
    """The module of a provider."""
    return cast("ProviderModule", import_module(PROVIDERS[name]))
