"""What the selected packages depend on: local packages, locked external ones, and local ones that must be real.

closure(ws, lock, selection) -> Closure(local, external, real)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from layerdoit.cargo.lock import Lock, LockPackage
    from layerdoit.cargo.manifest import Dependency, Package, Workspace
    from layerdoit.cargo.selection import Selection


class Closure(NamedTuple):
    """`local` and `real` are keys of `Workspace.packages`; `real` ones are compiled into external packages."""

    local: frozenset[str]
    external: tuple[LockPackage, ...]
    real: frozenset[str]
    roots: frozenset[str]
    """Packages whose dev-dependencies count: resolver 1 unifies their features with all others."""


def closure(ws: Workspace, lock: Lock, selection: Selection) -> Closure:
    """Follow normal and build dependencies from the selected packages; conservative where the lock is ambiguous."""
    start = set(selection.packages)
    if ws.resolver == "1" and ws.root_package is not None:
        start.add(ws.root_package)  # the old resolver always takes the package of the current folder along
    roots = frozenset(start) if ws.resolver == "1" else frozenset()
    walk = _Walk(ws, lock, roots)
    walk.run(start)
    external = tuple(sorted(walk.external.values(), key=lambda item: (item.name, item.version, item.source or "")))
    return Closure(frozenset(walk.local), external, frozenset(walk.real), roots)


class _Walk:
    def __init__(self, ws: Workspace, lock: Lock, roots: frozenset[str]) -> None:
        self.ws = ws
        self.lock = lock
        self.roots = roots
        self.keys = {(package.name, package.version): key for key, package in ws.packages.items()}
        self.local: set[str] = set()
        self.real: set[str] = set()
        self.external: dict[tuple[str, str, str | None], LockPackage] = {}
        self.todo: list[tuple[str | LockPackage, bool]] = []

    def run(self, start: set[str]) -> None:
        self.todo = [(key, False) for key in start]
        while self.todo:
            item, real = self.todo.pop()
            if isinstance(item, str):
                self._local(item, real)
            elif item.source is None:
                self.todo.append((self._key(item), real))
            elif item.ident not in self.external:
                self.external[item.ident] = item
                self._references((*item.dependencies, *((item.replace,) if item.replace else ())))

    def _key(self, entry: LockPackage) -> str:
        return self.keys.get((entry.name, entry.version), entry.name)

    def _references(self, references: tuple[str, ...]) -> None:
        """Follow an external package's dependencies; a local one is compiled into it, so it must be real."""
        for reference in references:
            found = self.lock.find(reference)
            if found is not None:
                self.todo.append((found, True))

    def _local(self, key: str, real: bool) -> None:
        package = self.ws.packages.get(key)
        if package is None or (key in self.local and (key in self.real or not real)):
            return
        self.local.add(key)
        if real:
            self.real.add(key)
        for dependency in package.dependencies:
            counts = dependency.kind != "dev" or key in self.roots
            if counts:
                self.todo += [(item, real) for item in self._targets(package, dependency)]
            elif real and package.member and dependency.path is not None:
                # The manifest of a real member is read as it is: what its dev-dependencies name has to be there.
                self.todo.append((self.ws.by_dir[dependency.path], True))

    def _targets(self, package: Package, dependency: Dependency) -> Iterator[str | LockPackage]:
        if dependency.path is not None:
            yield self.ws.by_dir[dependency.path]
            return
        entry = self.lock.local(package.name, package.version)
        if entry is None:
            yield from self.lock.by_name.get(dependency.package, ())
            return
        for reference in entry.dependencies:
            if reference.partition(" ")[0] == dependency.package:
                found = self.lock.find(reference)
                if found is not None:
                    yield found
