"""The package whose program an image runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerdoit.cargo.manifest import Package
    from layerdoit.project.project import Project


def of(project: Project) -> Package:
    """That package of a project, or a service, that cargo compiles something for."""
    from layerdoit.cargo import entrypoint

    packages, selection = project.workspace.packages, project.selection._replace(bins=project.bins)
    wanted = project.config.image.entrypoint
    if wanted is None and project.service:
        wanted = next(iter(project.config.bins), None)
    if wanted is None and selection.bins:
        wanted = entrypoint.choose(project.workspace, selection, project.config.project, project.root.name).name
    owners = [key for key, binary in selection.bins if binary == wanted] or list(selection.owners or packages)
    return packages[owners[0]]
