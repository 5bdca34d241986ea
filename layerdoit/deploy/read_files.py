"""The files of this machine that a deployment is described by, besides the configuration."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit.core.errors import LayerdoitError

if TYPE_CHECKING:
    from layerdoit.project.project import Project


def of(project: Project) -> Iterator[Path]:
    """Their paths, whether they are there or not."""
    config, home = project.config.deploy, project.home or project.root
    if config.env_file is not None:
        yield (home / config.env_file).expanduser()
    if config.secrets:
        yield home / f".env.{project.environment}"
    if config.provider == "compose":
        yield from _of_compose(project)
    elif config.provider == "kubernetes":
        places = filter(None, (*config.kubernetes.manifests, config.kubernetes.kustomize))
        yield from (project.root / name for name in places)


def digest(project: Project) -> str:
    """Names what those of them say that no setting has in it, as far as it can be told by the files alone."""
    found = hashlib.sha256()
    for path in _of_compose(project) if project.config.deploy.provider == "compose" else ():
        with contextlib.suppress(OSError):
            content = path.read_bytes()
            found.update(f"{path}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def _of_compose(project: Project) -> Iterator[Path]:
    from layerdoit.deploy.compose import compose_files

    yield project.root / ".env"
    try:
        found = compose_files.chosen(project.root, project.config.deploy.compose.file, os.environ)
    except LayerdoitError:
        # It will be written where it is looked for first.
        found = tuple(project.root / name for name in project.config.deploy.compose.file)
    yield from found
    yield from (path.parent / ".env" for path in found[:1])
