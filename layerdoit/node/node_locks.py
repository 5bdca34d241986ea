"""Whether a lock file has what the package.json files ask for: by contents, as `npm ci` and the like compare them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml

from layerdoit.core import merge_conflict
from layerdoit.core.errors import WorkspaceError
from layerdoit.node.node_managers import LOCKS, MAKES

if TYPE_CHECKING:
    from layerdoit.node.install_root import Root
    from layerdoit.node.package_json import Manifest

# Ranges that name no version of a registry: lock files write them in forms of their own.
_OTHER: Final = ("file:", "link:", "portal:", "workspace:", "patch:", "catalog:", "git", "http:", "https:", "exec:")
_HEADER: Final = re.compile(r"^(?=\S)(?!#)(.+):\s*$", re.MULTILINE)


class _Lacks(NamedTuple):
    """A package that a manifest asks for, and the range that the lock file has for it instead, if any."""

    manifest: Manifest
    name: str
    wanted: str
    locked: str | None


def check(root: Root) -> None:
    """Raise a WorkspaceError where the lock file is older than a package.json."""
    text, where = root.lock_text, root.shown(root.at(root.lock))
    if "\n<<<<<<< " in text and (line := merge_conflict.line_of(text)):
        hint = f"cd {root.folder or '.'} && {MAKES[LOCKS[root.lock]]}, which solves it; then `git add {root.lock}`"
        raise WorkspaceError(merge_conflict.WHAT, where=f"{where}:{line}", hint=hint)
    kind = LOCKS[root.lock]
    found = {"npm": _npm, "pnpm": _pnpm, "yarn": _yarn}[kind](root, text, where)
    for lack in found:
        raise _older(root, lack, where)


def _older(root: Root, lack: _Lacks, lock: str) -> WorkspaceError:
    has = f"has {lack.name} {lack.locked}" if lack.locked else f"lacks {lack.name}"
    at = root.folder or "."
    return WorkspaceError(
        f"{lock} is older than {lack.manifest.path}: it {has}, and {lack.name} {lack.wanted} is asked for",
        where=lack.manifest.line(_table_of(lack.manifest, lack.name), lack.name),
        hint=f"cd {at} && {MAKES[LOCKS[root.lock]]}; then commit {root.lock}",
    )


def _table_of(manifest: Manifest, name: str) -> str:
    tables = ("dependencies", "devDependencies", "optionalDependencies")
    return next((table for table in tables if name in (manifest.values.get(table) or {})), "dependencies")


def _compared(manifest: Manifest, locked: Mapping[str, str], skipped: frozenset[str]) -> Iterator[_Lacks]:
    for name, wanted in manifest.dependencies.items():
        if name in skipped:
            continue
        found = locked.get(name)
        if found is None or (found != wanted and not wanted.startswith(_OTHER)):
            yield _Lacks(manifest, name, wanted, found)


def _manifests(root: Root) -> dict[str, Manifest]:
    return {"": root.manifest, **root.members}


# --- npm -------------------------------------------------------------------------------------------------------------


def _npm(root: Root, text: str, where: str) -> Iterator[_Lacks]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise WorkspaceError(f"is not JSON: {error.msg}", where=f"{where}:{error.lineno}") from None
    packages = found.get("packages") if isinstance(found, dict) else None
    if not isinstance(packages, Mapping):
        yield from _npm_old(root, found)
        return
    for folder, manifest in _manifests(root).items():
        entry = packages.get(folder)
        yield from _compared(manifest, _tables(entry if isinstance(entry, Mapping) else {}), frozenset())


def _npm_old(root: Root, found: Any) -> Iterator[_Lacks]:
    """Before npm 7, a lock file named versions only."""
    names = found.get("dependencies") if isinstance(found, dict) else None
    known: Mapping[str, Any] = names if isinstance(names, Mapping) else {}
    for name, wanted in root.manifest.dependencies.items():
        if name not in known:
            yield _Lacks(root.manifest, name, wanted, None)


def _tables(entry: Mapping[str, Any]) -> dict[str, str]:
    tables = (entry.get(kind) for kind in ("dependencies", "devDependencies", "optionalDependencies"))
    return {name: str(wanted) for table in tables if isinstance(table, Mapping) for name, wanted in table.items()}


# --- pnpm ------------------------------------------------------------------------------------------------------------


def _pnpm(root: Root, text: str, where: str) -> Iterator[_Lacks]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # Only the head is of interest, and the rest is long.
        head = re.split(r"^(?:packages|snapshots):", text, maxsplit=1, flags=re.MULTILINE)[0]
        found = yaml.load(head, Loader=loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise WorkspaceError("is not YAML", where=f"{where}{line}") from None
    values: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    importers = values.get("importers")
    entries: Mapping[str, Any] = importers if isinstance(importers, Mapping) else {".": values}
    for folder, manifest in _manifests(root).items():
        entry = entries.get(folder or ".")
        yield from _compared(manifest, _specifiers(entry if isinstance(entry, Mapping) else {}), root.overridden)


def _specifiers(entry: Mapping[str, Any]) -> dict[str, str]:
    older = entry.get("specifiers")
    if isinstance(older, Mapping):
        return {name: str(wanted) for name, wanted in older.items()}
    found = {}
    for kind in ("dependencies", "devDependencies", "optionalDependencies"):
        table = entry.get(kind)
        for name, value in table.items() if isinstance(table, Mapping) else ():
            found[name] = str(value.get("specifier", "")) if isinstance(value, Mapping) else str(value)
    return found


# --- yarn ------------------------------------------------------------------------------------------------------------


def _yarn(root: Root, text: str, _where: str) -> Iterator[_Lacks]:
    known: dict[str, set[str]] = {}
    for found in _HEADER.findall(text):
        for one in found.strip().strip('"').replace('"', "").split(","):
            name, at, wanted = one.strip().rpartition("@") if one.count("@") == 1 else _split(one.strip())
            if at:
                known.setdefault(name, set()).add(wanted.removeprefix("npm:"))
    members = {manifest.name for manifest in root.members.values()}
    for manifest in _manifests(root).values():
        for name, wanted in manifest.dependencies.items():
            if name in members or name in root.overridden or wanted.startswith(_OTHER):
                continue
            locked = known.get(name, set())
            if wanted.removeprefix("npm:") not in locked:
                yield _Lacks(manifest, name, wanted, ", ".join(sorted(locked)) or None)


def _split(text: str) -> tuple[str, str, str]:
    """`@scope/name@range` and `name@npm:other@range`: the first `@` that does not begin a scope."""
    at = text.find("@", 1)
    return (text[:at], "@", text[at + 1 :]) if at > 0 else (text, "", "")
