"""Which targets the builder's Rust has to compile for, besides its own: what is built, not what a toolchain file lists.

wanted(ws, target, env, more) -> tuple[str, ...]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from layerdoit.cargo import artifacts
from layerdoit.cargo.discovery import package_table

if TYPE_CHECKING:
    from layerdoit.cargo.manifest import Workspace

_OF_PACKAGES = ("forced-target", "default-target")
"""Unstable keys of a manifest."""
_HOST = "host-tuple"


def wanted(ws: Workspace, target: str | None, env: Mapping[str, str], more: Iterable[str]) -> tuple[str, ...]:
    """Triples, sorted. `target`, `env`: as configured; `more`: those that the configuration adds."""
    named = {*more, *artifacts.targets(ws), *_of_manifests(ws)}
    named.update([target] if target else _of_cargo(ws, env))
    # A path to a specification of one's own is no target that rustup has.
    return tuple(sorted(name for name in named if name != _HOST and not name.endswith(".json")))


def _of_cargo(ws: Workspace, env: Mapping[str, str]) -> Iterator[str]:
    """What cargo builds for where the command names no target."""
    build = ws.config.get("build", {})
    value = env.get("CARGO_BUILD_TARGET") or (build.get("target") if isinstance(build, dict) else None)
    for name in value if isinstance(value, list) else [value]:
        if isinstance(name, str):
            yield name


def _of_manifests(ws: Workspace) -> Iterator[str]:
    for package in ws.packages.values():
        table = package_table(package.manifest)
        yield from (value for key in _OF_PACKAGES if isinstance(value := table.get(key), str))
