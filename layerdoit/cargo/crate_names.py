"""Names of crates, as rustc gets them: which of a workspace cannot be part of some binaries."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerdoit.cargo.manifest import Package, Workspace


def foreign(ws: Workspace, packages: Collection[str], bins: Collection[str]) -> frozenset[str]:
    """The names of crates and build scripts that none of these packages and binaries has.

    `packages`: keys of `Workspace.packages` that the binaries are made of. A build script itself is compiled as
    `build_script_build`, whosever it is: that name is never among them.
    """
    own = {name for key in packages for name in _names(ws.packages[key], bins)}
    every = {name for package in ws.packages.values() for name in _names(package, package.bins)}
    return frozenset(every - own)


def _names(package: Package, bins: Collection[str]) -> Iterator[str]:
    """The package itself (its build script runs under that name), its library, and those of its binaries."""
    yield package.name
    yield package.name.replace("-", "_")
    library = package.manifest.get("lib", {})
    if isinstance(library, dict) and isinstance(named := library.get("name"), str):
        yield named
    yield from (name.replace("-", "_") for name in package.bins if name in bins)
