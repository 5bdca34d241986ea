"""Where images go for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.core.errors import ConfigError
from layerdoit.engine.registry_answers import has_registry

if TYPE_CHECKING:
    from layerdoit.project.project import Project


def of(project: Project) -> str:
    """The repository of a project's image, or of a service's. ConfigError where nothing names one."""
    config = project.config
    ending = f"-{project.service}" if project.service else ""
    if config.publish.repository:
        return f"{config.publish.repository}{ending}"
    if config.image.repository and has_registry(config.image.repository):
        return config.image.repository
    if config.registry.repository:
        return f"{config.registry.repository}{ending}"
    raise ConfigError(
        "nothing says where images are pushed: no setting names a repository with a registry in it",
        where=config.where.get("image.repository"),
        hint="set publish.repository: registry.example.com/team/shop",
    )
