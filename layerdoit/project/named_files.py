"""Files and folders that the configuration names, as builds get them.

context_path(tree, path, setting) -> str        # WorkspaceError where there is none
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from layerdoit.core.errors import WorkspaceError
from layerdoit.tree import links

if TYPE_CHECKING:
    from layerdoit.project.snapshot import Tree


def context_path(tree: Tree, path: str, setting: str, place: str = "") -> str:
    """The context path of what a setting names. `place`: where it lies in the image, if the setting says that."""

    def refused(problem: str, hint: str) -> WorkspaceError:
        return WorkspaceError(f"{setting}: {problem}", where=tree.project.config.where.get(setting), hint=hint)

    root, sources = tree.project.root, tree.all_sources
    way = links.way(str(root), path)
    if not (root / path).exists():
        if way.links and os.path.lexists(root / way.links[-1]):
            target = os.readlink(root / way.links[-1])
            raise refused(f'"{path}" is a link to {target}, which is not there', "make it, or correct the link")
        raise refused(f'there is no "{path}"', "give paths relative to the project's root")
    if not way.links:
        return sources.context_path(path)
    end = sources.context_path(way.end) if way.end else ""
    if way.end and sources.under((end,)).entries:
        return end
    target = os.path.realpath(root / path)
    inside = os.path.relpath(target, root)
    named = f"image: {{assets: {{{inside}: {place}}}}}" if place else f"{setting}: {inside}"
    hint = f"name what it leads to: {named}"
    if links.leads_out(inside):
        hint = "copy it into the project: builds are sent what lies in the project, or in its git repository"
    raise refused(f'"{path}" is a link to {target}, which is not sent to builds', hint)
