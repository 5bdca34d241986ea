"""The cargo profiles and features of a workspace that a configuration may name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from layerdoit.cargo.manifest import Workspace

_BUILT_IN = ("bench", "dev", "release", "test")


def profiles(ws: Workspace) -> set[str]:
    """Every profile that `cargo build --profile` accepts here."""
    tables: Iterable[str] = (*ws.manifest.get("profile", {}), *ws.config.get("profile", {}))
    return {*_BUILT_IN, *tables}


def features(ws: Workspace) -> set[str]:
    """Every feature of any member, including optional dependencies."""
    found: set[str] = {"default"}
    for package in ws.packages.values():
        if package.member:
            found.update(package.features)
            found.update(dependency.name for dependency in package.dependencies if dependency.spec.get("optional"))
    return found
