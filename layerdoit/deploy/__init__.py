"""Where a built image runs. Every place stands behind the interface in `provider`, and is found in `PROVIDERS`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from layerdoit.deploy.provider import Provider, ProviderModule
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.project.project import Project

PROVIDERS: Final[Mapping[str, str]] = {
    "docker": "layerdoit.deploy.docker",
    "compose": "layerdoit.deploy.compose",
    "command": "layerdoit.deploy.commands",
}
"""Each provider, and its module (a `ProviderModule`), which is imported when it is needed."""


def provider_of(project: Project) -> Provider:
    """Where a project, or this worktree of it, is deployed in its environment."""
    return provider_with(settings_of(project))


def provider_with(settings: DeploySettings) -> Provider:
    """The provider that these settings name."""
    return module(settings.config.provider).provider(settings)


def settings_of(project: Project) -> DeploySettings:
    """The deployment of a project in its environment, with what was deployed there."""
    from layerdoit.deploy import settings
    from layerdoit.deploy.release_log import ReleaseLog

    found = settings.settings_of(project)
    return replace(found, serving=ReleaseLog(found).serving)


def phases() -> tuple[str, ...]:
    """The phases of all providers' deployments, in the order in which they are shown."""
    return tuple(dict.fromkeys(phase for name in PROVIDERS for phase in module(name).PHASES))


def module(name: str) -> ProviderModule:
    """The module of a provider."""
    return cast("ProviderModule", import_module(PROVIDERS[name]))
