"""Cargo.lock: a fast reader for cargo's own format, lookups, and a writer that masks local versions.

load(root) -> Lock; parse(text, where) -> Lock
Lock.find(reference) -> LockPackage | None      # "name", "name version", "name version (source)"
Lock.local(name, version) -> LockPackage | None # the entry of a path package
render(lock, masked) -> str                     # `masked`: (name, version) of local packages that become 0.0.0
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from layerdoit.core import toml
from layerdoit.core.errors import WorkspaceError
from layerdoit.tree.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path


MASKED = "0.0.0"
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
"""The source of a package of crates.io, whichever way cargo reads the index."""
# Formats 1 and 2 have no version line; the first keeps checksums in `[metadata]` and writes references in full.
_WITH_METADATA, _UNNUMBERED = 1, 2


@dataclass(frozen=True, slots=True)
class LockPackage:
    """One `[[package]]`; `source` is None for a local package."""

    name: str
    version: str
    source: str | None = None
    checksum: str | None = None
    dependencies: tuple[str, ...] = ()
    replace: str | None = None

    @property
    def ident(self) -> tuple[str, str, str | None]:
        return self.name, self.version, self.source

    @property
    def exact_source(self) -> str | None:
        """The source with the commit or the checksum behind a `#`; None where neither is known."""
        exact = f"{self.source}#{self.checksum}" if self.source and self.checksum else self.source
        return exact if exact and "#" in exact else None


@dataclass(frozen=True)
class Lock:
    """A parsed Cargo.lock; `version` is the format."""

    version: int
    packages: tuple[LockPackage, ...]
    unused: tuple[LockPackage, ...] = ()

    @cached_property
    def by_name(self) -> Mapping[str, tuple[LockPackage, ...]]:
        out: dict[str, tuple[LockPackage, ...]] = {}
        for package in self.packages:
            out[package.name] = (*out.get(package.name, ()), package)
        return out

    def find(self, reference: str) -> LockPackage | None:
        """The package that a `dependencies` or `replace` entry refers to."""
        name, _, rest = reference.partition(" ")
        candidates = self.by_name.get(name, ())
        if not rest:
            return candidates[0] if candidates else None
        version, _, source = rest.partition(" ")
        matching = [package for package in candidates if package.version == version]
        if source:
            wanted = _without_revision(source[1:-1])
            return next((item for item in matching if item.source and _without_revision(item.source) == wanted), None)
        # Without a source it is the only one of its version, or a local one beside others of the same version.
        return next((package for package in matching if package.source is None), matching[0] if matching else None)

    def local(self, name: str, version: str) -> LockPackage | None:
        """The entry of a local package; its version may be behind the manifest's."""
        candidates = [package for package in self.by_name.get(name, ()) if package.source is None]
        exact = [package for package in candidates if package.version == version]
        return next(iter(exact or candidates), None)

    @property
    def external(self) -> tuple[LockPackage, ...]:
        """Every package that is not local; an offline resolution must find these in the registry index."""
        return tuple(package for package in self.packages if package.source is not None)


def _without_revision(source: str) -> str:
    """The source without the commit of a git source, as references write it."""
    return source.partition("#")[0]


def load(root: Path, kept: Kept | None = None) -> Lock:
    """Read `root`/Cargo.lock. `kept`: what an earlier reading left."""
    path = root / "Cargo.lock"
    if not path.is_file():
        if (root / "Cargo.toml").is_file():
            # Without a manifest that can be read, cargo makes none.
            toml.read(root / "Cargo.toml")
        hint = "run `cargo generate-lockfile` and commit Cargo.lock"
        raise WorkspaceError("there is no Cargo.lock here", where=str(root), hint=hint)
    text = toml.read_text(path)
    return (kept or Kept()).made(f"lock {path}", text, lambda: parse(text, str(path)))


def parse(text: str, where: str = "Cargo.lock") -> Lock:
    """Parse lockfile text: cargo's own layout with the fast reader, anything else as TOML."""
    text = text.replace("\r\n", "\n")
    lock = parse_canonical(text)
    return lock if lock is not None else _from_toml(toml.parse(text, where), where)


_VALUE = r'"([^"\\\n\x00-\x1f\x7f]*)"\n'
_HEAD = re.compile(r"(?:#[^\n\x00-\x08\x0b-\x1f\x7f]*\n)*\n*(?:version = ([3-9])\n+)?")
_ENTRY = re.compile(
    rf"\[\[(package|patch\.unused)\]\]\nname = {_VALUE}version = {_VALUE}(?:source = {_VALUE})?(?:checksum = {_VALUE})?"
    r'(?:dependencies = \[\n((?: "[^"\\\n\x00-\x1f\x7f]*",\n)+)\]\n)?'
    rf"(?:replace = {_VALUE})?\n*"
)


def parse_canonical(text: str) -> Lock | None:
    """The lock if its text is exactly as cargo writes it (format 2 and later), else None."""
    head = _HEAD.match(text)
    if head is None:
        return None
    position, end = head.end(), len(text)
    packages: list[LockPackage] = []
    unused: list[LockPackage] = []
    match = _ENTRY.match
    while position < end:
        found = match(text, position)
        if found is None:
            return None
        position = found.end()
        table, name, version, source, checksum, listed, substitute = found.groups()
        dependencies = tuple(listed[2:-3].split('",\n "')) if listed else ()
        package = LockPackage(name, version, source, checksum, dependencies, substitute)
        if table == "package":
            if unused:
                return None
            packages.append(package)
        else:
            unused.append(package)
    return Lock(int(head[1] or _UNNUMBERED), tuple(packages), tuple(unused))


def _from_toml(data: Mapping[str, Any], where: str) -> Lock:
    sums: Mapping[str, str] = data.get("metadata", {})
    root = [data["root"]] if "root" in data else []
    try:
        packages = [_entry(table, sums) for table in (*root, *data.get("package", []))]
        unused = [_entry(table, sums) for table in data.get("patch", {}).get("unused", [])]
        version = int(data.get("version", _WITH_METADATA if sums else _UNNUMBERED))
    except (KeyError, TypeError, AttributeError, ValueError):
        hint = "restore it from git or run `cargo generate-lockfile`"
        raise WorkspaceError("this is not a valid lockfile", where=where, hint=hint) from None
    return Lock(version, tuple(packages), tuple(unused))


def _entry(table: Mapping[str, Any], sums: Mapping[str, str]) -> LockPackage:
    name, version, source = str(table["name"]), str(table["version"]), table.get("source")
    checksum = table.get("checksum", sums.get(f"checksum {name} {version} ({source})"))
    return LockPackage(name, version, source, checksum, tuple(table.get("dependencies", ())), table.get("replace"))


def render(lock: Lock, masked: Collection[tuple[str, str]]) -> str:
    """Write the lockfile with the versions of `masked` local packages set to 0.0.0, in cargo's format."""

    def mask(package: LockPackage) -> LockPackage:
        hidden = package.source is None and (package.name, package.version) in masked
        return replace(package, version=MASKED) if hidden else package

    counts = Counter(mask(package).ident[:2] for package in lock.packages)
    versions = Counter(name for name, _ in counts)

    def reference(text: str) -> str:
        found = lock.find(text)
        if found is None:
            return text
        package = mask(found)
        suffix = f" ({_without_revision(package.source)})" if package.source else ""
        if lock.version == _WITH_METADATA or counts[package.ident[:2]] > 1:
            return f"{package.name} {package.version}{suffix}"
        return package.name if versions[package.name] == 1 else f"{package.name} {package.version}"

    out = [f"version = {lock.version}\n"] if lock.version > _UNNUMBERED else []
    ordered = sorted(map(mask, lock.packages), key=lambda item: (item.name, item.version, item.source or ""))
    out += [_block("package", item, sorted(map(reference, item.dependencies)), lock.version) for item in ordered]
    out += [_block("patch.unused", mask(package), [], lock.version) for package in lock.unused]
    if lock.version == _WITH_METADATA:
        sums = [item for item in lock.external if item.checksum]
        lines = sorted(f'"checksum {p.name} {p.version} ({p.source})" = "{p.checksum}"\n' for p in sums)
        out.append("[metadata]\n" + "".join(lines))
    return "# This file is automatically @generated by Cargo.\n" + "\n".join(out)


def _block(table: str, package: LockPackage, dependencies: list[str], version: int) -> str:
    lines = [f"[[{table}]]", f'name = "{package.name}"', f'version = "{package.version}"']
    if package.source is not None:
        lines.append(f'source = "{package.source}"')
    if package.checksum is not None and version > _WITH_METADATA:
        lines.append(f'checksum = "{package.checksum}"')
    if dependencies:
        lines += ["dependencies = [", *(f' "{name}",' for name in dependencies), "]"]
    if package.replace is not None:
        lines.append(f'replace = "{package.replace}"')
    return "\n".join(lines) + "\n"
