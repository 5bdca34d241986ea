"""The dependency-only workspace that the deps layer compiles, made from TOML alone.

    make(ws, lock, selection) -> Stub(files, copies)

`files`: paths relative to the workspace root -> content. Each local package is a manifest
with an empty library below `<root>/.stub/<name>/`; a root package stays at the root, because old resolvers treat the
package of the current folder specially. All members are there, so that the (masked) Cargo.lock is exact.

`copies`: folders or files, relative to the workspace root, that have to be real: local packages that external crates
are compiled against, vendored sources, programs. Their content belongs to the key of the deps layer. `files` are
written over `copies`.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, NamedTuple

from layerdoit.cargo import artifacts, cargo_config
from layerdoit.cargo.discovery import beyond, is_excluded, relative
from layerdoit.cargo.lock import MASKED, Lock, render
from layerdoit.cargo.stub_closure import Closure, closure
from layerdoit.tree import links

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layerdoit.cargo.cargo_config import ConfigFile
    from layerdoit.cargo.manifest import Dependency, Package, Workspace
    from layerdoit.cargo.selection import Selection

FOLDER = ".stub"
_SECTIONS = {"normal": "dependencies", "build": "build-dependencies", "dev": "dev-dependencies"}
_NO_DISCOVERY = ("autobins", "autoexamples", "autotests", "autobenches")
_KEPT_FIELDS = ("forced-target", "default-target")
# A program that compiles where there is no operating system.
_BARE = b"#![no_std]\n#![no_main]\n#[panic_handler]\nfn panic(_: &core::panic::PanicInfo) -> ! {\n    loop {}\n}\n"
_NOT_WITH_PATH = frozenset(("version", "registry", "registry-index"))


class Stub(NamedTuple):
    files: Mapping[str, bytes]
    copies: tuple[str, ...]


def make(ws: Workspace, lock: Lock, selection: Selection, reached: Closure | None = None) -> Stub:
    """The stub workspace for building `selection`. `reached`: its closure, where that is known already."""
    return _Maker(ws, lock, reached or closure(ws, lock, selection)).stub()


def copies(ws: Workspace, reached: Closure) -> tuple[str, ...]:
    """The files and folders that have to be real in the stub workspace, with what links on the way to them lead to."""
    sources = {ws.packages[key].dir for key in reached.real}
    sources.update(cargo_config.referenced(ws.configuration, ws.root))
    for key in reached.real:
        home = ws.packages[key].workspace_dir
        if home is not None and home not in (".", ws.packages[key].dir):
            sources.add(posixpath.normpath(f"{home}/Cargo.toml"))
    for source in tuple(sources):
        on_it, end = links.way(str(ws.root.resolve()), source)
        sources.update((*on_it, end) if on_it and end else ())
    return tuple(sorted(sources))


def stands_for(path: str, packages: Mapping[str, str]) -> str:
    """The path of what a file or folder of the stub workspace stands for. `packages`: key -> folder."""
    top, _, below = path.partition("/")
    key, _, rest = below.partition("/")
    return posixpath.normpath(f"{packages[key]}/{rest}") if top == FOLDER and key in packages else path


def local_profile_spec(ws: Workspace, lock: Lock, spec: str) -> bool:
    """Whether `[profile.x.package.<spec>]` applies to local packages only."""
    name = spec.rpartition("#")[2].partition("@")[0].partition(":")[0]
    named = {package.name for package in ws.packages.values()}
    return name in named and all(entry.source is None for entry in lock.by_name.get(name, ()))


def profiles(ws: Workspace, lock: Lock, tables: Mapping[str, Any]) -> dict[str, Any]:
    """Profiles without the overrides for local packages, which do not affect external crates."""
    out: dict[str, Any] = {}
    for name, table in tables.items():
        out[name] = dict(table)
        if isinstance(table.get("package"), dict):
            overrides = table["package"].items()
            out[name]["package"] = {s: item for s, item in overrides if not local_profile_spec(ws, lock, s)}
    return out


class _Maker:
    def __init__(self, ws: Workspace, lock: Lock, reached: Closure) -> None:
        self.ws = ws
        self.lock = lock
        self.real = reached.real
        self.copies = copies(ws, reached)
        self.programs = artifacts.programs(ws)
        self.masked = frozenset(
            (package.name, package.version)
            for key, package in ws.packages.items()
            # A version that a patch has to match, that a real manifest states, or that tells namesakes apart, stays.
            if key not in self.real and key not in ws.patched and not self._ambiguous(package.name)
        )

    def _ambiguous(self, name: str) -> bool:
        return any(key.startswith(f"{name}@") for key in self.ws.packages)

    def stub(self) -> Stub:
        files: dict[str, bytes] = {"Cargo.lock": self._lock(), "Cargo.toml": _dump(self._root())}
        for file in self.ws.configuration:
            # One that another file includes must be there.
            if (config := self._config(file)) or len(self.ws.configuration) > 1:
                files[file.path] = _dump(config)
        for key, package in self.ws.packages.items():
            if key in self.real:
                continue
            place = self._place(key)
            if place != ".":
                files[f"{place}/Cargo.toml"] = _dump(self._manifest(key, package, "."))
            files[f"{FOLDER}/{key}/lib.rs"] = _library(package)
            if package.build_script:
                files[f"{FOLDER}/{key}/build.rs"] = b"fn main() {}\n"
            if package.dir in self.programs:
                files[f"{FOLDER}/{key}/main.rs"] = _BARE if self.programs[package.dir].bare else b"fn main() {}\n"
        return Stub({path: files[path] for path in sorted(files)}, self.copies)

    def _place(self, key: str) -> str:
        """The folder of a package in the stub workspace, relative to its root."""
        package = self.ws.packages[key]
        return package.dir if key in self.real or package.dir == "." else f"{FOLDER}/{key}"

    def _path(self, folder: str, origin: str) -> str:
        """The path of the local package in `folder` as seen from the stub folder `origin`."""
        top = self.ws.root.absolute()
        return posixpath.relpath(top / self._place(self.ws.by_dir[folder]), top / origin)

    def _lock(self) -> bytes:
        # A stale entry (version bumped without running cargo) is left alone: cargo itself says it best.
        return render(self.lock, self.masked).encode()

    def _root(self) -> dict[str, Any]:
        manifest = self.ws.manifest
        key = self.ws.root_package
        if key is None:
            root = {name: manifest[name] for name in ("cargo-features",) if name in manifest}
        elif key in self.real:
            root = self._real_root(self.ws.packages[key])
        else:
            root = self._manifest(key, self.ws.packages[key], f"{FOLDER}/{key}")
        root["workspace"] = self._workspace_table()
        tables = {
            "profile": profiles(self.ws, self.lock, manifest.get("profile", {})),
            "patch": {source: self._patches(table) for source, table in manifest.get("patch", {}).items()},
            "replace": self._patches(manifest.get("replace", {})),
        }
        root.update({name: table for name, table in tables.items() if table})
        return root

    def _workspace_table(self) -> dict[str, Any]:
        places = {key: self._place(key) for key in self.ws.packages}
        members = self.ws.packages
        table: dict[str, Any] = {
            "members": sorted(place for key, place in places.items() if members[key].member and place != "."),
            "exclude": sorted(place for key, place in places.items() if self._kept_out(key)),
            "resolver": self.ws.resolver,
        }
        real: Mapping[str, Any] = self.ws.manifest.get("workspace", {}) if self.real else {}
        table.update({name: real[name] for name in ("package", "lints") if name in real})
        if "dependencies" in real:
            table["dependencies"] = self._patches(real["dependencies"])
        return table

    def _kept_out(self, key: str) -> bool:
        """Whether a local package must be excluded: cargo would otherwise make this non-member a member."""
        package = self.ws.packages[key]
        if package.member or key not in self.real:
            return not package.member
        # A real one that is merely patched in may inherit from this workspace, which being excluded would forbid.
        table = self.ws.manifest.get("workspace")
        return not beyond(package.dir) and (table is None or is_excluded(table, package.dir))

    def _patches(self, table: Mapping[str, Any], base: str = ".") -> dict[str, Any]:
        """A table of patches with its local paths, which start from `base`, redirected; unknown folders are dropped."""
        out: dict[str, Any] = {}
        for name, spec in table.items():
            if isinstance(spec, dict) and "path" in spec:
                folder = relative(self.ws.root / base / spec["path"], self.ws.root)
                if folder in self.ws.by_dir:
                    out[name] = {**spec, "path": self._path(folder, base)}
            else:
                out[name] = spec
        return out

    def _config(self, file: ConfigFile) -> dict[str, Any]:
        config = cargo_config.for_stub(file.table)
        if "profile" in config:
            config["profile"] = profiles(self.ws, self.lock, config["profile"])
        if "patch" in config:
            config["patch"] = {source: self._patches(table, file.base) for source, table in config["patch"].items()}
        if "include" in file.table:
            config["include"] = file.table["include"]
        return config

    def _manifest(self, key: str, package: Package, sources: str) -> dict[str, Any]:
        """The stub manifest of a package. `sources`: the folder of its empty sources, relative to the manifest."""
        raw = package.manifest
        section = raw.get("package") or raw.get("project") or {}
        masked = (package.name, package.version) in self.masked
        table: dict[str, Any] = {
            "name": package.name,
            "version": MASKED if masked else package.version,
            "edition": package.edition,
            "build": posixpath.normpath(f"{sources}/build.rs") if package.build_script else False,
            **dict.fromkeys(_NO_DISCOVERY, False),
            **{name: section[name] for name in _KEPT_FIELDS if name in section},
        }
        if package.build_script and "links" in section:
            table["links"] = section["links"]
        out: dict[str, Any] = {name: raw[name] for name in ("cargo-features",) if name in raw}
        out.update(package=table, lib=_library_table(package, posixpath.normpath(f"{sources}/lib.rs")))
        if package.dir in self.programs:
            path = posixpath.normpath(f"{sources}/main.rs")
            out["bin"] = [{"name": name, "path": path} for name in self.programs[package.dir].names]
        out.update(self._tables(package, self._place(key)))
        if raw.get("features"):
            out["features"] = raw["features"]
        return out

    def _tables(self, package: Package, place: str) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for dependency in package.dependencies:
            if dependency.kind == "dev" and not package.member:
                continue  # cargo never looks at these, and they need not exist
            scope = out
            if dependency.target is not None:
                scope = out.setdefault("target", {}).setdefault(dependency.target, {})
            scope.setdefault(_SECTIONS[dependency.kind], {})[dependency.name] = self._spec(dependency, place)
        return out

    def _spec(self, dependency: Dependency, place: str) -> dict[str, Any]:
        if dependency.path is None:
            return dict(dependency.spec)
        spec = {name: value for name, value in dependency.spec.items() if name not in _NOT_WITH_PATH}
        return {**spec, "path": self._path(dependency.path, place)}

    def _real_root(self, package: Package) -> dict[str, Any]:
        """The root package's own manifest, with changed paths, for when external crates depend on it."""
        dropped = {"workspace", "profile", "patch", "replace", "target", *_SECTIONS.values()}
        dropped |= {name.replace("-", "_") for name in _SECTIONS.values()}
        out = {name: value for name, value in package.manifest.items() if name not in dropped}
        return {**out, **self._tables(package, ".")}


def _library_table(package: Package, path: str) -> dict[str, Any]:
    """Keep `crate-type`: with LTO it decides whether dependencies contain object code, bitcode or both."""
    if package.proc_macro:
        return {"path": path, "proc-macro": True}
    return {"path": path, **({"crate-type": list(package.crate_types)} if package.crate_types else {})}


def _library(package: Package) -> bytes:
    # Without std the empty library compiles for any target; what is linked as a whole would want a panic handler.
    plain = not package.proc_macro and set(package.crate_types) <= {"lib", "rlib"}
    return b"#![no_std]\n" if plain else b""


def _dump(table: dict[str, Any]) -> bytes:
    import tomli_w

    return tomli_w.dumps(_sorted(table)).encode()


def _sorted(value: Any) -> Any:
    """The same, with the keys of all tables in order: cargo ignores it, and a check is keyed by the text."""
    return {name: _sorted(value[name]) for name in sorted(value)} if isinstance(value, dict) else value
