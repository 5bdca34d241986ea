"""Which project a verb is about: the one that `--root` names, this folder's, or one that a dodo.py embeds."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from layerdoit.core.errors import ConfigError
from layerdoit.core.prose import suggestion
from layerdoit.front import project_registry
from layerdoit.front.project_registry import REGISTERED, Embedded

if TYPE_CHECKING:
    from layerdoit.project.project import Project

DODO: Final = "dodo.py"
MANIFEST: Final = "Cargo.toml"
CALL: Final = "call"
"""The value of a verb's options that holds what the call in the dodo.py says."""


def find(root: str, here: Path, dodo: str = DODO) -> Embedded:
    """`root`: what `--root` says, a folder or a prefix; "" where it is not given. The dodo.py is run only where it
    must be asked."""
    if root:
        return _named(root, here, dodo)
    if (here / MANIFEST).is_file() and (here / dodo).is_file():
        return _without_prefix(here, dodo)
    projects = of_dodo(here, dodo)
    around = [one for one in projects if here.is_relative_to(one.folder)]
    if around:
        return max(around, key=lambda one: len(one.folder.parts))
    below = [one for one in projects if one.folder.is_relative_to(here)]
    if len(below) > 1:
        names = ", ".join(one.shown(here) for one in below)
        raise ConfigError(
            f"this folder has {len(below)} projects: {names}",
            where=str(here),
            hint=f"say which: --root {below[0].shown(here)}",
        )
    if below:
        return below[0]
    found = _workspace(here)
    if found is None and projects:
        names = ", ".join(one.shown(here) for one in projects)
        hint = f"say which: --root {projects[0].shown(here)}"
        raise ConfigError(f"there is no project in this folder; dodo.py has {names}", where=str(here), hint=hint)
    return Embedded(found or here, "")


def _without_prefix(folder: Path, dodo: str) -> Embedded:
    """The project of a folder. What its dodo.py lays over its settings, or over those of others, is asked for only
    where it may do so."""
    written = folder / dodo
    if written.is_file() and "config" in written.read_text(encoding="utf-8", errors="replace"):
        for one in of_dodo(folder, dodo):
            if (one.folder, one.prefix) == (folder.resolve(), ""):
                return one
    return Embedded(folder, "")


def of_dodo(here: Path, dodo: str = DODO) -> Sequence[Embedded]:
    """The projects of the nearest dodo.py at or above a folder that has to do with us; none without one."""
    path = nearest_dodo(here, dodo)
    return _of(path) if path is not None else ()


def nearest_dodo(here: Path, dodo: str = DODO) -> Path | None:
    """The nearest dodo.py at or above a folder that has to do with us."""
    for folder in (here, *here.parents):
        path = folder / dodo
        if path.is_file() and "layerdoit" in path.read_text(encoding="utf-8", errors="replace"):
            return path
    return None


def _of(path: Path) -> Sequence[Embedded]:
    from layerdoit.front.tasks import task_layerdoit

    REGISTERED.clear()
    try:
        with _as_doit_does(path.parent):
            spec = importlib.util.spec_from_file_location("dodo", path)
            assert spec is not None  # noqa: S101 - a path that ends in .py has one
            assert spec.loader is not None  # noqa: S101
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001 - whatever a user's code raises
        raise ConfigError(
            f"it cannot be run: {type(error).__name__}: {error}",
            where=str(path),
            hint="correct it, or name the folder of a project: --root FOLDER",
        ) from None
    plain = any(value is task_layerdoit for value in vars(module).values())
    own = [Embedded(path.parent, "", dodo=str(path))] if plain else []
    found = [*own, *REGISTERED]
    calls = [project_registry.with_others(one, plain=plain) for one in found]
    return [Embedded(one.folder.resolve(), one.prefix, call=call) for one, call in zip(found, calls, strict=True)]


def opened(params: Mapping[str, Any]) -> Project:
    """The project that a verb is about. `params`: its values, among them what `find` has found."""
    from layerdoit.front.variables import variables
    from layerdoit.project.project import Project

    return Project.open(Path(params["root"]), variables(), call=params.get(CALL))


@contextmanager
def _as_doit_does(folder: Path) -> Iterator[None]:
    """In the folder of the dodo.py, whose modules can be imported."""
    here = Path.cwd()
    sys.path.insert(0, str(folder))
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)


def _named(root: str, here: Path, dodo: str) -> Embedded:
    if (here / root).is_dir():
        return _without_prefix(here / root, dodo)
    projects = of_dodo(here, dodo)
    for one in projects:
        if root == one.prefix:
            return one
    what = f'--root: there is no folder "{root}", and no project with this prefix'
    known = [one.prefix for one in projects if one.prefix]
    raise ConfigError(what, hint=suggestion(root, known, "prefixes") if known else "give the folder of a Rust project")


def _workspace(here: Path) -> Path | None:
    if not any((folder / MANIFEST).is_file() for folder in (here, *here.parents)):
        return None
    from layerdoit.cargo.discovery import find_root

    return find_root(here)
