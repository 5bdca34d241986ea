"""Which files a benchmark edits: of a binary, of the library below it that most stand on, and an asset."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from layerdoit.cargo.manifest import Package, Workspace
from layerdoit.core.errors import WorkspaceError
from layerdoit.project.project import Project


@dataclass(frozen=True)
class Places:
    """The files that scenarios edit, relative to the workspace root."""

    leaf: str
    leaf_package: str
    leaf_manifest: str
    leaf_edition: str
    deep: str | None
    deep_edition: str
    asset: str | None
    autobins: bool


def places(root: Path, entrypoint: str) -> Places:
    """The entry point's main file, the library that most members stand on, and a text among the assets."""
    project = Project.open(root, {})
    workspace = project.workspace
    package = next(workspace.packages[key] for key, name in project.selection.bins if name == entrypoint)
    below = _deepest(workspace, package)
    return Places(
        leaf=os.path.normpath(f"{package.dir}/{main_file(root / package.dir, package, entrypoint)}"),
        leaf_package=package.dir,
        leaf_manifest=os.path.normpath(f"{package.dir}/Cargo.toml"),
        leaf_edition=package.edition,
        deep=os.path.normpath(f"{below.dir}/{lib_file(below)}") if below else None,
        deep_edition=below.edition if below else "2021",
        asset=_asset(root, project.config.image.assets),
        autobins=bool(package.manifest.get("package", {}).get("autobins", package.edition != "2015")),
    )


def main_file(folder: Path, package: Package, name: str) -> str:
    """The main file of a binary, relative to its package."""
    for table in package.manifest.get("bin", []):
        if table.get("name") == name and "path" in table:
            return str(table["path"])
    for path in (f"src/bin/{name}.rs", f"src/bin/{name}/main.rs", "src/main.rs"):
        if (folder / path).is_file():
            return path
    raise WorkspaceError(
        f"no main file of the binary {name} was found", where=str(folder), hint="name it under [[bin]]"
    )


def lib_file(package: Package) -> str:
    """The library's root file, relative to its package."""
    return str(package.manifest.get("lib", {}).get("path", "src/lib.rs"))


def _deepest(workspace: Workspace, leaf: Package) -> Package | None:
    """Of the libraries below the leaf the one that most members stand on; of equals the one that stands on least."""
    below = {key: _below(workspace, key) for key in workspace.packages}
    mine = next(key for key, package in workspace.packages.items() if package is leaf)
    reached = below[mine] | ({mine} if leaf.has_lib else set())
    pool = [
        key for key in reached if (found := workspace.packages[key]).has_lib and not found.proc_macro and found.member
    ]

    def rank(key: str) -> tuple[int, int, str]:
        return (-sum(key in others for others in below.values()), len(below[key]), key)

    return workspace.packages[min(pool, key=rank)] if pool else None


def _below(workspace: Workspace, start: str) -> set[str]:
    """The local packages that one stands on, by normal dependencies."""
    found: set[str] = set()
    todo = [start]
    while todo:
        for key in _direct(workspace, todo.pop()):
            if key not in found:
                found.add(key)
                todo.append(key)
    return found - {start}


def _direct(workspace: Workspace, key: str) -> Iterable[str]:
    for dependency in workspace.packages[key].dependencies:
        if dependency.kind == "normal" and dependency.path is not None and dependency.path in workspace.by_dir:
            yield workspace.by_dir[dependency.path]


_TEXTS = (".css", ".js", ".txt", ".svg", ".html")


def _asset(root: Path, assets: Iterable[str]) -> str | None:
    found = []
    for name in assets:
        path = root / name
        files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
        found += [os.path.relpath(item, root) for item in files if item.suffix in _TEXTS]
    return min(found, key=lambda name: (_TEXTS.index(os.path.splitext(name)[1]), name), default=None)
