"""Find what cargo finds by looking at folders: the workspace root, members, and binaries."""

from __future__ import annotations

import os
import posixpath
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit.core import toml
from layerdoit.core.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from layerdoit.cargo.cargo_config import Table
    from layerdoit.tree.lister import Lister


def find_root(start: Path) -> Path:
    """The nearest workspace root at or above `start` that does not exclude it, else the nearest package."""
    start = start.absolute()
    start = Path(os.path.normpath(start))
    nearest: Path | None = None
    for folder in (start, *start.parents):
        path = folder / "Cargo.toml"
        if not path.is_file():
            continue
        manifest = toml.read(path)
        pointer = package_table(manifest).get("workspace")
        if nearest is None and isinstance(pointer, str):
            return Path(os.path.normpath(folder / pointer))
        nearest = nearest or folder
        if "workspace" in manifest and not is_excluded(manifest["workspace"], start.relative_to(folder).as_posix()):
            return folder
    if nearest is None:
        hint = "run this in a Rust project"
        raise WorkspaceError("there is no Cargo.toml in this folder or any parent folder", where=str(start), hint=hint)
    return nearest


def beyond(folder: str) -> bool:
    """Whether a folder, relative to the workspace root, lies outside it."""
    return folder.partition("/")[0] == ".."


def relative(path: Path | str, top: Path) -> str:
    """The shortest relative path from the folder `top` to `path`, which may leave `top` and enter it again."""
    start = top.absolute()
    return os.path.relpath(os.path.normpath(start / path), os.path.normpath(start)).replace(os.sep, "/")


def package_table(manifest: Table) -> Table:
    table: Table = manifest.get("package") or manifest.get("project") or {}
    return table


def below(relative: str, folder: str) -> bool:
    folder = posixpath.normpath(folder)
    return folder in (".", relative) or relative.startswith(folder + "/")


def is_excluded(workspace: Table, relative: str) -> bool:
    if any(below(relative, name) for name in workspace.get("members", []) if not is_glob(name)):
        return False
    return any(below(relative, name) for name in workspace.get("exclude", []))


def is_glob(pattern: str) -> bool:
    return any(char in pattern for char in "*?[")


def expand(lister: Lister, pattern: str) -> Iterator[str]:
    """Folders that match a member pattern, relative to the root; those of a glob need a manifest that is sent.

    A glob's only matches are members even where git ignores them: cargo refuses a pattern that matches nothing.
    """
    pattern = posixpath.normpath(pattern)
    if not is_glob(pattern):
        yield pattern
        return
    folders = ["."]
    for part in pattern.split("/"):
        folders = list(_step(lister.root, folders, part))
    there = [name for name in folders if (lister.root / name / "Cargo.toml").is_file()]
    if beyond(pattern):
        plain = pattern.split("/")[: next(i for i, part in enumerate(pattern.split("/")) if is_glob(part))]
        listed = lister.sees("/".join(plain)) if there else frozenset()
        sent = [name for name in there if f"{name}/Cargo.toml" in listed]
    else:
        sent = [name for name in there if lister.has(f"{name}/Cargo.toml")]
    yield from sent or there


def _step(root: Path, folders: list[str], part: str) -> Iterator[str]:
    for folder in folders:
        if part == "**":
            for top, names, _ in os.walk(root / folder):
                names.sort()
                yield posixpath.normpath(os.path.relpath(top, root).replace(os.sep, "/"))
        elif not is_glob(part):
            yield posixpath.normpath(f"{folder}/{part}")
        elif (root / folder).is_dir():
            with os.scandir(root / folder) as entries:
                names = sorted(entry.name for entry in entries if entry.is_dir() and fnmatchcase(entry.name, part))
            yield from (posixpath.normpath(f"{folder}/{name}") for name in names)


def binaries(
    lister: Lister, folder: str, manifest: Table, package: str, edition: str
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Find binaries as cargo does: `[[bin]]` tables, src/main.rs, src/bin/*.rs, src/bin/*/main.rs."""
    tables = [table for table in manifest.get("bin", []) if isinstance(table.get("name"), str)]
    names = [str(table["name"]) for table in tables]
    paths = {posixpath.normpath(table["path"]) for table in tables if isinstance(table.get("path"), str)}
    discover = package_table(manifest).get("autobins", not (tables and edition == "2015"))
    if discover:
        found = _by_custom(lister, folder, package)
        names += [name for name, path in found.items() if name not in names and path not in paths]
    required = {str(t["name"]): tuple(t["required-features"]) for t in tables if t.get("required-features")}
    return tuple(sorted(names)), required


def _by_custom(lister: Lister, folder: str, package: str) -> dict[str, str]:
    """The binaries that no manifest names -> where they begin. cargo passes over names that begin with a dot."""
    found: dict[str, str] = {}
    if lister.is_file(f"{folder}/src/main.rs"):
        found[package] = "src/main.rs"
    place = lister.root / folder / "src/bin"
    for name in sorted(os.listdir(place)) if place.is_dir() else ():
        path = f"src/bin/{name}"
        if name.startswith("."):
            continue
        if name.endswith(".rs") and lister.is_file(f"{folder}/{path}"):
            found[name.removesuffix(".rs")] = path
        elif lister.is_file(f"{folder}/{path}/main.rs"):
            found[name] = f"{path}/main.rs"
    return found
