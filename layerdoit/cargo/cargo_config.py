"""Read the parts of `.cargo/config.toml` that affect rustc or resolution.

load(lister) -> Configuration            # all files that cargo reads in the workspace root, and their merged table
for_stub(config) -> dict                 # the part written into the stub workspace; no tokens
for_key(config) -> dict[str, Any]        # flat {"build.rustflags": [...]}; the part that changes compiled output
referenced(files, root) -> tuple[str]    # files and folders they name: vendored sources, `paths`, programs
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from layerdoit.core import toml
from layerdoit.core.errors import WorkspaceError

if TYPE_CHECKING:
    from layerdoit.tree.lister import Lister

Table = Mapping[str, Any]

# Tables that can change what is resolved, downloaded or compiled. `http` and `net` only say how to download.
_KEY_TABLES = ("build", "env", "host", "paths", "registries", "registry", "source", "target", "unstable")
_STUB_TABLES = (*_KEY_TABLES, "http", "net", "patch", "profile", "resolver")
# Where things are put, how fast, and what only local packages see.
_BUILD_IGNORED = frozenset((
    "artifact-dir", "build-dir", "dep-info-basedir", "incremental", "jobs", "out-dir", "rustc-workspace-wrapper",
    "rustdoc", "rustdocflags", "target-dir", "warnings",
))  # fmt: skip
_TARGET_IGNORED = frozenset(("runner", "rustdocflags"))
_SECRETS = frozenset(("token", "secret-key", "credential-provider", "global-credential-providers"))
_NATIVE = re.compile(r"\.(?:a|so(?:\.[\d.]+)?|h|hpp|pc|cmake)$")
_USERINFO = re.compile(r"//[^/@\s]*@")


class ConfigFile(NamedTuple):
    """One file. `path`: relative to the workspace root."""

    path: str
    table: Table

    @property
    def base(self) -> str:
        """The folder that relative paths in it start from."""
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.path), ".."))


class Configuration(NamedTuple):
    """What cargo reads in the workspace root.

    `files`: later ones win; `included`: what they include, whether it is there or not; `table`: all of them merged.
    """

    files: tuple[ConfigFile, ...]
    included: tuple[str, ...]
    table: dict[str, Any]


def load(lister: Lister) -> Configuration:
    """The configuration of the workspace root and of the folders above it in the same repository."""
    found, included = list[ConfigFile](), list[str]()
    for folder in reversed(lister.config_folders):
        for name in ("config", "config.toml"):  # cargo prefers the old name when both exist
            path = posixpath.normpath(f"{folder}/.cargo/{name}")
            if (lister.root / path).is_file():
                found += _with_includes(lister.root, path, (), included)
                break
    table: dict[str, Any] = {}
    for file in found:
        table = _merge(table, {name: value for name, value in file.table.items() if name != "include"})
    return Configuration(tuple(found), tuple(included), table)


def _with_includes(root: Path, path: str, seen: tuple[str, ...], included: list[str]) -> Iterator[ConfigFile]:
    where = str(root / path)
    if path in seen:
        raise WorkspaceError("this configuration includes itself", where=where, hint="remove the `include`")
    own = toml.read(root / path)
    named = own.get("include", [])
    for item in named if isinstance(named, list) else [named]:
        optional = isinstance(item, dict) and item.get("optional", False)
        name = item.get("path", "") if isinstance(item, dict) else str(item)
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
        if not posixpath.isabs(target):
            included.append(target)
        if (root / target).is_file():
            yield from _with_includes(root, target, (*seen, path), included)
        elif not optional:
            raise WorkspaceError(f"the included configuration {root / target} does not exist", where=where)
    yield ConfigFile(path, own)


def _merge(low: Table, high: Table) -> dict[str, Any]:
    out = dict(low)
    for name, value in high.items():
        old = out.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            out[name] = _merge(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            out[name] = old + value
        else:
            out[name] = value
    return out


def _without_secrets(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {
        name: _without_secrets(item)
        for name, item in value.items()
        if name not in _SECRETS and not (name == "proxy" and isinstance(item, str) and "@" in item)
    }


def for_stub(config: Table) -> dict[str, Any]:
    """The tables that cooking needs. Credentials are passed as build secrets, never in a file of an image."""
    kept = {name: _without_secrets(config[name]) for name in _STUB_TABLES if name in config}
    if isinstance(kept.get("build"), dict):
        kept["build"] = {name: value for name, value in kept["build"].items() if name not in _BUILD_IGNORED}
    return {name: value for name, value in kept.items() if value != {}}


def for_key(config: Table) -> dict[str, Any]:
    """Flat, dotted settings that can change a compiled dependency; other inputs cover profiles and patches."""
    out: dict[str, Any] = {}
    for name in _KEY_TABLES:
        table = _without_secrets(config.get(name, {}))
        if not isinstance(table, dict):
            out[name] = table
            continue
        for key, value in table.items():
            if name == "build" and key in _BUILD_IGNORED:
                continue
            kept = _without(value, _TARGET_IGNORED) if name in ("host", "target") else value
            if kept != {}:
                out[f"{name}.{key}"] = kept
    return out


def _without(value: Any, ignored: frozenset[str]) -> Any:
    return {name: item for name, item in value.items() if name not in ignored} if isinstance(value, dict) else value


def redact(text: str) -> str:
    """Remove the user part of URLs in `text`."""
    return _USERINFO.sub("//***@", text)


def referenced(files: Sequence[ConfigFile], root: Path) -> tuple[str, ...]:
    """Existing files and folders, relative to the root, that the configuration makes cargo and rustc read."""
    found: set[str] = set()
    for file in files:
        paths, values = list(_path_values(file.table)), list(_relative_values(file.table))
        named = [name for name in paths if (root / file.base / name).is_dir()]
        named += [name for name in (*paths, *values) if (root / file.base / name).is_file()]
        around = (root, *root.parents)
        folders = [name for name in values if Path(os.path.normpath(root / file.base / name)) not in around]
        named += [name for name in folders if _of_libraries(root / file.base / name)]
        found.update(_relative(root, file.base, name) for name in named if not name.startswith("/"))
    return tuple(sorted(found))


def _of_libraries(folder: Path) -> bool:
    """Whether a folder is what a crate's build script links with or includes, and not one of Rust or for output."""
    found = False
    for _, _, files in os.walk(folder):
        if "Cargo.toml" in files or "CACHEDIR.TAG" in files:
            return False
        found = found or any(_NATIVE.search(name) for name in files)
    return found


def _relative(root: Path, base: str, name: str) -> str:
    return os.path.relpath(os.path.normpath(root / base / name), root)


def depends_on_place(config: Table) -> bool:
    """Whether variables of `[env]` hold absolute paths, which depend on where the workspace lies."""
    return any(True for _ in _relative_values(config))


def _relative_values(config: Table) -> Iterator[str]:
    env = config.get("env", {})
    for entry in env.values() if isinstance(env, dict) else ():
        if isinstance(entry, dict) and entry.get("relative") is True and isinstance(entry.get("value"), str):
            yield entry["value"]


def _path_values(config: Table) -> Iterator[str]:
    for source in config.get("source", {}).values():
        yield from (source[key] for key in ("directory", "local-registry") if isinstance(source.get(key), str))
    yield from config.get("paths", [])
    build = config.get("build", {})
    programs = [build.get("rustc"), build.get("rustc-wrapper")]
    for table in (config.get("target", {}), {"host": config.get("host", {})}):
        programs += [entry.get("linker") for entry in table.values() if isinstance(entry, dict)]
    yield from (name for name in programs if isinstance(name, str) and "/" in name)
