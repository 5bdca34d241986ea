"""What the image of a program is made of that was compiled elsewhere."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING, Final

from layerdoit import config as configuration
from layerdoit.core.errors import ConfigError, WorkspaceError
from layerdoit.project import named_files

if TYPE_CHECKING:
    from layerdoit.config import Image
    from layerdoit.project.project import Project
    from layerdoit.project.snapshot import Tree
    from layerdoit.tree.sources import Sources

_SETTING: Final = "build.binary"


def program(tree: Tree) -> Sources:
    """The file that was compiled elsewhere. WorkspaceError where it is not there."""
    project = tree.project
    path = project.program or ""
    given, where = project.root / path, project.config.where.get(_SETTING)
    if not os.path.lexists(given):
        hint = "compile it first, or correct the path, which is relative to the project's root"
        raise WorkspaceError(f'{_SETTING}: there is no "{path}"', where=where, hint=hint)
    if given.is_dir():
        hint = f"name the program in it, such as {path.rstrip('/')}/{project.title}"
        raise WorkspaceError(f'{_SETTING}: "{path}" is a folder', where=where, hint=hint)
    return tree.all_sources.under([named_files.context_path(tree, path, _SETTING)])


def entrypoint(project: Project, image: Image, script: str | None) -> str:
    """The name that the program has in the image, where nothing else may be started but a script."""
    name = posixpath.basename(project.program or "")
    if image.entrypoint is not None and script is None:
        configuration.check_choices(project.config, "image.entrypoint", [image.entrypoint], [name])
    return name


def refuse_compiling(project: Project) -> None:
    """ConfigError for settings that only cargo heeds. Those of a project with services are for its other services."""
    config = project.config
    if not project.service and (config.bins or config.dockerfiles.app):
        setting = "bins" if config.bins else "dockerfiles.app"
        what = f"{setting}: it is for what cargo compiles, and {_SETTING} names a program that is there already"
        raise ConfigError(what, where=config.where.get(setting), hint="remove one of the two")
