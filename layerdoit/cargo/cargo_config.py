"""Read the parts of `.cargo/config.toml` that affect rustc or resolution.

load(root) -> dict                       # merged `.cargo/config.toml` of the workspace root, {} if none
for_stub(config) -> dict                 # the part written into the stub workspace; no tokens
for_key(config) -> dict[str, Any]        # flat {"build.rustflags": [...]}; the part that changes compiled output
referenced(config, root) -> tuple[str]   # files and folders it names: vendored sources, `paths`, linker scripts
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from layerdoit.core import toml
from layerdoit.core.errors import WorkspaceError

if TYPE_CHECKING:
    from pathlib import Path

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
_USERINFO = re.compile(r"//[^/@\s]*@")


def load(root: Path) -> dict[str, Any]:
    """The configuration that cargo reads in `root`, with its `include`s merged; folders above `root` are not read."""
    for name in ("config", "config.toml"):  # cargo prefers the old name when both exist
        path = root / ".cargo" / name
        if path.is_file():
            return _with_includes(path, ())
    return {}


def _with_includes(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path in seen:
        raise WorkspaceError("this configuration includes itself", where=str(path), hint="remove the `include`")
    own = toml.read(path)
    named = own.pop("include", [])
    merged: dict[str, Any] = {}
    for item in named if isinstance(named, list) else [named]:
        optional = isinstance(item, dict) and item.get("optional", False)
        target = path.parent / (item.get("path", "") if isinstance(item, dict) else str(item))
        if target.is_file():
            merged = _merge(merged, _with_includes(target, (*seen, path)))
        elif not optional:
            raise WorkspaceError(f"the included configuration {target} does not exist", where=str(path))
    return _merge(merged, own)


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


def referenced(config: Table, root: Path) -> tuple[str, ...]:
    """Existing files and folders, relative to the root, that the configuration makes cargo read."""
    named = {posixpath.normpath(name) for name in _path_values(config) if not name.startswith("/")}
    folders = {name for name in named if (root / name).is_dir()}
    files = {name for name in named if not name.startswith("..") and (root / name).is_file()}
    return tuple(sorted(folders | files))


def _path_values(config: Table) -> Iterator[str]:
    for source in config.get("source", {}).values():
        yield from (source[key] for key in ("directory", "local-registry") if isinstance(source.get(key), str))
    yield from config.get("paths", [])
    build = config.get("build", {})
    programs = [build.get("rustc"), build.get("rustc-wrapper")]
    for table in (config.get("target", {}), {"host": config.get("host", {})}):
        programs += [entry.get("linker") for entry in table.values() if isinstance(entry, dict)]
    yield from (name for name in programs if isinstance(name, str) and "/" in name)
