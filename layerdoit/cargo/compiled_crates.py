"""Which external crates the selected packages, features and target compile, as far as we can tell without cargo.

    built(ws, lock, selection, options, elsewhere) -> dict[ident, Crate]

Features of local packages are resolved as cargo does. Cargo.lock holds the dependencies of external crates for all
features that *any* member may switch on: where an inactive one reaches a crate, what lies below is only perhaps built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerdoit.cargo import cfg
from layerdoit.cargo.features import Resolved, asked, resolve
from layerdoit.core.platform import container_triple

if TYPE_CHECKING:
    from layerdoit.cargo.lock import Lock, LockPackage
    from layerdoit.cargo.manifest import Dependency, Package, Workspace
    from layerdoit.cargo.options import Options
    from layerdoit.cargo.selection import Selection

Ident = tuple[str, str, str | None]
Elsewhere = Callable[[str, str], bool]
"""(dependant, crate) -> whether that dependency is not compiled on Linux."""


@dataclass(frozen=True)
class Crate:
    """An external crate that is built. `features`: requested by local packages; `complete`: others request none."""

    package: LockPackage
    certain: bool
    via: tuple[str, ...]
    """The dependency path to it: a local package, then external ones."""
    features: frozenset[str]
    complete: bool
    tainted: bool
    """An inactive dependency also leads to it, so that its dependencies in the lockfile may be unused."""


@dataclass(frozen=True)
class _Request:
    """A local package's dependency on an external one."""

    dependant: str
    entry: LockPackage
    features: frozenset[str]
    active: bool


def built(
    ws: Workspace, lock: Lock, selection: Selection, options: Options, elsewhere: Elsewhere
) -> dict[Ident, Crate]:
    """Every external crate that is or may be compiled."""
    requests = list(_requests(ws, lock, resolve(ws, selection.packages, options)))
    return _External(lock, requests, elsewhere).crates()


def _requests(ws: Workspace, lock: Lock, resolved: Resolved) -> Iterator[_Request]:
    """Every dependency of a local package on an external one, active or not."""
    triple = resolved.options.target or container_triple()
    for key, package in ws.packages.items():
        on, used = resolved.of(key), resolved.uses(key)
        forwarded = _forwarded(package)
        for dependency in package.dependencies:
            entry = _entry(lock, package, dependency) if dependency.path is None else None
            if entry is None:
                continue
            features, default = asked(dependency)
            base = features | (frozenset(("default",)) if default else frozenset())
            # The lockfile is of all targets: what another one asks for stands in it too.
            here = dependency.kind != "dev" and cfg.applies(dependency.target, triple)
            runs = on is not None and here and dependency.name in used
            if package.member or runs:
                yield _Request(key, entry, base, runs)
            for name in forwarded.get(dependency.name, ()):
                feature = name.partition("/")[2]
                yield _Request(key, entry, frozenset((feature,)), runs and on is not None and name in on)


def _entry(lock: Lock, package: Package, dependency: Dependency) -> LockPackage | None:
    own = lock.local(package.name, package.version)
    for reference in own.dependencies if own else ():
        if reference.partition(" ")[0] == dependency.package:
            found = lock.find(reference)
            if found is not None and found.source is not None:
                return found
    return None


def _forwarded(package: Package) -> dict[str, set[str]]:
    """Dependency -> feature strings of a package that enable its features."""
    out: dict[str, set[str]] = {}
    for name in (name for enables in package.features.values() for name in enables):
        dependency, slash, _ = name.partition("/")
        if slash:
            out.setdefault(dependency.removesuffix("?"), set()).add(name)
    return out


class _External:
    """The locked graph of external crates that the requests lead to."""

    def __init__(self, lock: Lock, requests: list[_Request], elsewhere: Elsewhere) -> None:
        self.lock = lock
        self.elsewhere = elsewhere
        self.asked: dict[Ident, set[str]] = {}
        self.first: dict[Ident, str] = {}
        for request in requests:
            if request.active and not elsewhere(request.dependant, request.entry.name):
                self.asked.setdefault(request.entry.ident, set()).update(request.features)
                self.first.setdefault(request.entry.ident, request.dependant)
        idle = [request.entry for request in requests if not request.active and not self._subsumed(request)]
        self.tainted = set(self._below(idle))

    def _subsumed(self, request: _Request) -> bool:
        return request.features <= self.asked.get(request.entry.ident, set()) and request.entry.ident in self.asked

    def _edges(self, package: LockPackage) -> Iterator[LockPackage]:
        for reference in (*package.dependencies, *((package.replace,) if package.replace else ())):
            found = self.lock.find(reference)
            if found is not None and not self.elsewhere(package.name, found.name):
                yield found

    def _below(self, start: list[LockPackage]) -> Mapping[Ident, LockPackage]:
        seen = {package.ident: package for package in start}
        todo = list(start)
        while todo:
            for package in self._edges(todo.pop()):
                if package.ident not in seen:
                    seen[package.ident] = package
                    todo.append(package)
        return seen

    def crates(self) -> dict[Ident, Crate]:
        """Walk breadth first, so that `via` is a shortest path; paths over certain crates come first."""
        by_ident = {package.ident: package for package in self.lock.packages}
        via: dict[Ident, tuple[str, ...]] = {ident: (name,) for ident, name in self.first.items()}
        certain = set(via)
        doubtful: list[tuple[LockPackage, LockPackage]] = []
        todo = [by_ident[ident] for ident in via]
        askers: set[Ident] = set()  # crates that an external one asks for as well
        for sure in (True, False):
            if not sure:
                for package, found in doubtful:
                    if found.ident not in via:
                        via[found.ident] = (*via[package.ident], package.name)
                        todo.append(found)
            while todo:
                package = todo.pop(0)
                for found in self._edges(package):
                    askers.add(found.ident)
                    if found.ident in via:
                        continue
                    if sure and package.ident in self.tainted:
                        doubtful.append((package, found))
                        continue
                    via[found.ident] = (*via[package.ident], package.name)
                    certain.update((found.ident,) if sure else ())
                    todo.append(found)
        return {
            ident: Crate(
                by_ident[ident],
                ident in certain,
                way,
                frozenset(self.asked.get(ident, ())),
                complete=ident not in askers,
                tainted=ident in self.tainted,
            )
            for ident, way in via.items()
            if by_ident[ident].source is not None
        }
