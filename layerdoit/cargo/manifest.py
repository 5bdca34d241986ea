"""The packages of a Cargo workspace, read from TOML alone; no cargo is needed.

    load(root) -> Workspace          # members, local path dependencies, packages reached by [patch] and [replace]

`Package.dir` is relative to the workspace root ("." , "crates/api", "../shared"). `Package.dependencies` has every
dependency with inheritance (`workspace = true`) resolved to literal values. A second local package of the same name
is listed as "name@version". `Workspace.extra` names what a build needs besides the files of the root.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from layerdoit.cargo import absent, cargo_config, needed
from layerdoit.cargo.absent import Naming
from layerdoit.cargo.discovery import beyond, binaries, expand, find_root, is_excluded, package_table, relative
from layerdoit.cargo.inheritance import KINDS, dependency_tables, inherited, inherits, merged
from layerdoit.core import toml
from layerdoit.core.errors import WorkspaceError
from layerdoit.tree import hidden
from layerdoit.tree.kept import Kept
from layerdoit.tree.lister import Lister

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from layerdoit.cargo.cargo_config import ConfigFile, Table

_NAME = re.compile(r"[\w-]+")


class Dependency(NamedTuple):
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
    shared: bool
    """Whether its workspace says what it is."""

    @property
    def place(self) -> tuple[str, ...]:
        """The TOML path of its entry in the manifest of its package, for `toml_lines`."""
        table = (KINDS[self.kind], self.name)
        return table if self.target is None else ("target", self.target, *table)


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
    config: Table
    configuration: tuple[ConfigFile, ...] = ()
    """The files that `config` was merged from."""
    extra: tuple[str, ...] = ()
    """Files and folders, relative to the root, that builds read besides what git lists in it, sorted."""
    patched: frozenset[str] = frozenset()
    """Packages that `[patch]` or `[replace]` points to; their versions affect resolution."""

    @cached_property
    def by_dir(self) -> Mapping[str, str]:
        """Folder -> key in `packages`."""
        return {package.dir: key for key, package in self.packages.items()}

    @property
    def root_package(self) -> str | None:
        return self.by_dir.get(".")


def load(root: Path, lister: Lister | None = None) -> Workspace:
    """Read the workspace whose root manifest is `root`/Cargo.toml. `lister`: what of it is sent to builds."""
    path = root / "Cargo.toml"
    if not path.is_file():
        raise _missing(root, path.name, _elsewhere(root) or "name the folder of the Rust project, or run `cargo init`")
    if not (root / "Cargo.lock").is_file():
        raise _missing(root, "Cargo.lock", "run `cargo generate-lockfile` and commit Cargo.lock")
    try:
        lister = lister or Lister(root.resolve())
        return _Loader(root, read(path, lister.kept), lister).workspace()
    except _WRONG_TYPE:
        raise _wrong_type(str(path)) from None


def read(path: Path, kept: Kept) -> Table:
    """One manifest, which nobody changes. `kept`: what an earlier reading left."""
    text = toml.read_text(path)
    return kept.made(f"manifest {path}", text, lambda: toml.parse(text, str(path)))


def _elsewhere(root: Path) -> str:
    """The next step where the projects are in folders below; '' where there are none."""
    from layerdoit.cargo import projects_below

    below = projects_below.with_programs(projects_below.find_projects(root))
    lines = "\n".join(f"    {line}" for line in projects_below.dodo_lines(below, root))
    return f"have dodo.py name the folder of each project:\n{lines}" if below else ""


def _missing(root: Path, name: str, hint: str) -> WorkspaceError:
    """The error for a missing file, which often belongs to an enclosing project."""
    what = f"there is no {name} here"
    try:
        around = find_root(root)
    except WorkspaceError:
        around = root
    if around != root:
        what += f": this folder is inside the Rust project {around}"
        hint = f"run it there, or give `doit layers` the option --root {os.path.relpath(around)}"
    return WorkspaceError(what, where=str(root), hint=hint)


# What reading a table, a list or a string from a value of another type raises.
_WRONG_TYPE = (AttributeError, KeyError, TypeError, ValueError)


def _wrong_type(where: str) -> WorkspaceError:
    hint = "`cargo metadata` says which one"
    return WorkspaceError("a value in this manifest has the wrong type", where=where, hint=hint)


class _Loader:
    """Follows members, path dependencies and patches the way cargo does."""

    def __init__(self, root: Path, manifest: Table, lister: Lister) -> None:
        self.root = root
        self.lister = lister
        self.manifest = manifest
        self.table: Table = manifest.get("workspace", {})
        self.configuration = cargo_config.load(lister)
        self.config = self.configuration.table
        self.manifests: dict[str, Table] = {".": manifest}
        self.members: set[str] = set()
        self.found: dict[str, Package] = {}
        self.extra: set[str] = set()

    def workspace(self) -> Workspace:
        self._check_lists()
        if package_table(self.manifest):
            self._visit(".", Naming("the workspace", "Cargo.toml", ()), member=True)
        for pattern in self.table.get("members", []):
            by = Naming("workspace.members", "Cargo.toml", ("workspace", "members"))
            for folder in expand(self.lister, pattern):
                if not is_excluded(self.table, folder):
                    self._visit(folder, by, member=True)
        patched = {self._visit(folder, by, member=False) for folder, by in self._patch_paths()}
        packages, keys = self._named()
        members = [package.dir for package in packages.values() if package.member]
        if not members:
            raise WorkspaceError("this manifest has neither a [package] nor workspace members", where=self._file("."))
        default = self._default_members(members)
        return Workspace(
            root=self.root,
            manifest=self.manifest,
            packages=packages,
            default_members=tuple(sorted(keys[folder] for folder in default)),
            resolver=self._resolver(),
            config=self.config,
            configuration=self.configuration.files,
            extra=tuple(sorted(self.extra.union(self._needed()))),
            patched=frozenset(keys[folder] for folder in patched),
        )

    def _needed(self) -> Iterator[str]:
        homes = {package.workspace_dir or "." for package in self.found.values()} - self.found.keys() - {"."}
        return needed.besides(self.lister, self.found, homes, self.manifests, self.configuration)

    def _file(self, folder: str) -> str:
        return str(self.root / folder / "Cargo.toml")

    def _check_lists(self) -> None:
        for tables in (self.manifest, self.config):
            for name in ("profile", "patch"):
                if not all(isinstance(table, dict) for table in tables.get(name, {}).values()):
                    raise TypeError(name)
        for name in ("members", "exclude", "default-members"):
            value = self.table.get(name, [])
            if not _strings(value):
                raise WorkspaceError(f"workspace.{name} is not a list of strings", where=self._file("."))

    def _patch_paths(self) -> Iterator[tuple[str, Naming]]:
        tables: list[tuple[str, str, tuple[str, ...], Table]] = []
        tables.append((".", "Cargo.toml", ("replace",), self.manifest.get("replace", {})))
        files = [(one.base, one.path, one.table) for one in self.configuration.files]
        for base, file, whole in ((".", "Cargo.toml", self.manifest), *files):
            tables += [(base, file, ("patch", source), table) for source, table in whole.get("patch", {}).items()]
        for base, file, place, table in tables:
            for name, spec in table.items():
                if isinstance(spec, dict) and "path" in spec:
                    by = Naming(f"{place[0]} of `{name}`", file, (*place, name, "path"))
                    yield relative(self.root / base / spec["path"], self.root), by

    def _resolver(self) -> str:
        package = package_table(self.manifest)
        named = self.table.get("resolver", package.get("resolver"))
        if named is not None:
            return str(named)
        edition = inherited(package.get("edition"), "edition", self.table) if package else None
        return {"2021": "2", "2024": "3"}.get(str(edition), "1")

    def _default_members(self, members: list[str]) -> list[str]:
        patterns = self.table.get("default-members")
        if patterns is None:
            return ["."] if "." in members else members
        named = {folder for pattern in patterns for folder in expand(self.lister, pattern)}
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

    def _read(self, folder: str, by: Naming) -> Table:
        manifest = self.manifests.get(folder)
        if manifest is None:
            path = self.root / folder / "Cargo.toml"
            if not path.is_file():
                raise absent.error(self.root, folder, by)
            manifest = self.manifests[folder] = read(path, self.lister.kept)
        return manifest

    def _visit(self, folder: str, by: Naming, *, member: bool) -> str:
        """Load the package in `folder` and its path dependencies; visited again if it turns out to be a member."""
        member = member or folder in self.members
        if folder in self.found and self.found[folder].member >= member:
            return folder
        if member:
            self.members.add(folder)
        manifest = self._read(folder, by)
        self._send(folder)
        package = self._checked(folder, manifest, member)
        self.found[folder] = package
        for dependency in package.dependencies:
            if dependency.path is not None and (member or dependency.kind != "dev"):
                named = _naming(package, dependency)
                self._visit(dependency.path, named, member=member and self._joins(dependency.path, named))
        return folder

    def _send(self, folder: str) -> None:
        """Have a package's folder sent, unless git lists it in the workspace."""
        path = f"{folder}/Cargo.toml"
        if beyond(folder) or not self.lister.has(path):
            self.extra.add(folder)
            self.lister.add(folder)
            if not self.lister.has(path):
                raise hidden.left_out(self.lister, path)

    def _joins(self, folder: str, by: Naming) -> bool:
        """Whether a member's path dependency in `folder` becomes a member, too."""
        if "workspace" not in self.manifest or is_excluded(self.table, folder):
            return False
        if not folder.startswith(".."):
            return True
        pointer = package_table(self._read(folder, by)).get("workspace")
        return isinstance(pointer, str) and relative(f"{folder}/{pointer}", self.root) == "."

    def _home(self, folder: str, manifest: Table) -> tuple[str | None, Table]:
        """The folder and `[workspace]` table that a package inherits from."""
        if "workspace" in manifest:
            return folder, manifest["workspace"]
        pointer = package_table(manifest).get("workspace")
        by = Naming("package.workspace", _manifest_in(folder), ("package", "workspace"))
        if isinstance(pointer, str):
            place = relative(f"{folder}/{pointer}", self.root)
            return place, self._read(place, by).get("workspace", {})
        absolute = Path(os.path.normpath(self.root.absolute() / folder))
        for parent in absolute.parents:
            place = relative(parent, self.root)
            if place in self.manifests or (parent / "Cargo.toml").is_file():
                table = self._read(place, by).get("workspace")
                if table is not None and not is_excluded(table, absolute.relative_to(parent).as_posix()):
                    return place, table
        return None, {}

    def _checked(self, folder: str, manifest: Table, member: bool) -> Package:
        """The package in `folder`; values of a wrong type are reported as the user's mistake."""
        try:
            name = package_table(manifest).get("name")
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise WorkspaceError("this manifest has no valid package.name", where=self._file(folder))
            return self._package(folder, manifest, member)
        except _WRONG_TYPE:
            raise _wrong_type(self._file(folder)) from None

    def _package(self, folder: str, manifest: Table, member: bool) -> Package:
        section = package_table(manifest)
        home, table = self._home(folder, manifest) if inherits(manifest) else (None, {})
        edition = str(inherited(section.get("edition"), "edition", table) or "2015")
        library: Table = manifest.get("lib", {})
        kinds = library.get("crate-type", library.get("crate_type", []))
        if not all(_strings(enables) for enables in manifest.get("features", {}).values()) or not _strings(kinds):
            raise TypeError(folder)
        build = section.get("build")
        bins, required = binaries(self.lister, folder, manifest, section["name"], edition)
        has_lib = "lib" in manifest or self.lister.is_file(f"{folder}/src/lib.rs")
        if not (has_lib or bins):
            self._refuse_hidden_targets(folder)
        return Package(
            name=section["name"],
            version=str(inherited(section.get("version"), "version", table) or "0.0.0"),
            dir=folder,
            manifest=manifest,
            member=member,
            bins=bins,
            has_lib=has_lib,
            proc_macro=bool(library.get("proc-macro", library.get("proc_macro", "proc-macro" in kinds))),
            build_script=self.lister.is_file(f"{folder}/build.rs") if build in (None, True) else bool(build),
            edition=edition,
            crate_types=tuple(kinds),
            dependencies=tuple(self._dependencies(folder, manifest, home, table)),
            required_features=required,
            workspace_dir=home,
        )

    def _refuse_hidden_targets(self, folder: str) -> None:
        """A package of which a build would see a manifest only."""
        for name in ("src/lib.rs", "src/main.rs"):
            path = f"{folder}/{name}"
            if (self.root / path).is_file() and not self.lister.has(path):
                raise hidden.left_out(self.lister, path)

    def _dependencies(self, folder: str, manifest: Table, home: str | None, table: Table) -> Iterator[Dependency]:
        for kind, target, entries in dependency_tables(manifest):
            for name, raw in entries.items():
                spec = {"version": raw} if isinstance(raw, str) else dict(raw)
                base, shares = folder, spec.get("workspace") is True
                if shares:
                    shared = table.get("dependencies", {}).get(name)
                    if shared is None:
                        lacks = (
                            "this package is in no workspace"
                            if home is None
                            else "workspace.dependencies does not have it"
                        )
                        what = f"dependency `{name}` says `workspace = true`, but {lacks}"
                        raise WorkspaceError(
                            what, where=self._file(folder), hint="add it to workspace.dependencies, or give a version"
                        )
                    spec, base = merged({"version": shared} if isinstance(shared, str) else shared, spec), home or "."
                if not _strings(spec.get("features", [])):
                    raise TypeError(name)
                path = spec.pop("path", None)
                where = relative(f"{base}/{path}", self.root) if isinstance(path, str) else None
                yield Dependency(name, str(spec.get("package", name)), kind, target, spec, where, shares)


def _manifest_in(folder: str) -> str:
    return f"{folder}/Cargo.toml".removeprefix("./")


def _naming(package: Package, dependency: Dependency) -> Naming:
    """Where a path dependency is named, with its path."""
    words = f"dependency `{dependency.name}`"
    if dependency.shared:
        place = ("workspace", "dependencies", dependency.name, "path")
        return Naming(words, _manifest_in(package.workspace_dir or "."), place)
    return Naming(words, _manifest_in(package.dir), (*dependency.place, "path"))


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
