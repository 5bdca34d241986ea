"""What cargo reads of a workspace besides the files that git lists in its root."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from layerdoit.cargo import cargo_config
from layerdoit.cargo.discovery import beyond, package_table, relative

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from layerdoit.cargo.cargo_config import Configuration, Table
    from layerdoit.tree.lister import Lister

# The tables of targets, and where cargo looks for one that names no path.
_TARGETS = {"bin": "src/bin", "example": "examples", "test": "tests", "bench": "benches"}


def besides(
    lister: Lister,
    packages: Iterable[str],
    homes: Iterable[str],
    manifests: Mapping[str, Table],
    configuration: Configuration,
) -> Iterator[str]:
    """Files and folders, relative to the workspace root: manifests that packages inherit from, targets outside,
    vendored sources, and what the configuration includes or names. `packages`: their folders; `homes`: those of other
    workspaces' roots; `manifests`: by folder.
    """
    yield from configuration.included
    for folder in packages:
        yield from _targets_outside(lister, folder, manifests[folder])
    for home in homes:
        yield from _of_home(lister, home, manifests[home])
    for name in cargo_config.referenced(configuration.files, lister.root):
        if not (lister.has(name) or lister.has_below(name)):
            yield name


def _targets_outside(lister: Lister, folder: str, manifest: Table) -> Iterator[str]:
    """The folders of targets that lie outside the workspace: what they consist of lies beside them."""
    paths = [table.get("path") for kind in _TARGETS for table in manifest.get(kind, [])]
    for path in (*paths, manifest.get("lib", {}).get("path"), package_table(manifest).get("build")):
        if isinstance(path, str) and ".." in path:
            found = relative(lister.root / folder / path, lister.root)
            if beyond(found) and (lister.root / found).is_file() and not lister.has(found):
                around = posixpath.dirname(found)
                yield found if set(around.split("/")) == {".."} else around


def _of_home(lister: Lister, folder: str, manifest: Table) -> Iterator[str]:
    """The manifest of another workspace's root; and where it is a package, the targets without which it is invalid."""
    yield posixpath.normpath(f"{folder}/Cargo.toml")
    if "package" in manifest:
        for name in _targets(manifest):
            path = posixpath.normpath(f"{folder}/{name}")
            if (lister.root / path).is_file():
                yield path


def _targets(manifest: Mapping[str, Any]) -> Iterator[str]:
    yield from ("src/lib.rs", "src/main.rs", "build.rs")
    library = manifest.get("lib", {})
    if isinstance(library.get("path"), str):
        yield library["path"]
    for kind, folder in _TARGETS.items():
        for table in manifest.get(kind, []):
            if isinstance(table.get("path"), str):
                yield table["path"]
            else:
                yield from (f"{folder}/{table.get('name')}.rs", f"{folder}/{table.get('name')}/main.rs")
