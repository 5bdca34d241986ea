"""What a provider is made from: the `deploy` section of the configuration, and whose deployment it is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit.config import FILE, Config, Deploy, Image, repository_name
from layerdoit.engine.ownership import ANYONE, Owner

if TYPE_CHECKING:
    from layerdoit.project.project import Project


@dataclass(frozen=True)
class DeploySettings:
    """`name`: the deployment's; `root`: the project's folder, from which relative volumes count.

    `owner`: who the project is besides its name; `where`: file and line of each setting, by its path.
    `source`: which file says so; `whole`: all settings of the project; `files`: its files, relative to its folder.
    """

    config: Deploy
    name: str
    project: str
    root: Path
    owner: Owner = ANYONE
    where: Mapping[str, str] = field(default_factory=dict, compare=False)
    source: str = ""
    whole: Config = field(default_factory=Config, compare=False)
    files: Callable[[], Sequence[str]] = field(default=tuple, compare=False)

    @property
    def image(self) -> Image:
        """How the image is made."""
        return self.whole.image

    @cached_property
    def env(self) -> Mapping[str, str]:
        """The variables of the container. ConfigError where a file of them cannot be read."""
        name = self.config.env_file
        if name is None:
            return self.config.env
        from layerdoit.deploy import env_file

        return {**env_file.read(self.root, name, self.where.get("deploy.env_file")), **self.config.env}

    @property
    def volumes(self) -> tuple[str, ...]:
        """The volumes, with sources that are relative to the project made absolute."""
        return tuple(_absolute(volume, self.root) for volume in self.config.volumes)

    def digest(self) -> str:
        """Names what a service is started with; how its health is judged makes no difference."""
        settings = {one.name: getattr(self.config, one.name) for one in fields(self.config)}
        del settings["health"]
        del settings["env_file"]
        facts = {**settings, "name": self.name, "env": dict(self.env)}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def settings_of(project: Project) -> DeploySettings:
    """The deployment of a project, or of this worktree of it."""
    config = project.config.deploy
    name = deployment_name(project, project.worktree)
    whole = project.config
    return DeploySettings(
        config,
        name,
        project.name,
        project.root,
        project.owner,
        whole.where,
        # Several deployments of one folder have a file each (CONFIG=…).
        project.variables.get("CONFIG") or FILE,
        whole,
        partial(_files, project),
    )


def _files(project: Project) -> Sequence[str]:
    return project.lister.files


def deployment_name(project: Project, worktree: str | None) -> str:
    """What the deployment of a worktree of the project is called, or without one the project's."""
    default = f"{project.name}-{worktree}" if worktree else project.name
    return repository_name(project.config.deploy.name or default).replace("/", "-")


def _absolute(volume: str, root: Path) -> str:
    source, colon, rest = volume.partition(":")
    if source.startswith("~"):
        return f"{os.path.expanduser(source)}{colon}{rest}"
    return f"{(root / source).resolve()}{colon}{rest}" if source.startswith(".") else volume
