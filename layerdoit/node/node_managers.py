"""Package managers: which one a component has, in which version, and the files that are its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.core.errors import ConfigError, WorkspaceError
from layerdoit.core.prose import listed

if TYPE_CHECKING:
    from layerdoit.node.package_json import Manifest

LOCKS: Final[Mapping[str, str]] = {
    "npm-shrinkwrap.json": "npm",
    "package-lock.json": "npm",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
}
"""Lock files, each with its manager."""
LOCK_OF: Final[Mapping[str, str]] = {"npm": "package-lock.json", "pnpm": "pnpm-lock.yaml", "yarn": "yarn.lock"}
MAKES: Final[Mapping[str, str]] = {"npm": "npm install", "pnpm": "pnpm install", "yarn": "yarn install"}
"""What writes the lock file anew."""
CLASSIC: Final = "1.22.22"
_BERRY: Final = "4.9.2"
# The manager of a lock file of that form, where packageManager says nothing. Fixed, so that keys are the same tomorrow.
_PNPM: Final = {"5": "7.33.7", "6": "8.15.9", "9": "10.12.1"}
_FIELD: Final = re.compile(r"(npm|pnpm|yarn)@(\d+(?:\.\d+){0,2}(?:-[\w.]+)?)")


class Manager(NamedTuple):
    """A package manager. `version`: that which the base image has to have; '' for npm as it comes with Node.

    `lock`: its lock file; `berry`: yarn 2 or later.
    """

    name: str
    version: str
    lock: str
    berry: bool = False

    @property
    def package(self) -> str:
        """What `npm install -g` gets it by; '' where it is there already."""
        if not self.version:
            return ""
        return f"{'@yarnpkg/cli-dist' if self.berry else self.name}@{self.version}"

    @property
    def text(self) -> str:
        """For keys and people."""
        return f"{self.name} {self.version}".strip()


def lock_of(names: Collection[str], manifest: Manifest, wanted: str, setting: str) -> str:
    """The one lock file among a folder's names. `wanted`: the setting `manager`; `setting`: where it is.

    WorkspaceError where two managers have one each and nothing says which counts.
    """
    found = [lock for lock in LOCKS if lock in names]
    managers = {LOCKS[lock] for lock in found}
    named = wanted if wanted != "auto" else _named(manifest)
    if named:
        mine = [lock for lock in found if LOCKS[lock] == named]
        if mine or not found:
            return mine[0] if mine else ""
        why = f"{setting} is {named}" if wanted != "auto" else f"packageManager is {manifest.package_manager}"
        where = None if wanted != "auto" else manifest.line("packageManager")
        raise WorkspaceError(
            f"{why}, but the lock file is {found[0]}, of {LOCKS[found[0]]}",
            where=where,
            hint=f"run {MAKES[named]} and remove {found[0]}, or correct {'it' if wanted == 'auto' else setting}",
        )
    if len(managers) > 1:
        folder = manifest.path.rpartition("/")[0] or "."
        raise WorkspaceError(
            f"there are lock files of {listed(sorted(managers), 3)}: {listed(found, 4)}",
            where=folder,
            hint=f"remove those that are not used, or name the manager: {setting}: {min(managers)}",
        )
    return found[0] if found else ""


def _named(manifest: Manifest) -> str:
    found = _FIELD.match(manifest.package_manager)
    return found[1] if found else ""


def manager(lock: str, text: str, manifest: Manifest, *, own_yarn: str = "") -> Manager:
    """The manager of a lock file. `text`: its content; `own_yarn`: the version of a yarn that lies in the project."""
    name = LOCKS[lock]
    field = manifest.package_manager
    found = _FIELD.fullmatch(field)
    if field and found is None:
        raise ConfigError(
            f'packageManager is "{field}", which names no version of npm, pnpm or yarn',
            where=manifest.line("packageManager"),
            hint=f'write "{name}@" and a version, such as "{manager_default(name, text)}"',
        )
    version = found[2] if found and found[1] == name else ""
    if name == "npm":
        return Manager(name, version if version.count(".") == 2 else "", lock)
    if name == "pnpm":
        return Manager(name, version or manager_default(name, text).partition("@")[2], lock)
    berry = "__metadata:" in text
    if own_yarn:
        return Manager(name, "", lock, berry)
    chosen = version or manager_default(name, text).partition("@")[2]
    return Manager(name, chosen, lock, berry or int(chosen.partition(".")[0]) > 1)


def manager_default(name: str, text: str) -> str:
    """`name@version` of a manager that reads such a lock file."""
    if name == "pnpm":
        found = re.search(r"^lockfileVersion:\s*'?(\d+)", text, re.MULTILINE)
        return f"pnpm@{_PNPM.get(found[1] if found else '9', _PNPM['9'])}"
    if name == "yarn":
        return f"yarn@{_BERRY if '__metadata:' in text else CLASSIC}"
    return "npm@11.0.0"
