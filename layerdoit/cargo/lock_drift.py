"""Find where Cargo.lock is out of date, that is, what `cargo build --locked` would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote_plus, urlsplit

from layerdoit.cargo.semver import satisfies
from layerdoit.core import toml
from layerdoit.core.errors import WorkspaceError
from layerdoit.core.prose import listed

if TYPE_CHECKING:
    from layerdoit.cargo.lock import Lock, LockPackage
    from layerdoit.cargo.manifest import Dependency, Package, Workspace


UPDATE: Final = "run `cargo update --workspace` and commit Cargo.lock"


class Drift(NamedTuple):
    """One difference. `file`: relative to the workspace; `place`: its TOML path there, () for the whole file."""

    what: str
    file: str
    place: tuple[str, ...] = ()

    def where(self, ws: Workspace) -> str:
        """The file, with its line if known."""
        from layerdoit.cargo.toml_lines import where

        if not self.place:
            return self.file
        try:
            return where(self.file, toml.read_text(ws.root / self.file), self.place)
        except (OSError, WorkspaceError):
            return self.file


def check(ws: Workspace, lock: Lock) -> None:
    """Report early, and in one sentence, what `cargo build --locked` would report late."""
    for drift in drifts(ws, lock):
        raise WorkspaceError(
            drift.what,
            where=str(ws.root / drift.where(ws)),
            hint=UPDATE,
        )


def drifts(ws: Workspace, lock: Lock) -> Iterator[Drift]:
    """Every difference, package by package."""
    for package in ws.packages.values():
        entry = lock.local(package.name, package.version)
        if entry is None:
            if package.member:
                yield Drift(f"Cargo.lock does not have the package `{package.name}`", _manifest(package))
        elif entry.version != package.version:
            what = f"Cargo.lock has {package.name} {entry.version}, but the manifest says {package.version}"
            yield Drift(what, _manifest(package), ("package", "version"))
        elif package.member:
            yield from _dependencies(ws, lock, package, entry)
    known = {package.name for package in ws.packages.values()}
    gone = sorted({package.name for package in lock.packages if package.source is None and package.name not in known})
    if gone:
        yield Drift(f"Cargo.lock still has {listed(gone)}, which the workspace no longer has", "Cargo.lock")


def _manifest(package: Package) -> str:
    return f"{package.dir}/Cargo.toml".removeprefix("./")


def _dependencies(ws: Workspace, lock: Lock, package: Package, entry: LockPackage) -> Iterator[Drift]:
    locked: dict[str, list[LockPackage]] = {}
    for reference in entry.dependencies:
        found = lock.find(reference)
        locked.setdefault(reference.partition(" ")[0], []).extend([found] if found else [])
    wanted = {dependency.package for dependency in package.dependencies}
    for dependency in package.dependencies:
        if dependency.package == package.name:
            continue
        what = None
        if dependency.package not in locked:
            what = f"Cargo.lock does not have the dependency `{dependency.package}` of `{package.name}`"
        elif problem := _unfit(ws, dependency, locked[dependency.package]):
            what = f"`{package.name}` requires {problem}"
        if what:
            yield Drift(what, _manifest(package), dependency.place)
    extra = sorted(name for name in locked if name not in wanted)
    if extra:
        what = f"Cargo.lock says that `{package.name}` depends on {listed(extra)}, its manifest does not"
        yield Drift(what, _manifest(package))


def _unfit(ws: Workspace, dependency: Dependency, locked: list[LockPackage]) -> str | None:
    """What is required but not locked. Of several locked versions, one has to fit."""
    if dependency.path is not None or not locked:
        return None
    versions = ", ".join(package.version for package in locked)
    requirement = dependency.spec.get("version")
    if isinstance(requirement, str):
        fits = [satisfies(requirement, package.version) for package in locked]
        if not any(fit is None or fit for fit in fits):
            return f"{dependency.package} {requirement}, but Cargo.lock has {versions}"
    tables = [*ws.manifest.get("patch", {}).values(), *ws.config.get("patch", {}).values()]
    patched = {name for table in tables for name in table}
    address = dependency.spec.get("git")
    if isinstance(address, str) and dependency.package not in patched and dependency.name not in patched:
        # Formats before 4 write the name of a branch as it is.
        asked = [word for package in locked for word in urlsplit(package.source or "").query.split("&")]
        for kind in ("rev", "tag", "branch"):
            point = dependency.spec.get(kind)
            if isinstance(point, str) and not {f"{kind}={point}", f"{kind}={quote_plus(point)}"}.intersection(asked):
                return f"{dependency.package} at {kind} {point}, which Cargo.lock does not have"
    return None
