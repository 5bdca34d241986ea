"""Artifact dependencies (cargo's unstable `bindeps`): what the package that is depended on has to make. Pure.

programs(ws) -> dict[folder, Programs]        # packages of which a dependant wants binaries
targets(ws) -> frozenset[str]                 # triples that artifacts are compiled for
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from layerdoit.cargo.manifest import Dependency, Workspace

# What a dependency's `target` may say instead of a triple: that of the package itself.
_SAME = "target"


class Programs(NamedTuple):
    """`names`: the binaries that are wanted; `bare`: for a target without an operating system."""

    names: tuple[str, ...]
    bare: bool


def _kinds(dependency: Dependency) -> tuple[str, ...]:
    wanted = dependency.spec.get("artifact", ())
    return (wanted,) if isinstance(wanted, str) else tuple(str(item) for item in wanted)


def _of(ws: Workspace) -> Iterator[Dependency]:
    for package in ws.packages.values():
        yield from (dependency for dependency in package.dependencies if _kinds(dependency))


def targets(ws: Workspace) -> frozenset[str]:
    """The triples that artifacts are compiled for, besides that of the build."""
    named = (dependency.spec.get("target") for dependency in _of(ws))
    return frozenset(name for name in named if isinstance(name, str) and name != _SAME)


def programs(ws: Workspace) -> dict[str, Programs]:
    """The binaries that dependants want, by the folder of the package that has them."""
    found: dict[str, Programs] = {}
    for dependency in _of(ws):
        key = ws.by_dir.get(dependency.path or "")
        if key is None:
            continue
        names: set[str] = set()
        for kind in _kinds(dependency):
            what, _, name = kind.partition(":")
            if what == "bin":
                names.update([name] if name else ws.packages[key].bins)
        if names:
            before = found.get(ws.packages[key].dir, Programs((), bare=False))
            bare = before.bare or "-none" in str(dependency.spec.get("target", ""))
            found[ws.packages[key].dir] = Programs(tuple(sorted({*before.names, *names})), bare)
    return found
