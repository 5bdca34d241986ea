"""`rust-version` of local packages against the compiler, as cargo compares them.

check(ws, packages, options, toolchain) -> None    # WorkspaceError for the highest one that is refused
refused(ws, keys, toolchain) -> list[Asked]        # all of them, the highest first
asked(ws, keys) -> list[Asked]                     # what packages ask for
number(text) -> Number | None                      # None: it does not say which release it is
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from layerdoit.cargo.discovery import package_table
from layerdoit.core import toml
from layerdoit.core.errors import WorkspaceError
from layerdoit.core.prose import listed

if TYPE_CHECKING:
    from layerdoit.cargo.manifest import Package, Workspace
    from layerdoit.cargo.options import Options
    from layerdoit.cargo.toolchain import Toolchain

# Packages in a line.
_NAMED = 4
_KEY = "rust-version"
_COMPILER = ("RUSTC", "CARGO_BUILD_RUSTC")


class Number(NamedTuple):
    """A release. `patch`: None where it is not said, which of a toolchain is the newest there is."""

    major: int
    minor: int
    patch: int | None

    def satisfies(self, wanted: Number) -> bool:
        """Whether a compiler of this release does for a package; where it may do, it does."""
        if self.patch is None:
            return self[:2] >= wanted[:2]
        return (*self[:2], self.patch) >= (*wanted[:2], wanted.patch or 0)


class Asked(NamedTuple):
    """What a package asks for. `file`: the manifest that says so, its own or its workspace's; `place`: where in it."""

    package: str
    version: str
    file: str
    place: tuple[str, ...]

    def where(self, ws: Workspace) -> str:
        """The manifest and the line, relative to the workspace."""
        from layerdoit.cargo.toml_lines import where

        return where(self.file, toml.read_text(ws.root / self.file), self.place)


def number(text: str) -> Number | None:
    """`1.78`, `1.78.0`, `1.97.0-nightly 2026-04-14` as numbers: to cargo, a nightly is the release it becomes."""
    found = re.match(r"(\d+)(?:\.(\d+)(?:\.(\d+))?)?", text)
    return Number(int(found[1]), int(found[2] or 0), int(found[3]) if found[3] else None) if found else None


def asked(ws: Workspace, keys: Iterable[str]) -> list[Asked]:
    """What these packages ask for, as far as they do, the highest first."""
    found = [one for key in sorted(keys) if (one := _asked(ws, ws.packages[key])) is not None]
    return sorted(found, key=lambda one: _order(one.version), reverse=True)


def refused(ws: Workspace, keys: Iterable[str], toolchain: Toolchain) -> list[Asked]:
    """Those for which the compiler is too old, the highest first; none where it does not say which release it is."""
    have = number(toolchain.release or toolchain.channel)
    if have is None:
        return []
    return [one for one in asked(ws, keys) if (wanted := number(one.version)) and not have.satisfies(wanted)]


def check(ws: Workspace, packages: Iterable[str], options: Options, toolchain: Toolchain) -> None:
    """Report early, and in one sentence, what cargo would report when all dependencies are compiled.

    `packages`: those that are selected. cargo looks at what they need too, and at nothing that is not compiled.
    """
    from layerdoit.cargo import features
    from layerdoit.cargo.causes import build_with

    if _names_compiler(ws, options):
        return
    # The old resolver switches more on, of other platforms too: nothing is refused that may not be compiled.
    resolved = features.resolve(ws, packages, options)
    if not (found := refused(ws, [key for key in ws.packages if resolved.of(key) is not None], toolchain)):
        return
    most = found[0]
    names = [f"`{one.package}`" for one in found if one.version == most.version]
    requires = "requires" if len(names) == 1 else "require"
    has = f"{toolchain.release or toolchain.channel} (from {toolchain.source})"
    raise WorkspaceError(
        f"{listed(names, _NAMED)} {requires} Rust {most.version}, and the builder has {has}",
        where=str(ws.root / most.where(ws)),
        hint=f"{build_with(most.version)}; or lower rust-version",
    )


def _names_compiler(ws: Workspace, options: Options) -> bool:
    """Whether cargo is told to start another compiler than that of the toolchain."""
    build = ws.config.get("build")
    return (isinstance(build, dict) and "rustc" in build) or any(name in _COMPILER for name, _ in options.env)


def _order(version: str) -> tuple[int, ...]:
    found = number(version)
    return (*found[:2], found.patch or 0) if found else ()


def _asked(ws: Workspace, package: Package) -> Asked | None:
    folder, place = package.dir, ["package", _KEY]
    value = package_table(package.manifest).get(_KEY)
    if isinstance(value, dict):
        folder, place = package.workspace_dir or ".", ["workspace", *place]
        manifest = ws.manifest if folder == "." else toml.read(ws.root / folder / "Cargo.toml")
        value = manifest.get("workspace", {}).get("package", {}).get(_KEY)
    file = f"{folder}/Cargo.toml".removeprefix("./")
    return Asked(package.name, value, file, tuple(place)) if isinstance(value, str) else None
