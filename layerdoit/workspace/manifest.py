"""The packages of a Cargo workspace, read from TOML alone; no cargo is needed.

    load(root) -> Workspace          # members, local path dependencies, packages reached by [patch] and [replace]
    find_root(start) -> Path         # the workspace root that cargo would use in `start`

`Package.dir` is relative to the workspace root ("." , "crates/api", "../shared"). `Package.dependencies` has every
dependency with inheritance (`workspace = true`) resolved to literal values. A second local package of the same name
is listed as "name@version". `Workspace.context_path(dir)` says where a folder lies below the context root.
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerdoit.errors import WorkspaceError
from layerdoit.workspace import cargo_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from layerdoit.workspace.cargo_config import Table

_KINDS = (("normal", "dependencies"), ("build", "build-dependencies"), ("dev", "dev-dependencies"))


@dataclass(frozen=True)
class Dependency:
    """One entry of a dependency table, with inheritance resolved."""

    name: str
    """The name in the table, by which features and sources call it."""
    package: str
    """The name of the package; differs from `name` when renamed."""
    kind: str
    """"normal", "build" or "dev"."""
    target: str | None
    """The key of its `[target.…]` table."""
    spec: Table
    """The literal specification without `path`."""
    path: str | None
    """The folder of a path dependency, relative to the workspace root."""


@dataclass(frozen=True)
class Package:
    """A local package: a member, or a path dependency, or the target of a patch."""

    name: str
    version: str
    dir: str
    manifest: Table
    member: bool
    bins: tuple[str, ...]
    has_lib: bool
    proc_macro: bool
    build_script: bool
    edition: str = "2015"
    crate_types: tuple[str, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    required_features: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Binary -> its `required-features`."""
    workspace_dir: str | None = None
    """The folder of the workspace it inherits from; differs from "." for a package of another workspace."""

    @property
    def features(self) -> Mapping[str, list[str]]:
        features: Mapping[str, list[str]] = self.manifest.get("features", {})
        return features


@dataclass(frozen=True)
class Workspace:
    """A workspace root with everything local that it is built from."""

    root: Path
    manifest: Table
    packages: Mapping[str, Package]
    default_members: tuple[str, ...]
    resolver: str
    ups: int
    config: Table
    patched: frozenset[str] = frozenset()
    """Packages that `[patch]` or `[replace]` points to; their versions matter to resolution."""

    @cached_property
    def by_dir(self) -> Mapping[str, str]:
        """Folder -> key in `packages`."""
        return {package.dir: key for key, package in self.packages.items()}

    @property
    def root_package(self) -> str | None:
        return self.by_dir.get(".")

    @property
    def outside(self) -> tuple[str, ...]:
        """Folders of local packages outside the root, sorted: "../shared"."""
        return tuple(sorted(package.dir for package in self.packages.values() if package.dir.startswith("../")))

    def context_path(self, relative: str) -> str:
        """A path relative to the workspace root as a path relative to the context root."""
        return posixpath.normpath("_/" * self.ups + relative)


def load(root: Path) -> Workspace:
    """Read the workspace whose root manifest is `root`/Cargo.toml."""
    path = root / "Cargo.toml"
    if not path.is_file():
        hint = "name the folder of the Rust project, or run `cargo init`"
        raise WorkspaceError("there is no Cargo.toml here", where=str(root), hint=hint)
    if not (root / "Cargo.lock").is_file():
        hint = "run `cargo generate-lockfile` and commit Cargo.lock"
        raise WorkspaceError("there is no Cargo.lock here", where=str(root), hint=hint)
    return _Loader(root, cargo_config.read_toml(path)).workspace()


def find_root(start: Path) -> Path:
    """The nearest workspace root at or above `start` that does not exclude it, else the nearest package."""
    start = start.absolute()
    start = Path(os.path.normpath(start))
    nearest: Path | None = None
    for folder in (start, *start.parents):
        path = folder / "Cargo.toml"
        if not path.is_file():
            continue
        manifest = cargo_config.read_toml(path)
        pointer = _package_table(manifest).get("workspace")
        if nearest is None and isinstance(pointer, str):
            return Path(os.path.normpath(folder / pointer))
        nearest = nearest or folder
        if "workspace" in manifest and not _excluded(manifest["workspace"], start.relative_to(folder).as_posix()):
            return folder
    if nearest is None:
        hint = "run this in a Rust project"
        raise WorkspaceError("there is no Cargo.toml in this folder or above", where=str(start), hint=hint)
    return nearest


def _package_table(manifest: Table) -> Table:
    table: Table = manifest.get("package") or manifest.get("project") or {}
    return table


def _below(relative: str, folder: str) -> bool:
    folder = posixpath.normpath(folder)
    return folder in (".", relative) or relative.startswith(folder + "/")


def _excluded(workspace: Table, relative: str) -> bool:
    if any(_below(relative, name) for name in workspace.get("members", []) if not _is_glob(name)):
        return False
    return any(_below(relative, name) for name in workspace.get("exclude", []))


def _is_glob(pattern: str) -> bool:
    return any(char in pattern for char in "*?[")


def _expand(root: Path, pattern: str) -> Iterator[str]:
    """Folders that match a member pattern, relative to the root; those of a glob need a manifest."""
    if not _is_glob(pattern):
        yield posixpath.normpath(pattern)
        return
    folders = ["."]
    for part in posixpath.normpath(pattern).split("/"):
        folders = list(_step(root, folders, part))
    yield from (name for name in folders if (root / name / "Cargo.toml").is_file())


def _step(root: Path, folders: list[str], part: str) -> Iterator[str]:
    for folder in folders:
        if part == "**":
            for top, names, _ in os.walk(root / folder):
                names.sort()
                yield posixpath.normpath(os.path.relpath(top, root).replace(os.sep, "/"))
        elif not _is_glob(part):
            yield posixpath.normpath(f"{folder}/{part}")
        elif (root / folder).is_dir():
            with os.scandir(root / folder) as entries:
                names = sorted(entry.name for entry in entries if entry.is_dir() and fnmatchcase(entry.name, part))
            yield from (posixpath.normpath(f"{folder}/{name}") for name in names)


def dependency_tables(manifest: Table) -> Iterator[tuple[str, str | None, Table]]:
    """Every (kind, target, table) of a manifest; the old spelling with underscores counts."""
    scopes: list[tuple[str | None, Table]] = [(None, manifest), *manifest.get("target", {}).items()]
    for target, scope in scopes:
        for kind, name in _KINDS:
            table = scope.get(name) or scope.get(name.replace("-", "_"))
            if table:
                yield kind, target, table


class _Loader:
    """Follows members, path dependencies and patches the way cargo does."""

    def __init__(self, root: Path, manifest: Table) -> None:
        self.root = root
        self.top = root.absolute()
        self.manifest = manifest
        self.table: Table = manifest.get("workspace", {})
        self.config = cargo_config.load(root)
        self.manifests: dict[str, Table] = {".": manifest}
        self.members: set[str] = set()
        self.found: dict[str, Package] = {}

    def workspace(self) -> Workspace:
        self._check_lists()
        if _package_table(self.manifest):
            self._visit(".", member=True, origin=".")
        for pattern in self.table.get("members", []):
            for folder in _expand(self.root, pattern):
                if not _excluded(self.table, folder):
                    self._visit(folder, member=True, origin=".")
        patched = {self._visit(folder, member=False, origin=".") for folder in self._patch_paths()}
        packages, keys = self._named()
        members = [package.dir for package in packages.values() if package.member]
        if not members:
            raise WorkspaceError("this manifest has neither a [package] nor workspace members", where=self._file("."))
        ups = max((package.dir.split("/").count("..") for package in packages.values()), default=0)
        default = self._default_members(members)
        return Workspace(
            root=self.root,
            manifest=self.manifest,
            packages=packages,
            default_members=tuple(sorted(keys[folder] for folder in default)),
            resolver=self._resolver(),
            ups=ups,
            config=self.config,
            patched=frozenset(keys[folder] for folder in patched),
        )

    def _file(self, folder: str) -> str:
        return str(self.root / folder / "Cargo.toml")

    def _check_lists(self) -> None:
        for name in ("members", "exclude", "default-members"):
            value = self.table.get(name, [])
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise WorkspaceError(f"workspace.{name} is not a list of strings", where=self._file("."))

    def _patch_paths(self) -> Iterator[str]:
        tables = [*self.manifest.get("patch", {}).values(), *self.config.get("patch", {}).values()]
        for table in (*tables, self.manifest.get("replace", {})):
            for spec in table.values():
                if isinstance(spec, dict) and "path" in spec:
                    yield posixpath.normpath(spec["path"])

    def _resolver(self) -> str:
        package = _package_table(self.manifest)
        named = self.table.get("resolver", package.get("resolver"))
        if named is not None:
            return str(named)
        edition = self._inherit(package.get("edition"), "edition", self.table) if package else None
        return {"2021": "2", "2024": "3"}.get(str(edition), "1")

    def _default_members(self, members: list[str]) -> list[str]:
        patterns = self.table.get("default-members")
        if patterns is None:
            return ["."] if "." in members else members
        named = {folder for pattern in patterns for folder in _expand(self.root, pattern)}
        unknown = sorted(named - set(members))
        if unknown:
            raise WorkspaceError(f"default member `{unknown[0]}` is not a member", where=self._file("."))
        return sorted(named)

    def _named(self) -> tuple[dict[str, Package], dict[str, str]]:
        packages: dict[str, Package] = {}
        for package in sorted(self.found.values(), key=lambda item: (item.name, not item.member, item.dir)):
            key = package.name
            if key in packages:
                key = f"{package.name}@{package.version}"
            if key in packages:
                what = f"two local packages are called `{key}`: {packages[key].dir} and {package.dir}"
                raise WorkspaceError(what, where=self._file(package.dir), hint="rename one of them")
            packages[key] = package
        return packages, {package.dir: key for key, package in packages.items()}

    def _read(self, folder: str, origin: str) -> Table:
        manifest = self.manifests.get(folder)
        if manifest is None:
            path = self.root / folder / "Cargo.toml"
            if not path.is_file():
                what = f"it names a package in {folder}, but there is no Cargo.toml"
                raise WorkspaceError(what, where=self._file(origin), hint="add the package or remove the entry")
            manifest = self.manifests[folder] = cargo_config.read_toml(path)
        return manifest

    def _visit(self, folder: str, *, member: bool, origin: str) -> str:
        """Load the package in `folder` and what it depends on by path; visited again when it proves to be a member."""
        member = member or folder in self.members
        if folder in self.found and self.found[folder].member >= member:
            return folder
        if member:
            self.members.add(folder)
        package = self._package(folder, self._read(folder, origin), member)
        self.found[folder] = package
        for dependency in package.dependencies:
            if dependency.path is not None and (member or dependency.kind != "dev"):
                self._visit(dependency.path, member=member and self._joins(dependency.path, folder), origin=folder)
        return folder

    def _joins(self, folder: str, origin: str) -> bool:
        """Does a member's path dependency in `folder` become a member too?"""
        if "workspace" not in self.manifest or _excluded(self.table, folder):
            return False
        if not folder.startswith(".."):
            return True
        pointer = _package_table(self._read(folder, origin)).get("workspace")
        return isinstance(pointer, str) and posixpath.normpath(f"{folder}/{pointer}") == "."

    def _home(self, folder: str, manifest: Table) -> tuple[str | None, Table]:
        """The folder and `[workspace]` table that a package inherits from."""
        if "workspace" in manifest:
            return folder, manifest["workspace"]
        pointer = _package_table(manifest).get("workspace")
        if isinstance(pointer, str):
            place = posixpath.normpath(f"{folder}/{pointer}")
            return place, self._read(place, folder).get("workspace", {})
        absolute = Path(os.path.normpath(self.top / folder))
        for parent in absolute.parents:
            place = posixpath.normpath(os.path.relpath(parent, self.top).replace(os.sep, "/"))
            if place in self.manifests or (parent / "Cargo.toml").is_file():
                table = self._read(place, folder).get("workspace")
                if table is not None and not _excluded(table, absolute.relative_to(parent).as_posix()):
                    return place, table
        return None, {}

    def _inherit(self, value: Any, name: str, table: Table) -> Any:
        if isinstance(value, dict) and value.get("workspace") is True:
            return table.get("package", {}).get(name)
        return value

    def _package(self, folder: str, manifest: Table, member: bool) -> Package:
        section = _package_table(manifest)
        if not isinstance(section.get("name"), str):
            raise WorkspaceError("this manifest has no package.name", where=self._file(folder))
        needs_home = member or _inherits(manifest)
        home, table = self._home(folder, manifest) if needs_home else (None, {})
        edition = str(self._inherit(section.get("edition"), "edition", table) or "2015")
        library: Table = manifest.get("lib", {})
        kinds = library.get("crate-type", library.get("crate_type", []))
        place = self.root / folder
        build = section.get("build")
        bins, required = _binaries(place, manifest, section["name"], edition)
        return Package(
            name=section["name"],
            version=str(self._inherit(section.get("version"), "version", table) or "0.0.0"),
            dir=folder,
            manifest=manifest,
            member=member,
            bins=bins,
            has_lib="lib" in manifest or (place / "src/lib.rs").is_file(),
            proc_macro=bool(library.get("proc-macro", library.get("proc_macro", "proc-macro" in kinds))),
            build_script=(place / "build.rs").is_file() if build in (None, True) else bool(build),
            edition=edition,
            crate_types=tuple(kinds),
            dependencies=tuple(self._dependencies(folder, manifest, home, table)),
            required_features=required,
            workspace_dir=home,
        )

    def _dependencies(self, folder: str, manifest: Table, home: str | None, table: Table) -> Iterator[Dependency]:
        for kind, target, entries in dependency_tables(manifest):
            for name, raw in entries.items():
                spec = {"version": raw} if isinstance(raw, str) else dict(raw)
                base = folder
                if spec.get("workspace") is True:
                    shared = table.get("dependencies", {}).get(name)
                    if shared is None:
                        what = f"dependency `{name}` is inherited, but workspace.dependencies has no `{name}`"
                        raise WorkspaceError(what, where=self._file(folder), hint="add it there")
                    spec, base = _merged({"version": shared} if isinstance(shared, str) else shared, spec), home or "."
                path = spec.pop("path", None)
                where = posixpath.normpath(f"{base}/{path}") if isinstance(path, str) else None
                yield Dependency(name, str(spec.get("package", name)), kind, target, spec, where)


def _inherits(manifest: Table) -> bool:
    tables = [_package_table(manifest), *(table for _, _, table in dependency_tables(manifest))]
    values = (value for table in tables for value in table.values())
    return any(isinstance(value, dict) and value.get("workspace") is True for value in values)


def _default_features(spec: Table) -> Any:
    return spec.get("default-features", spec.get("default_features"))


def _merged(shared: Table, own: Table) -> dict[str, Any]:
    """What cargo makes of `name = { workspace = true, … }`: features add up, the member may switch defaults on."""
    out = {name: value for name, value in shared.items() if name not in ("default_features", "optional")}
    features = [*shared.get("features", []), *own.get("features", [])]
    if features:
        out["features"] = list(dict.fromkeys(features))
    if _default_features(shared) is False:
        out["default-features"] = _default_features(own) is True
    else:
        out.pop("default-features", None)
    out.update({name: own[name] for name in ("optional", "public") if name in own})
    return out


def _binaries(
    place: Path, manifest: Table, package: str, edition: str
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Binaries as cargo finds them: `[[bin]]` tables, src/main.rs, src/bin/*.rs, src/bin/*/main.rs."""
    tables = [table for table in manifest.get("bin", []) if isinstance(table.get("name"), str)]
    found: dict[str, str] = {}
    if (place / "src/main.rs").is_file():
        found[package] = "src/main.rs"
    if (place / "src/bin").is_dir():
        with os.scandir(place / "src/bin") as entries:
            for entry in sorted(entries, key=lambda item: item.name):
                if entry.name.endswith(".rs") and entry.is_file():
                    found[entry.name.removesuffix(".rs")] = f"src/bin/{entry.name}"
                elif entry.is_dir() and Path(entry.path, "main.rs").is_file():
                    found[entry.name] = f"src/bin/{entry.name}/main.rs"
    names = [str(table["name"]) for table in tables]
    paths = {posixpath.normpath(table["path"]) for table in tables if isinstance(table.get("path"), str)}
    discover = _package_table(manifest).get("autobins", not (tables and edition == "2015"))
    if discover:
        names += [name for name, path in found.items() if name not in names and path not in paths]
    required = {str(t["name"]): tuple(t["required-features"]) for t in tables if t.get("required-features")}
    return tuple(sorted(names)), required
