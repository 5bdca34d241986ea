"""Who needs a locked package: the way from the chosen packages through Cargo.lock, for the reason of a change."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerdoit.cargo.lock import Lock, LockPackage
    from layerdoit.cargo.manifest import Workspace
    from layerdoit.cargo.stub_closure import Closure

Node = tuple[str, str]
"""Name and version of a locked external package."""


@dataclass(frozen=True)
class Graph:
    """`direct`: the members that name a package in a dependency table; `needed_by`: external packages that need it."""

    direct: Mapping[Node, tuple[str, ...]]
    needed_by: Mapping[Node, tuple[Node, ...]]

    def way(self, node: Node, wanted: Callable[[Node], bool]) -> list[Node] | None:
        """The shortest chain of packages from one that is wanted down to the node, both included."""
        seen = {node}
        todo = deque([[node]])
        while todo:
            chain = todo.popleft()
            if chain[0] != node and wanted(chain[0]):
                return chain
            for parent in self.needed_by.get(chain[0], ()):
                if parent not in seen:
                    seen.add(parent)
                    todo.append([parent, *chain])
        return None

    def from_direct(self, node: Node) -> list[Node] | None:
        """The shortest chain from a package that a member names."""
        return self.way(node, self.direct.__contains__)


def build(ws: Workspace, lock: Lock, reached: Closure) -> Graph:
    """The graph of what the chosen packages reach."""
    direct: dict[Node, list[str]] = defaultdict(list)
    needed: dict[Node, list[Node]] = defaultdict(list)
    for key in sorted(reached.local):
        package = ws.packages[key]
        entry = lock.local(package.name, package.version)
        counts = {
            dependency.package
            for dependency in package.dependencies
            if dependency.path is None and (dependency.kind != "dev" or key in reached.roots)
        }
        for found in _found(lock, entry.dependencies if entry else ()):
            if found.name in counts:
                direct[found.name, found.version].append(key)
    for external in reached.external:
        for found in _found(lock, external.dependencies):
            needed[found.name, found.version].append((external.name, external.version))
    return Graph(
        {node: tuple(keys) for node, keys in direct.items()},
        {node: tuple(sorted(parents)) for node, parents in needed.items()},
    )


def _found(lock: Lock, references: Iterable[str]) -> Iterable[LockPackage]:
    return (found for reference in references if (found := lock.find(reference)) is not None and found.source)
