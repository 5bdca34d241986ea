"""Where a built image runs. Every place stands behind the interface in `provider`, and is found in `PROVIDERS`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from layerdoit.deploy.provider import Held, Provider, ProviderModule
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.project.project import Project

PROVIDERS: Final[Mapping[str, str]] = {
    "docker": "layerdoit.deploy.docker",
    "compose": "layerdoit.deploy.compose",
    "azure-container-apps": "layerdoit.deploy.azure",
    "kubernetes": "layerdoit.deploy.kubernetes",
    "command": "layerdoit.deploy.commands",
}
"""Each provider, and its module (a `ProviderModule`), which is imported when it is needed."""


def provider_of(project: Project) -> Provider:
    """Where a project, or this worktree of it, is deployed in its environment."""
    return provider_with(settings_of(project))


def provider_with(settings: DeploySettings) -> Provider:
    """The provider that these settings name."""
    return module("docker" if settings.foreign else settings.config.provider).provider(settings)


def settings_of(project: Project) -> DeploySettings:
    """The deployment of a project in its environment, with what was deployed there."""
    from layerdoit.deploy import settings
    from layerdoit.deploy.release_log import ReleaseLog

    found = settings.settings_of(project)
    return replace(found, serving=ReleaseLog(found).serving)


def held(project: Project) -> tuple[Held, ...]:
    """The images that the project's deployments run, and those that they could go back to, in all environments."""
    from layerdoit.core.console import warn
    from layerdoit.core.errors import LayerdoitError
    from layerdoit.deploy import release_log
    from layerdoit.deploy.provider import Held
    from layerdoit.deploy.release_log import ReleaseLog

    found: list[Held] = []
    for one in project.services.values() or (project,):
        settings = settings_of(one)
        try:
            found += provider_with(settings).holds()
        except LayerdoitError as error:
            # A cluster that cannot be asked runs what was deployed to it, and the log has that.
            warn(f"what {settings.name} runs is taken from the log of releases: {error.what}")
        good = release_log.kept(ReleaseLog(settings).entries())
        found += (Held(f"release {entry.id} of {entry.deployment}", entry.image, entry.key) for entry in good)
    return tuple(found)


def phases() -> tuple[str, ...]:
    """The phases of deployments, in the order in which they are shown: all providers', between those of everybody."""
    found = (phase for name in PROVIDERS for phase in module(name).PHASES)
    return tuple(dict.fromkeys(("push", *found, "verify")))


def module(name: str) -> ProviderModule:
    """The module of a provider."""
    return cast("ProviderModule", import_module(PROVIDERS[name]))
