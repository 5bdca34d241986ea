"""Folders with a package.json that has a build script, and what their lock files say. Only reads.

find(root) -> tuple[NodePackage, ...]
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, NamedTuple

from layerdoit.init.rust_files import text_of

LOCKS: Final[Mapping[str, str]] = {
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
}
"""Lock files, and whose they are."""
_NO_FRONT_ENDS: Final = frozenset((
    "node_modules", "target", "examples", "example", "tests", "test", "e2e", "fixtures", "testdata", "benches", "bench",
    "benchmark", "benchmarks", "vendor", "third_party", "templates", "template", "playground", "bindings", "editors",
    "extensions", "dist",
))  # fmt: skip
_BESIDE: Final = re.compile(r"(?i)(?:^|/)(?:docs?|documentation|website|site|demos?|landing|storybook|book|www)(?:/|$)")
_CALLED: Final = ("app", "client", "dashboard", "front", "frontend", "ui", "web", "webapp")
_DEEPEST: Final = 3
_RUN: Final = re.compile(r"(?:\b(?:npm|pnpm|yarn|bun)(?:\s+run)?|\brun-[ps]|\bnpm-run-all)\s+([^&|;]+)")
_RUST: Final = re.compile(r"(?:^|[\s&|;(\"'])(cargo|wasm-pack|trunk|wasm-bindgen)\s")
# What makes pages of documentation, programs for desks, plugins of editors, packages for others.
_OTHER: Final = frozenset((
    "vitepress", "vuepress", "@docusaurus/core", "@astrojs/starlight", "nextra", "docsify-cli", "honkit",
    "@tauri-apps/cli", "@tauri-apps/api", "electron", "electron-vite", "@napi-rs/cli", "vsce", "@vscode/vsce",
    "@types/vscode", "react-native", "expo",
))  # fmt: skip


class NodePackage(NamedTuple):
    """`folder`: relative to the project; `home`: the folder of its lock file, its own or that of its workspace.

    `locks`: the lock files there; `manager`: that of package.json's `packageManager`; `doubtful`: its folder is called
    like one of documentation, so that only what uses its pages tells that they belong to a program; `needs`: it is
    built from another member that has to be built first.
    """

    folder: str
    name: str
    scripts: Mapping[str, str]
    uses: frozenset[str]
    home: str
    locks: tuple[str, ...]
    manager: str | None
    build_line: int
    doubtful: bool
    needs: bool

    @property
    def where(self) -> str:
        """`file:line` of its build script."""
        return f"{posixpath.normpath(posixpath.join(self.folder, 'package.json'))}:{self.build_line}"

    def inside(self, path: str) -> str:
        """A path in its folder, relative to the project."""
        return posixpath.normpath(posixpath.join(self.folder, path))

    @property
    def commands(self) -> str:
        """All that its build script runs, with the scripts that it calls by name."""
        found = dict.fromkeys(("build",))
        for name in list(_named(self.scripts, "build")):
            found.setdefault(name)
        return " && ".join(self.scripts[name] for name in found)

    @property
    def rust(self) -> str:
        """The program of Rust's that its build script runs; '' for none."""
        found = _RUST.search(self.commands)
        return found[1] if found else ""

    @property
    def builders(self) -> tuple[str, ...]:
        """The package managers that its lock files are of."""
        return tuple(dict.fromkeys(LOCKS[name] for name in self.locks))


def find(root: Path, top: str | None = None) -> tuple[NodePackage, ...]:
    """Those that may make pages, the nearest to the root first. `top`: of its repository, for what is beside it."""
    manifests = {**dict(_manifests(root)), **dict(_beside(root, top))}
    spaces = [(folder, _members(root, folder, data)) for folder, data in manifests.items()]
    built = {data.get("name") for data in manifests.values() if "build" in _table(data, "scripts")}
    found = []
    for folder, data in manifests.items():
        scripts = {name: text for name, text in _table(data, "scripts").items() if isinstance(text, str)}
        uses = frozenset(name for kind in ("dependencies", "devDependencies") for name in _table(data, kind))
        if "build" not in scripts or uses & _OTHER or "vscode" in _table(data, "engines") or "napi" in data:
            continue
        home = _home(root, folder, spaces)
        manager = data.get("packageManager") or manifests.get(home, {}).get("packageManager")
        found.append(
            NodePackage(
                folder,
                str(data.get("name", "")),
                scripts,
                uses,
                home,
                tuple(name for name in LOCKS if (root / home / name).is_file()),
                str(manager).partition("@")[0] if manager else None,
                _line(text_of(root / folder / "package.json") or "", '"build"'),
                _BESIDE.search(folder) is not None,
                any(name in built for name in uses if name != data.get("name")),
            )
        )
    return tuple(sorted(found, key=lambda one: (one.folder.count("/"), one.folder)))


def _manifests(root: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for place, folders, names in os.walk(root):
        folder = os.path.relpath(place, root)
        depth = 0 if folder == "." else folder.count(os.sep) + 1
        folders[:] = sorted(
            name for name in folders if depth < _DEEPEST and name not in _NO_FRONT_ENDS and not name.startswith(".")
        )
        if "package.json" in names and (data := _read(Path(place))) is not None:
            yield folder, data


def _read(folder: Path) -> Mapping[str, Any] | None:
    try:
        data = json.loads(text_of(folder / "package.json") or "")
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _beside(root: Path, top: str | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Folders beside the root that are called like a front end, in the same repository."""
    if top is None or not root.parent.is_relative_to(top):
        return
    for name in _CALLED:
        if root.name != name and (data := _read(root.parent / name)) is not None:
            yield f"../{name}", data


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _members(root: Path, folder: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    """Patterns of the folders that a workspace of npm, yarn or pnpm has."""
    named = data.get("workspaces")
    patterns = named.get("packages", []) if isinstance(named, dict) else named if isinstance(named, list) else []
    text = text_of(root / folder / "pnpm-workspace.yaml") or ""
    listed = re.search(r"(?m)^packages:\s*\n((?:[ \t]*-[^\n]*\n?|[ \t]*(?:#[^\n]*)?\n)+)", text)
    more = re.findall(r"-\s*[\"']?([^\"'\s#]+)", listed[1]) if listed else []
    return tuple(
        posixpath.normpath(posixpath.join(folder, name)) for name in (*patterns, *more) if isinstance(name, str)
    )


def _home(root: Path, folder: str, spaces: list[tuple[str, tuple[str, ...]]]) -> str:
    """Where its packages are locked: in its own folder, else in that of the workspace that it is a member of."""
    if any((root / folder / name).is_file() for name in LOCKS):
        return folder
    return next((top for top, patterns in spaces if any(fnmatchcase(folder, one) for one in patterns)), folder)


def _named(scripts: Mapping[str, str], start: str, depth: int = 0) -> Iterator[str]:
    """The scripts that a script runs by their names."""
    for call in _RUN.finditer(scripts[start]):
        for word in re.findall(r"[\w:.-]+", call[1]):
            if word in scripts and word != start and depth < 4:
                yield word
                yield from _named(scripts, word, depth + 1)


def _line(text: str, word: str) -> int:
    at = text.find(word)
    return text.count("\n", 0, at) + 1 if at >= 0 else 1
