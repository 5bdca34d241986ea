"""Where a component is installed: the folder with the lock file, its members, and the files that installation reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import yaml

from layerdoit.core.errors import WorkspaceError
from layerdoit.node import node_managers, package_json
from layerdoit.node.folder_names import joined, normal
from layerdoit.node.node_managers import LOCK_OF, LOCKS, MAKES, Manager
from layerdoit.node.package_json import Manifest

# Read by package managers beside the manifests; settings of registries come in a form of their own (`npmrc.py`).
_FILES: Final = ("pnpm-workspace.yaml", ".pnpmfile.cjs", ".pnpmfile.mjs", ".yarnrc", ".pnp.cjs", ".pnp.loader.mjs")
_FOLDERS: Final = ("patches", ".yarn/patches", ".yarn/plugins", ".yarn/releases", ".yarn/versions")
SETTINGS: Final = (".npmrc", ".yarnrc.yml")
"""Files of settings that may hold logins."""
_LOCAL: Final = ("file:", "link:", "portal:")
# What the root of a workspace has for all of its members, besides their folders.
_SHARED: Final = re.compile(
    r"tsconfig[^/]*\.json|[^/]*\.config\.[^/]+|\.babelrc[^/]*|\.browserslistrc|turbo\.json|nx\.json"
)


@dataclass(frozen=True)
class Root:
    """The folder that is installed for a component. Paths are of the project, '' being its root.

    `names`: every source file of the project; `host`: where such a file is; `shown`: its name in messages.
    """

    folder: str
    component: str
    lock: str
    wanted: str
    names: Collection[str]
    host: Callable[[str], Path]
    shown: Callable[[str], str]

    def at(self, path: str) -> str:
        """A path of this folder as one of the project."""
        return joined(self.folder, path)

    @cached_property
    def manifest(self) -> Manifest:
        """Its own package.json."""
        return self._read(self.folder)

    @cached_property
    def own(self) -> Manifest:
        """The component's package.json."""
        return self.manifest if self.component == self.folder else self._read(self.component)

    def _read(self, folder: str) -> Manifest:
        path = joined(folder, package_json.FILE)
        return package_json.read(self.host(path), self.shown(path))

    @cached_property
    def members(self) -> Mapping[str, Manifest]:
        """The packages of the workspace besides the root's, by folder within this one."""
        start = f"{self.folder}/" if self.folder else ""
        end = f"/{package_json.FILE}"
        folders = [name[len(start) : -len(end)] for name in self.names if name.startswith(start) and name.endswith(end)]
        inside = [one for one in folders if one and "node_modules" not in one.split("/")]
        return {one: self._read(self.at(one)) for one in package_json.members(self._patterns, inside)}

    @property
    def _patterns(self) -> tuple[str, ...]:
        if self.at("pnpm-workspace.yaml") in self.names:
            found = self._workspace_file.get("packages")
            return tuple(map(str, found)) if isinstance(found, list) else ()
        return self.manifest.workspaces

    @cached_property
    def _workspace_file(self) -> Mapping[str, Any]:
        path = self.at("pnpm-workspace.yaml")
        try:
            found = yaml.safe_load(self.host(path).read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark is not None else ""
            raise WorkspaceError("is not YAML", where=f"{self.shown(path)}{line}") from None
        return found if isinstance(found, Mapping) else {}

    @cached_property
    def overridden(self) -> frozenset[str]:
        """Names of packages whose version the workspace decides for all."""
        more = self._workspace_file if self.at("pnpm-workspace.yaml") in self.names else {}
        overrides = more.get("overrides")
        names = overrides if isinstance(overrides, Mapping) else {}
        return self.manifest.overridden | frozenset(names)

    @cached_property
    def lock_text(self) -> str:
        """The lock file."""
        path = self.at(self.lock)
        try:
            return self.host(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise WorkspaceError(f"cannot be read: {error}", where=self.shown(path)) from error

    @cached_property
    def manager(self) -> Manager:
        """The package manager."""
        own = next((n for n in self.below(".yarn/releases") if n.endswith((".cjs", ".js"))), "")
        return node_managers.manager(self.lock, self._lock_head, self.manifest, own_yarn=own)

    @property
    def _lock_head(self) -> str:
        """What of the lock file tells its form: all of it may be megabytes."""
        with self.host(self.at(self.lock)).open(encoding="utf-8", errors="replace") as stream:
            return stream.read(2000)

    # --- files -------------------------------------------------------------------------------------------------------

    def below(self, folder: str) -> list[str]:
        """The source files at or below a path of this folder."""
        path = self.at(folder)
        return [name for name in self.names if name == path or name.startswith(f"{path}/")]

    @cached_property
    def manifests(self) -> Mapping[str, bytes]:
        """Each package.json of the workspace as installation sees it, by path."""
        several = bool(self.members)
        found = {self.at(package_json.FILE): self.manifest.installation(versioned=several)}
        for folder, manifest in self.members.items():
            found[self.at(f"{folder}/{package_json.FILE}")] = manifest.installation(versioned=True)
        if self.component != self.folder and joined(self.component, package_json.FILE) not in found:
            raise self._no_member()
        return found

    def _no_member(self) -> WorkspaceError:
        lock, own = self.shown(self.at(self.lock)), self.shown(joined(self.component, package_json.FILE))
        return WorkspaceError(
            f"{lock} is not its lock file: the package is no member of that workspace",
            where=own,
            hint=f"add it to the workspaces of {self.manifest.path}, or give it a lock file of its own: "
            f"cd {self.component} && {MAKES[LOCKS[self.lock]]}",
        )

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The other files that installation reads as they are: lock file, patches, packages of a path."""
        found = [self.at(self.lock), *(self.at(name) for name in _FILES)]
        for folder in (*_FOLDERS, *self._local):
            found += self.below(folder)
        reduced = set(self.manifests)
        kept = (one for one in found if one not in reduced and "node_modules" not in one.split("/"))
        return tuple(sorted(one for one in dict.fromkeys(kept) if one in self.names))

    @property
    def _local(self) -> list[str]:
        """Files and folders that a package is installed from."""
        found = []
        for folder, manifest in {"": self.manifest, **self.members}.items():
            for wanted in manifest.dependencies.values():
                start = next((one for one in _LOCAL if wanted.startswith(one)), None)
                path = normal(joined(folder, wanted.removeprefix(start))) if start else ""
                if path and not path.startswith("..") and path not in self.members:
                    found.append(path)
        return found

    @cached_property
    def used(self) -> tuple[str, ...]:
        """Folders of the members that the component is built from, and itself; within the project."""
        by_name = {manifest.name: folder for folder, manifest in self.members.items() if manifest.name}
        todo, found = [self.own], {self.component: None}
        while todo:
            for name in todo.pop().dependencies:
                folder = by_name.get(name)
                if folder is not None and self.at(folder) not in found:
                    found[self.at(folder)] = None
                    todo.append(self.members[folder])
        return tuple(found)

    @cached_property
    def shared(self) -> tuple[str, ...]:
        """Settings of tools in the root of a workspace, above the component."""
        if self.folder == self.component:
            return ()
        start = f"{self.folder}/" if self.folder else ""
        inside = (name for name in self.names if name.startswith(start))
        return tuple(sorted(name for name in inside if _SHARED.fullmatch(name[len(start) :])))


def find(
    component: str,
    wanted: str,
    setting: str,
    names: Collection[str],
    host: Callable[[str], Path],
    shown: Callable[[str], str],
) -> Root:
    """The folder that a component is installed in: the nearest one with a lock file. WorkspaceError without one."""
    path = joined(component, package_json.FILE)
    if path not in names:
        raise _without(path, host, shown, setting)
    own = package_json.read(host(path), shown(path))
    for folder in _upwards(component):
        here = {name for name in LOCKS if joined(folder, name) in names}
        manifest = own if folder == component else None
        if here and manifest is None and joined(folder, package_json.FILE) in names:
            above = joined(folder, package_json.FILE)
            manifest = package_json.read(host(above), shown(above))
        if manifest is not None and here:
            lock = node_managers.lock_of(here, manifest, wanted, f"{setting}.manager")
            if lock:
                return Root(folder, component, lock, wanted, names, host, shown)
    raise _no_lock(component, own, wanted, host, shown)


def _without(path: str, host: Callable[[str], Path], shown: Callable[[str], str], setting: str) -> WorkspaceError:
    if host(path).is_file():
        return WorkspaceError(
            "git ignores it, so it is no source",
            where=shown(path),
            hint="remove it from .gitignore (git check-ignore -v)",
        )
    return WorkspaceError(
        f"{setting}: there is no package.json in {shown(path).rpartition('/')[0] or 'the project'}",
        where=shown(path),
        hint=f"create it (npm init), or correct {setting}.path",
    )


def _no_lock(
    component: str, own: Manifest, wanted: str, host: Callable[[str], Path], shown: Callable[[str], str]
) -> WorkspaceError:
    name = wanted if wanted != "auto" else own.package_manager.partition("@")[0]
    name = name if name in LOCK_OF else "npm"
    ignored = next((lock for lock in LOCKS if host(joined(component, lock)).is_file()), None)
    if ignored is not None:
        return WorkspaceError(
            "git ignores the lock file, so it is no source",
            where=shown(joined(component, ignored)),
            hint="remove it from .gitignore (git check-ignore -v) and commit it",
        )
    return WorkspaceError(
        "there is no lock file, so every build would install something else",
        where=own.path,
        hint=f"cd {component or '.'} && {MAKES[name]}; then commit {LOCK_OF[name]}",
    )


def _upwards(folder: str) -> list[str]:
    found = [folder]
    while folder:
        folder = folder.rpartition("/")[0]
        found.append(folder)
    return found
