"""What images have of components: which ones, and where their outputs go. Keys need no output, builds do."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from layerdoit.project import component_inputs
from layerdoit.tree.index import Entry
from layerdoit.tree.sources import Sources

if TYPE_CHECKING:
    from layerdoit.project.component_inputs import ComponentInputs
    from layerdoit.project.project import Project
    from layerdoit.project.snapshot import Tree

COMPONENT: Final = "component "
"""With a component's name, the input of an app image that has its files."""
EMBEDDED: Final = "embedded component "
"""The same where it is compiled in."""


def used(tree: Tree, platform: str) -> Mapping[str, ComponentInputs]:
    """The components whose output the app image of a tree has, by name."""
    project = tree.project
    if (serves := _served(project)) is not None:
        return {serves: component_inputs.of(tree, serves, platform)}
    return {
        name: component_inputs.of(tree, name, platform)
        for name, one in project.config.components.items()
        if _has(project, name) or (one.embed and project.kind == "compiled")
    }


def _served(project: Project) -> str | None:
    """The component whose files a service serves, instead of a program."""
    return project.whole.config.services[project.service].serve if project.whole is not None else None


def _has(project: Project, name: str) -> bool:
    """Whether its files are copied into the image of a project, or of a service."""
    one = project.config.components[name]
    if one.into is None or project.kind not in ("compiled", "packed"):
        return False
    return not one.services or project.service in one.services


def keys(components: Mapping[str, ComponentInputs], project: Project) -> dict[str, str]:
    """What the key of an app image has of them."""
    found = {}
    for name, one in components.items():
        if one.config.embed:
            found[f"{EMBEDDED}{name}"] = one.key
        if name == _served(project):
            found[f"{COMPONENT}{name}"] = one.key
        if _has(project, name):
            found[f"{COMPONENT}{name}"] = one.key
            found[f"image component {name}"] = str(one.config.into)
    return found


def asset_paths(components: Mapping[str, ComponentInputs], project: Project) -> tuple[tuple[str, str], ...]:
    """Their outputs as assets: path in the build context, and in the image."""
    return tuple((_asset(name), str(one.config.into)) for name, one in components.items() if _has(project, name))


def assets(components: Mapping[str, ComponentInputs], project: Project, others: Sources) -> Sources:
    """The files of their outputs, besides the other assets of an image."""
    entries, elsewhere = dict(others.entries), dict(others.elsewhere)
    for name, one in components.items():
        if _has(project, name):
            _add(entries, elsewhere, _asset(name), one.output)
            elsewhere[_asset(name)] = one.output
    return Sources(others.root, others.home, entries, elsewhere=elsewhere)


def embedded(components: Mapping[str, ComponentInputs], sources: Sources) -> Sources:
    """Sources as the compiler sees them: with the outputs that crates embed, where they would be here."""
    embeds = [one for one in components.values() if one.config.embed and one.output.is_dir()]
    if not embeds:
        return sources
    entries, elsewhere = dict(sources.entries), dict(sources.elsewhere)
    for one in embeds:
        _add(entries, elsewhere, sources.context_path(one.output_path), one.output)
    return Sources(sources.root, sources.home, entries, elsewhere=elsewhere)


def _asset(name: str) -> str:
    # No source is there: it is the state folder.
    return f".layerdoit/components/{name}"


def _add(entries: dict[str, Entry], elsewhere: dict[str, Path], start: str, folder: Path) -> None:
    for path, entry in _files(folder):
        entries[f"{start}/{path}"] = entry
        elsewhere[f"{start}/{path}"] = folder / path


def _files(folder: Path) -> Iterator[tuple[str, Entry]]:
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in (*names, *links):
            path = Path(place, name)
            if path.is_symlink():
                entry = Entry("l", hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest())
            else:
                kind = "x" if path.stat().st_mode & 0o100 else "f"
                entry = Entry(kind, hashlib.sha256(path.read_bytes()).hexdigest())
            yield os.path.relpath(path, folder), entry


# --- what is no source of the compilation ----------------------------------------------------------------------------


def without(project: Project, every: Sources) -> Sources:
    """Sources without those of components: what a page is made of is nothing that cargo compiles.

    Crates that lie in a component's folder stay; so does what `sources.include` names, but never an old output.
    """
    config = project.config
    if not config.components:
        return every
    crates = [every.context_path(path) for path in project.workspace.by_dir if path not in ("", ".")]
    kept = (*crates, *(every.context_path(path) for path in config.sources.include))
    folders, outputs = [], []
    for name, one in config.components.items():
        path = component_inputs.folder_of(name, one)
        if path:
            folders.append(every.context_path(path))
        if one.embed:
            outputs.append(every.context_path(component_inputs.output_of(name, one)))

    def is_source(path: str) -> bool:
        if _below(path, outputs):
            return False
        return not _below(path, folders) or _below(path, kept)

    return Sources(every.root, every.home, {path: one for path, one in every.entries.items() if is_source(path)})


def hides(project: Project, path: str) -> str | None:
    """The component for whose sake a path within the project is no source of the compilation."""
    for name, one in project.config.components.items():
        folder = component_inputs.folder_of(name, one)
        if (
            folder
            and _below(path, (folder,))
            and not (one.embed and _below(path, [component_inputs.output_of(name, one)]))
        ):
            return name
    return None


def _below(path: str, folders: tuple[str, ...] | list[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)
