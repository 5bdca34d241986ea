"""Cargo.lock: is it there, does it fit the manifests, is it everybody's?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from layerdoit.cargo.lock import place_of
from layerdoit.cargo.semver import satisfies
from layerdoit.cargo.toml_lines import where
from layerdoit.core.prose import listed
from layerdoit.doctor.finding import Finding, Rule, rules

if TYPE_CHECKING:
    from layerdoit.cargo.lock import Lock, LockPackage
    from layerdoit.cargo.manifest import Dependency, Package, Workspace

MISSING = Rule(
    "lock-missing",
    "error",
    "There is no Cargo.lock.",
    "without it two builds of the same sources may use different crates, and nothing can be keyed by them",
    "run `cargo generate-lockfile` and commit Cargo.lock",
)
IGNORED = Rule(
    "lock-ignored",
    "warning",
    "git ignores Cargo.lock.",
    "the next clone has none: its image would be made from other crates, or not at all",
    "take Cargo.lock out of .gitignore and commit it",
)
STALE = Rule(
    "lock-stale",
    "error",
    "Cargo.lock lags behind a manifest.",
    "builds run with --locked, so that they use exactly the crates that were tested: cargo refuses",
    "run `cargo update --workspace` and commit Cargo.lock",
)
PATCH = Rule(
    "patch-unused",
    "warning",
    "A [patch] is not used.",
    "the crate that it should replace is compiled as it was published, usually because the versions do not fit",
    "give the patched crate a version that the requirements take, or remove the patch",
)
RULES = tuple(rules(globals()))


def stale(ws: Workspace, lock: Lock) -> Iterator[Finding]:
    """Where `cargo build --locked` would refuse the lockfile, as far as the texts tell: one finding per package."""
    for package in ws.packages.values():
        entry = lock.local(package.name, package.version)
        place = f"{package.dir}/Cargo.toml".removeprefix("./")
        if not package.member:
            continue
        if entry is None:
            yield STALE.found(f"Cargo.lock does not have the package `{package.name}`", place)
        elif entry.version != package.version:
            what = f"Cargo.lock has {package.name} {entry.version}, but the manifest says {package.version}"
            yield STALE.found(what, _line(ws, package, ("package", "version")))
        else:
            yield from _dependencies(ws, lock, package, entry)
    known = {package.name for package in ws.packages.values()}
    gone = sorted({package.name for package in lock.packages if package.source is None and package.name not in known})
    if gone:
        yield STALE.found(f"Cargo.lock still has {listed(gone)}, which the workspace no longer has", "Cargo.lock")


def _dependencies(ws: Workspace, lock: Lock, package: Package, entry: LockPackage) -> Iterator[Finding]:
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
            what = f"`{package.name}` asks for {problem}"
        if what:
            yield STALE.found(what, _line(ws, package, place_of(dependency)))
    extra = sorted(name for name in locked if name not in wanted)
    if extra:
        what = f"Cargo.lock says that `{package.name}` depends on {listed(extra)}, its manifest does not"
        yield STALE.found(what, f"{package.dir}/Cargo.toml".removeprefix("./"))


def _unfit(ws: Workspace, dependency: Dependency, locked: list[LockPackage]) -> str | None:
    """What is asked for and not locked. Several locked versions of one name: one of them has to fit."""
    if dependency.path is not None or not locked:
        return None
    versions = ", ".join(package.version for package in locked)
    requirement = dependency.spec.get("version")
    if isinstance(requirement, str):
        fits = [satisfies(requirement, package.version) for package in locked]
        if not any(fit is None or fit for fit in fits):
            return f"{dependency.package} {requirement}, but Cargo.lock has {versions}"
    patched = {name for table in ws.manifest.get("patch", {}).values() for name in table}
    address = dependency.spec.get("git")
    if isinstance(address, str) and dependency.package not in patched and dependency.name not in patched:
        sources = [package.source or "" for package in locked]
        for kind in ("rev", "tag", "branch"):
            point = dependency.spec.get(kind)
            if isinstance(point, str) and not any(f"{kind}={_quoted(point)}" in source for source in sources):
                return f"{dependency.package} at {kind} {point}, which Cargo.lock does not have"
    return None


def _quoted(point: str) -> str:
    from urllib.parse import quote_plus

    return quote_plus(point)


def _line(ws: Workspace, package: Package, path: tuple[str, ...]) -> str:
    name = f"{package.dir}/Cargo.toml".removeprefix("./")
    try:
        return where(name, (ws.root / name).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError):
        return name


def unused_patches(ws: Workspace, lock: Lock) -> Iterator[Finding]:
    """cargo notes them in the lockfile."""
    text = (ws.root / "Cargo.toml").read_text(encoding="utf-8")
    for package in lock.unused:
        source = next((name for name, table in ws.manifest.get("patch", {}).items() if package.name in table), None)
        place = where("Cargo.toml", text, ("patch", source, package.name)) if source else "Cargo.lock"
        yield PATCH.found(f"the patch for `{package.name}` ({package.version}) is not used", place)
