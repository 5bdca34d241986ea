"""Which files of a tree the compiler may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.tree.sources import Sources

if TYPE_CHECKING:
    from layerdoit.project.snapshot import Tree


def own(tree: Tree, kind: str) -> Sources:
    """The project's own. In a build, assets are none of them, unless `sources.include` says so."""
    project, every = tree.project, tree.all_sources
    if project.config.components:
        from layerdoit.project import component_outputs

        every = component_outputs.without(project, every)
    assets = project.assets if kind == "build" else ()
    if not assets:
        return every
    included = project.config.sources.include
    again = every.under([every.context_path(path) for path in included])
    # What a link leads to may be a source, too: only what is named is none.
    named = every.under([every.context_path(path) for path in assets])
    dropped = set(named.entries) - (set(again.entries) if included else set())
    kept = {path: entry for path, entry in every.entries.items() if path not in dropped}
    return Sources(project.root, every.home, kept)
