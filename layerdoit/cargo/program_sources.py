"""The Rust sources of the programs that are built: of their packages, and of the packages in the tree that these use.

    of(workspace, selection, options) -> tuple[Source, ...]
    entry_only(workspace, sources, package, program, options)

Not tests, examples, benches or build scripts, nor programs that are not selected.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.cargo import rust_code
from layerdoit.cargo.rust_code import Code

if TYPE_CHECKING:
    from layerdoit.cargo.manifest import Package, Workspace
    from layerdoit.cargo.options import Options
    from layerdoit.cargo.selection import Selection

_SKIPPED: Final = frozenset(("target", "node_modules"))
_OF_PACKAGE: Final = frozenset(("tests", "examples", "benches"))
_MOST: Final = 1 << 20


class Source(NamedTuple):
    """A file, relative to the workspace. `package`: its key; `program`: the only binary that has it, if known."""

    path: str
    package: str
    program: str | None
    code: Code

    def where(self, at: int) -> str:
        """`file:line` of a place in it."""
        return f"{self.path}:{self.code.line(at)}"

    @property
    def module(self) -> str:
        """The name by which others call it."""
        stem = posixpath.basename(self.path).removesuffix(".rs")
        return posixpath.basename(posixpath.dirname(self.path)) if stem in ("mod", "main", "lib") else stem


def of(workspace: Workspace, selection: Selection, options: Options) -> tuple[Source, ...]:
    """The sources of all selected binaries."""
    chosen: dict[str, set[str]] = {}
    for key, name in selection.bins:
        chosen.setdefault(key, set()).add(name)
    keys = reached(workspace, selection.owners, options)
    return tuple(source for key in keys for source in _of_package(workspace, key, chosen.get(key, set())))


def reached(workspace: Workspace, keys: Iterable[str], options: Options) -> list[str]:
    """These packages and those of the tree that their programs are made of, the given ones first."""
    from layerdoit.cargo import features

    found = list(dict.fromkeys(keys))
    resolved = features.resolve(workspace, found, options)
    for key in found:
        package = workspace.packages[key]
        used = resolved.uses(key)
        for dependency in package.dependencies:
            other = workspace.by_dir.get(dependency.path) if dependency.path is not None else None
            optional = dependency.spec.get("optional") and dependency.name not in used
            if dependency.kind != "normal" or other is None or other in found or optional:
                continue
            if not workspace.packages[other].proc_macro:
                found.append(other)
    return found


def entry_only(
    workspace: Workspace, sources: Iterable[Source], package: str, program: str, options: Options
) -> tuple[Source, ...]:
    """Those of the sources that one binary is made of."""
    keys = set(reached(workspace, [package], options))
    return tuple(
        source
        for source in sources
        if source.package in keys and (source.program is None or (source.package, source.program) == (package, program))
    )


def _of_package(workspace: Workspace, key: str, chosen: Collection[str]) -> Iterator[Source]:
    package = workspace.packages[key]
    programs = _programs(package)
    others = {path for path, name in programs.items() if name not in chosen}
    scripts = _build_scripts(package)
    read: list[Source] = []
    for path in _files(workspace.root, package.dir):
        inside = posixpath.relpath(path, package.dir)
        program = _program(inside, programs)
        if inside in scripts or inside in others or (program is not None and program not in chosen):
            continue
        try:
            text = (workspace.root / path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        read.append(Source(path, key, program, rust_code.read(text)))
    tests = tuple(_test_modules(read))
    yield from (source for source in read if not source.path.startswith(tests))


def _programs(package: Package) -> Mapping[str, str]:
    """Where the binaries of a package begin -> their names."""
    found = {"src/main.rs": package.name}
    for name in package.bins:
        found |= {f"src/bin/{name}.rs": name, f"src/bin/{name}/main.rs": name}
    for table in package.manifest.get("bin", []):
        if isinstance(table.get("name"), str) and isinstance(table.get("path"), str):
            found[posixpath.normpath(table["path"])] = table["name"]
    return found


def _program(path: str, programs: Mapping[str, str]) -> str | None:
    """The binary that a file is of: its beginning, or what lies beside that in a folder of its own."""
    if path in programs:
        return programs[path]
    if path.startswith("src/bin/"):
        inside = path.split("/")
        return inside[2].removesuffix(".rs")
    return None


def _build_scripts(package: Package) -> Sequence[str]:
    named = package.manifest.get("package", {}).get("build")
    return (
        [str(name) for name in named] if isinstance(named, list) else [named if isinstance(named, str) else "build.rs"]
    )


def _files(root: os.PathLike[str], folder: str) -> Iterator[str]:
    top = os.path.join(root, folder)
    for place, folders, files in os.walk(top):
        inside = os.path.relpath(place, top)
        skipped = _SKIPPED | (_OF_PACKAGE if inside == "." else frozenset())
        folders[:] = sorted(
            name
            for name in folders
            if name not in skipped
            and not name.startswith(".")
            and not os.path.isfile(os.path.join(place, name, "Cargo.toml"))
        )
        for name in sorted(files):
            path = os.path.join(place, name)
            if name.endswith(".rs") and os.path.getsize(path) <= _MOST:
                yield posixpath.normpath(os.path.relpath(path, root))


def _test_modules(sources: Iterable[Source]) -> Iterator[str]:
    """The beginnings of paths of modules that only tests have."""
    for source in sources:
        folder, name = posixpath.split(source.path)
        inner = folder if name in ("mod.rs", "lib.rs", "main.rs") else f"{folder}/{name.removesuffix('.rs')}"
        for module in source.code.tests:
            yield from (f"{inner}/{module}.rs", f"{inner}/{module}/")
