"""Which crates a planned deps layer compiles: what Cargo.lock changed and this build needs, and what needs that.

    of(inputs, step) -> Compiling

Cargo.lock is of all targets and features. The host's cargo knows which crates this build compiles, where it has their
manifests; otherwise the lock file has to do, and the answer is a guess.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from layerdoit.core.prose import listed
from layerdoit.core.units import count_text
from layerdoit.layers.wording import members_of, moved

if TYPE_CHECKING:
    from layerdoit.cargo.lock import Lock
    from layerdoit.cargo.selection import Selection
    from layerdoit.layers.plan import Step
    from layerdoit.layers.reasons import Reason
    from layerdoit.project.inputs import Inputs

Crate = tuple[str, str]
"""Name and version."""

_NAMED = 8


class Compiling(NamedTuple):
    """`crates`: that are new, or changed; `dependents`: others that need one of them; `idle`: what Cargo.lock changed
    and this build does not compile. `everything`: all is cooked anew, and `crates` are all that there are. `known`:
    cargo said so.
    """

    crates: tuple[Crate, ...]
    dependents: tuple[Crate, ...] = ()
    idle: tuple[Crate, ...] = ()
    everything: bool = False
    known: bool = True

    def lines(self) -> Iterator[str]:
        """The text."""
        about = "" if self.known else "about "
        if self.everything:
            yield f"compiles all {about}{count_text(len(self.crates), 'crate')}"
        else:
            names = listed([" ".join(crate) for crate in self.crates], _NAMED)
            also = f", and {_those(self.dependents)}" if self.dependents else ""
            yield f"compiles {about}{count_text(len(self.crates), 'crate')}{f': {names}' if names else ''}{also}"
        if self.idle:
            more = count_text(len(self.idle), "more package")
            yield f"Cargo.lock changed {more} that this build does not compile: for other targets or features"

    def as_json(self) -> dict[str, Any]:
        """The documented form."""
        return {
            "crates": [" ".join(crate) for crate in self.crates],
            "dependents": [" ".join(crate) for crate in self.dependents],
            "not_compiled": [" ".join(crate) for crate in self.idle],
            "everything": self.everything,
            "known": self.known,
        }

    def shown(self, reason: Reason) -> bool:
        """Whether a reason is worth its sentence: not one of packages that are not compiled."""
        if reason.input != "package":
            return True
        came = moved(reason.old, reason.new).came
        idle = {(_name(reason.names[0]), version) for version in came}
        return not (came and idle <= set(self.idle))


def of(inputs: Inputs, step: Step) -> Compiling:
    """What the step compiles."""
    compiled, known = external(inputs, inputs.selection)
    return among(step, inputs.tree.lock, compiled, known=known)


def external(inputs: Inputs, selection: Selection) -> tuple[set[Crate], bool]:
    """The external crates that a build of the selection compiles; and whether cargo said so."""
    from layerdoit.cargo import compiled_crates, native, target_graph

    project, lock = inputs.project, inputs.tree.lock
    asked = (project.workspace, lock, selection, project.options)
    graph = target_graph.compiled(project.root, *asked)
    if graph is None:
        built = compiled_crates.built(*asked, native.table().elsewhere).values()
        return {(crate.package.name, crate.package.version) for crate in built}, False
    return set(graph) & {(package.name, package.version) for package in lock.external}, True


def among(step: Step, lock: Lock, compiled: Collection[Crate], *, known: bool) -> Compiling:
    """The same, from the crates that this build compiles."""
    changed = set(_changed(step.reasons, lock))
    crates = changed & set(compiled)
    if step.parent is None or step.from_scratch:
        return Compiling(tuple(sorted(compiled)), (), tuple(sorted(changed - crates)), everything=True, known=known)
    return Compiling(
        tuple(sorted(crates)),
        tuple(sorted(_needing(crates, lock, compiled) - crates)),
        tuple(sorted(changed - crates)),
        known=known,
    )


def _changed(reasons: Collection[Reason], lock: Lock) -> Iterator[Crate]:
    """Packages that came, and those that a manifest asks for in another way."""
    for reason in reasons:
        if reason.input == "package" and reason.kind == "changed" and reason.old != reason.new:
            name, found = _name(reason.names[0]), moved(reason.old, reason.new)
            # Without another version, it has another source, or is built on others.
            versions = found.came or (found.stayed if not found.went else ())
            yield from ((name, version) for version in versions)
        elif reason.input == "package":
            yield from (crate for name in reason.names for crate in _all_of(_name(name), lock))
        elif reason.input == "dependency" and members_of(reason.names):
            package = reason.names[0].partition(": ")[2].partition(" [")[0]
            yield from _all_of(package, lock)


def _all_of(name: str, lock: Lock) -> Iterator[Crate]:
    return ((one.name, one.version) for one in lock.by_name.get(name, ()) if one.source)


def _needing(crates: Collection[Crate], lock: Lock, compiled: Collection[Crate]) -> set[Crate]:
    """All compiled crates that need some, directly or not."""
    needed_by: dict[Crate, set[Crate]] = {}
    for package in lock.external:
        for reference in package.dependencies:
            if (below := lock.find(reference)) is not None:
                needed_by.setdefault((below.name, below.version), set()).add((package.name, package.version))
    found, todo = set[Crate](), list(crates)
    while todo:
        new = (needed_by.get(todo.pop(), set()) & set(compiled)) - found
        found |= new
        todo += new
    return found


def _name(given: str) -> str:
    return given.removeprefix("package ")


def _those(crates: Collection[Crate]) -> str:
    verb = "needs" if len(crates) == 1 else "need"
    return f"{len(crates)} that {verb} them: {listed([' '.join(crate) for crate in crates], _NAMED)}"
