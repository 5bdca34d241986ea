"""package.json: what it says, where it says it, and the part of it that an installation depends on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from layerdoit.core.errors import WorkspaceError

FILE: Final = "package.json"
DEPENDENCIES: Final = ("dependencies", "devDependencies", "optionalDependencies")
# What package managers read to install. Everything else may change without an installation: scripts are run later, from
# the real file. Versions of members are taken where there are several.
_INSTALLS: Final = (
    "name",
    *DEPENDENCIES,
    "peerDependencies",
    "peerDependenciesMeta",
    "dependenciesMeta",
    "bundleDependencies",
    "bundledDependencies",
    "overrides",
    "resolutions",
    "workspaces",
    "allowScripts",
    "packageManager",
    "engines",
    "devEngines",
    "os",
    "cpu",
    "libc",
    "pnpm",
    "private",
    "bin",
    "directories",
    "installConfig",
    "publishConfig",
)


@dataclass(frozen=True)
class Manifest:
    """One package.json. `path`: as messages name it; `text`: all of it."""

    path: str
    text: str
    values: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The package's name, '' without one."""
        return str(self.values.get("name") or "")

    @property
    def scripts(self) -> Mapping[str, str]:
        """Its scripts, by name."""
        return {name: str(command) for name, command in self._table("scripts").items()}

    @property
    def package_manager(self) -> str:
        """`pnpm@9.1.0` of its field packageManager, without the checksum; '' without the field."""
        found = self.values.get("packageManager")
        return found.partition("+")[0].strip() if isinstance(found, str) else ""

    @property
    def workspaces(self) -> tuple[str, ...]:
        """Patterns of the folders of its members."""
        found = self.values.get("workspaces")
        if isinstance(found, Mapping):
            found = found.get("packages")
        return tuple(map(str, found)) if isinstance(found, list) else ()

    @cached_property
    def dependencies(self) -> Mapping[str, str]:
        """What it asks for to be installed: name -> range."""
        return {name: str(wanted) for kind in DEPENDENCIES for name, wanted in self._table(kind).items()}

    @property
    def overridden(self) -> frozenset[str]:
        """Names that `overrides` or `resolutions` decide, wherever they are asked for."""
        pnpm = self._table("pnpm").get("overrides")
        tables = (self._table("overrides"), self._table("resolutions"), pnpm if isinstance(pnpm, Mapping) else {})
        return frozenset(_named(key) for table in tables for key in table)

    def _table(self, name: str) -> Mapping[str, Any]:
        found = self.values.get(name)
        return found if isinstance(found, Mapping) else {}

    def line(self, *keys: str) -> str:
        """`path:line` of an entry, such as `scripts`, `build`; of the last key that is found."""
        at = 0
        for key in keys:
            found = re.compile(rf'"{re.escape(key)}"\s*:').search(self.text, at)
            if found is None:
                break
            at = found.start()
        return f"{self.path}:{self.text.count(chr(10), 0, at) + 1}"

    def installation(self, *, versioned: bool) -> bytes:
        """The same file with only what an installation depends on. `versioned`: others may ask for this package."""
        kept = {name: self.values[name] for name in (*_INSTALLS, *(["version"] * versioned)) if name in self.values}
        return json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def _named(key: str) -> str:
    """`a>@s/b@1` -> `@s/b`: the name of what is overridden."""
    last = key.rpartition(">")[2].strip()
    if (nested := re.search(r"(?:^|/)((?:@[^/@]+/)?[^/@]+)(?:@.*)?$", last)) is not None:
        return nested[1]
    return last


def read(path: Path, shown: str) -> Manifest:
    """Read a package.json. WorkspaceError where that cannot be."""
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text)
    except FileNotFoundError:
        raise WorkspaceError("there is no package.json", where=shown, hint="create it (npm init)") from None
    except json.JSONDecodeError as error:
        raise WorkspaceError(f"is not JSON: {error.msg}", where=f"{shown}:{error.lineno}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise WorkspaceError(f"cannot be read: {error}", where=shown) from error
    if not isinstance(values, dict):
        raise WorkspaceError("holds no JSON object", where=f"{shown}:1")
    return Manifest(shown, text, values)


# --- folders of members ----------------------------------------------------------------------------------------------


def members(patterns: Iterator[str] | tuple[str, ...], folders: Iterator[str] | list[str]) -> list[str]:
    """The folders, relative to a workspace's root, that its patterns name. `folders`: all that have a package.json."""
    wanted = [(not pattern.startswith("!"), _pattern(pattern.lstrip("!"))) for pattern in patterns]
    found = []
    for folder in folders:
        chosen = False
        for takes, pattern in wanted:
            if pattern.fullmatch(folder):
                chosen = takes
        if chosen:
            found.append(folder)
    return sorted(found)


def _pattern(text: str) -> re.Pattern[str]:
    words = [part for part in text.strip("/").split("/") if part not in ("", ".")]
    written = ""
    for index, word in enumerate(words):
        last = index == len(words) - 1
        if word == "**":
            written += ".*" if last else "(?:[^/]+/)*"
            continue
        inner = re.escape(word).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
        inner = re.sub(r"\\\{([^{}]*)\\\}", lambda found: f"(?:{found[1].replace(',', '|')})", inner)
        written += inner + ("" if last else "/")
    return re.compile(written)
