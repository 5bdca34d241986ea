"""Which folders are watched: those of all that a key, the configuration or a deployment depends on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit.cargo import toolchain
from layerdoit.core.errors import LayerdoitError
from layerdoit.deploy import read_files
from layerdoit.tree import git, git_stamp, unlisted_folders

if TYPE_CHECKING:
    from layerdoit.flows.session import Session
    from layerdoit.project.project import Project


def folders(session: Session) -> frozenset[Path]:
    """The folders, each for its own entries. A new one is an entry of the one above it.

    They are those of the last reading; where it found the tree to be wrong, of as much of it as can be read.
    """
    project = session.project
    listed, places, is_whole = _listed(session)
    known = {folder for folder in listed if os.path.isdir(folder)}
    found = known | unlisted_folders.find(project.lister, known)
    found.update(unlisted_folders.included(project.root, project.lister.include))
    others = [*(listed - known), *map(str, _beside(project)), *map(str, _of_git(project, places))]
    found.update(_there(project.root, others))
    tops = {top for top in (project.lister.top, *map(git.top, places)) if top is not None}
    if is_whole:
        project.kept.git.stands_on(project.lister.reading, found, tops, project.state / "index")
    return project.kept.made("watched folders", found, lambda: frozenset(map(Path, found)))


def _listed(session: Session) -> tuple[set[str], list[str], bool]:
    """The folders of what is listed, those of them whose files are listed together; whether that is all of them."""
    project = session.project
    own = str(project.root)
    try:
        every = session.tree.all_sources
    except LayerdoitError:
        names = {os.path.normpath(os.path.join(own, os.path.dirname(name))) for name in project.lister.files}
        return {own, *names, *(above for name in names for above in _above(name, project.root))}, [own], False
    return {own, *every.host_folders()}, every.host_places(), True


def _above(name: str, root: Path) -> Iterator[str]:
    """The folders above one, below the root."""
    while name.startswith(f"{root}/"):
        name = os.path.dirname(name)
        yield name


def _beside(project: Project) -> Iterator[Path]:
    """Folders of what is no source."""
    root, config = project.root, project.config
    yield from (root / name for name in project.lister.above)
    own = (config.dockerfiles.base, config.dockerfiles.deps, config.dockerfiles.app)
    calls = project.call.others if project.call is not None else ()
    named = (one.file for one in calls if one.file is not None)
    files = [*config.source, *named, *(root / name for name in own if name is not None)]
    for one in (project, *project.services.values()):
        files += read_files.of(one)
    # What names the configuration may do so through a link.
    yield from (place.parent for file in files for place in (Path(os.path.abspath(file)), file.resolve()))
    yield from toolchain.folders(root, config.toolchain)


def _of_git(project: Project, places: Iterable[str]) -> Iterator[Path]:
    """Folders of the repositories that list the files, and where this user says what all of them ignore."""
    for top in {project.lister.top, *map(git.top, places)} - {None}:
        yield from git_stamp.folders(Path(str(top)), references=project.config.build.git != "none")
        yield Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config", "git").expanduser()


def _there(root: Path, names: Iterable[str]) -> Iterator[str]:
    """Those of the folders that are there; instead of one that is not, the nearest above it, within the project."""
    for name in names:
        folder = os.path.normpath(name)
        while not os.path.isdir(folder) and folder.startswith(f"{root}/"):
            folder = os.path.dirname(folder)
        if os.path.isdir(folder):
            yield folder
