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


def expand(root: Path, pattern: str) -> Iterator[str]:
    """Folders that match a member pattern, relative to the root; those of a glob need a manifest."""
    if not is_glob(pattern):
        yield posixpath.normpath(pattern)
        return
    folders = ["."]
    for part in posixpath.normpath(pattern).split("/"):
        folders = list(_step(root, folders, part))
    yield from (name for name in folders if (root / name / "Cargo.toml").is_file())


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
    place: Path, manifest: Table, package: str, edition: str
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Find binaries as cargo does: `[[bin]]` tables, src/main.rs, src/bin/*.rs, src/bin/*/main.rs."""
    tables = [table for table in manifest.get("bin", []) if isinstance(table.get("name"), str)]
    found: dict[str, str] = {}
    if (place / "src/main.rs").is_file():
        found[package] = "src/main.rs"
    if (place / "src/bin").is_dir():
        with os.scandir(place / "src/bin") as entries:
            for entry in sorted(entries, key=lambda item: item.name):
                if entry.name.endswith(".rs") and entry.is_file():
                    found[entry.name.removesuffix(".rs")] = f"src/bin/{entry.name}"
                elif entry.is_dir() and Path(entry.path, "main.rs").is_file():
                    found[entry.name] = f"src/bin/{entry.name}/main.rs"
    names = [str(table["name"]) for table in tables]
    paths = {posixpath.normpath(table["path"]) for table in tables if isinstance(table.get("path"), str)}
    discover = package_table(manifest).get("autobins", not (tables and edition == "2015"))
    if discover:
        names += [name for name, path in found.items() if name not in names and path not in paths]
    required = {str(t["name"]): tuple(t["required-features"]) for t in tables if t.get("required-features")}
    return tuple(sorted(names)), required
