"""Front ends that a package manager builds, and what has their pages: a crate, or an image. Only reads.

candidates(lister, workspace, read) -> tuple[FrontEnd, ...]
look(candidates, …) -> tuple[FrontEnd, ...]
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.cargo import rust_code
from layerdoit.init import front_end_packages, front_end_tools, opened_files
from layerdoit.init.front_end_packages import NodePackage
from layerdoit.init.front_end_tools import Pages
from layerdoit.init.rust_files import text_of

if TYPE_CHECKING:
    from pathlib import Path

    from layerdoit.cargo.manifest import Workspace
    from layerdoit.cargo.program_sources import Source
    from layerdoit.init.hints import Hint
    from layerdoit.init.opened_files import Opened
    from layerdoit.init.run_time import RunTime
    from layerdoit.tree.lister import Lister

_USUAL: Final = ("dist", "build", "out", "public")
_SERVED: Final = frozenset((*_USUAL, "static", "www", "web", "frontend", "client", "ui", "site", "assets"))
_RUNS_NPM: Final = re.compile(r"\bNpmBuild\b|\bnpm_resource_dir\b|\"(?:npm|npx|pnpm|yarn|bun)(?:[ .\"])")
_RUN: Final = re.compile(r"\b(?:npm|pnpm|yarn)\s+([^&|;\n\"']+)")
_UNKNOWN: Final = "its build script"
_SETTINGS: Final = re.compile(r"[^/]*\.(?:toml|ya?ml|ini|env\.example)|\.env(?:\.\w+)?")
_NO_SETTINGS: Final = re.compile(r"Cargo\.|pnpm-|compose|rust-toolchain|layerdoit|^\.(?!env)|Trunk|Dioxus")


class FrontEnd(NamedTuple):
    """`output`: the folder of the pages, relative to the project.

    `embedded`: the `file:line` that compiles them in; `opened`: what of a program opens them; `copied`: (place in the
    image, `file:line`) of an existing Dockerfile; `by_script`: the `file:line` of a build script that runs its package
    manager; `instead`: (folder, `file:line`) that a crate compiles in, and that something copies pages to.
    """

    package: NodePackage
    pages: Pages
    output: str
    embedded: str | None = None
    opened: Opened | None = None
    copied: tuple[str, str] | None = None
    by_script: str | None = None
    instead: tuple[str, str] | None = None

    @property
    def is_used(self) -> bool:
        return bool(self.embedded or self.opened or self.copied)


def candidates(lister: Lister, workspace: Workspace, read: Collection[str]) -> tuple[FrontEnd, ...]:
    """Every folder of pages that something here may make. `read`: existing files that may say by which script."""
    packages = front_end_packages.find(workspace.root, lister.top)
    found = [
        FrontEnd(package, pages, package.inside(pages.output))
        for package in packages
        if (pages := front_end_tools.made(workspace.root, package)) is not None
    ]
    known = {one.package.folder for one in found}
    tracked = {posixpath.dirname(name) for name in lister.files} if packages else set()
    for package in packages:
        # Of tools that nobody here knows, what uses the output tells which it is.
        if package.folder not in known and package.folder != ".":
            for output in _USUAL:
                path = package.inside(output)
                if not any(f"{name}/".startswith(f"{path}/") for name in tracked):
                    found.append(FrontEnd(package, Pages(_UNKNOWN, output, package.where, sure=False), path))
    texts = [text_of(workspace.root / name) or "" for name in read] if found else []
    return tuple(one._replace(pages=_by_script_of(one, texts)) for one in found)


def _by_script_of(one: FrontEnd, texts: Collection[str]) -> Pages:
    """With the script that existing files run, where that is another one than `build`."""
    named = {
        word
        for text in texts
        for words in _RUN.findall(text)
        for word in words.split()
        if word in one.package.scripts and word.startswith(("build", "generate"))
    }
    other = one.pages.command == "build" and len(named) == 1
    return one.pages._replace(command=named.pop()) if other else one.pages


def look(
    found: Sequence[FrontEnd],
    lister: Lister,
    workspace: Workspace,
    sources: Sequence[Source],
    hints: Sequence[Hint],
    runs: RunTime,
    compiled: Mapping[str, str],
) -> tuple[FrontEnd, ...]:
    """Those of the candidates that are front ends, with what uses them.

    `sources`: of the programs that are built; `compiled`: which outputs something compiles in.
    """
    if not found:
        return ()
    scripts = tuple(_scripts(workspace))
    looked = [_used(one, workspace, sources, hints, runs, compiled) for one in found]
    # Only what uses the output tells that it is one, where the tool is not known.
    looked = [one for one in looked if one.is_used or (one.pages.sure or one.pages.tool != _UNKNOWN)]
    looked = [one for one in looked if one.is_used or not one.package.doubtful]
    looked = _leftover(workspace, looked, runs)
    return tuple(one._replace(by_script=_script_of(one, scripts), instead=_instead(lister, one)) for one in looked)


def _used(
    one: FrontEnd,
    workspace: Workspace,
    sources: Sequence[Source],
    hints: Sequence[Hint],
    runs: RunTime,
    compiled: Mapping[str, str],
) -> FrontEnd:
    if one.pages.problem:
        return one
    copied = next(
        (
            (target.removesuffix(posixpath.relpath(source, one.output)) if source != one.output else target, hint.where)
            for hint in hints
            if hint.kind == "asset"
            for source, _, target in [hint.value.rpartition(":")]
            if f"{source}/".startswith(f"{one.output}/")
        ),
        None,
    )
    opened = next((each for each in (*runs.in_dev, *runs.opened) if _covers(each.path, one.output)), None)
    if opened is None and copied is None:
        folders = {key: package.dir for key, package in workspace.packages.items()}
        opened = next(opened_files.naming(folders, sources, one.output), None)
        opened = opened or _in_settings(workspace, one)
    return one._replace(embedded=compiled.get(one.output), opened=opened, copied=copied)


def _covers(path: str, output: str) -> bool:
    return f"{path}/".startswith(f"{output}/")


def _in_settings(workspace: Workspace, one: FrontEnd) -> Opened | None:
    """A configuration file that names the folder."""
    name = re.compile(rf"[\"'=:\s](?:\./)?{re.escape(one.output)}/?[\"'\s]")
    for file in _settings_files(workspace.root):
        text = text_of(workspace.root / file) or ""
        if found := name.search(text):
            line = text.count("\n", 0, found.start() + 1) + 1
            opened = opened_files.Opened
            return opened(one.output, one.output, "", "configuration", f"{file}:{line}", "", None)
    return None


def _settings_files(root: Path) -> Iterator[str]:
    for folder in (".", "config", "configuration", "configs"):
        try:
            names = sorted(path.name for path in (root / folder).iterdir() if path.is_file())
        except OSError:
            continue
        yield from (
            posixpath.normpath(posixpath.join(folder, name))
            for name in names
            if _SETTINGS.fullmatch(name) and not _NO_SETTINGS.search(name)
        )


def _leftover(workspace: Workspace, found: list[FrontEnd], runs: RunTime) -> list[FrontEnd]:
    """A folder that a program serves and that is not here is the only front end that nothing else uses."""
    free = [one for one in found if not one.is_used and not one.pages.problem]
    outputs = {one.output for one in found}
    served = [
        (path, what, where)
        for path, what, where in runs.missing
        if path not in outputs and posixpath.basename(path) in _SERVED and not path.startswith("..")
    ]
    if len(free) != 1 or len({path for path, _, _ in served}) != 1:
        return found
    path, what, where = served[0]
    opened = opened_files.Opened(free[0].output, path, "", what, where, next(iter(workspace.packages)), None)
    return [one._replace(opened=opened) if one is free[0] else one for one in found]


def _instead(lister: Lister, one: FrontEnd) -> tuple[str, str] | None:
    """A folder of pages that a crate compiles in and that git has next to nothing of: somebody copies them there."""
    from layerdoit.cargo import embedded

    if one.is_used or one.pages.problem:
        return None
    for item in embedded.named(lister.root, [name for name in lister.files if name.endswith(".rs")]):
        below = [name for name in lister.files if name.startswith(f"{item.path}/")]
        if posixpath.basename(item.path) in _SERVED and not item.path.startswith("..") and len(below) <= 1:
            return item.path, item.where
    return None


def _scripts(workspace: Workspace) -> Iterator[tuple[str, str, str]]:
    """Build scripts that run a package manager: folder of the package, `file:line`, text."""
    for package in workspace.packages.values():
        named = package.manifest.get("package", {}).get("build")
        file = posixpath.normpath(posixpath.join(package.dir, named if isinstance(named, str) else "build.rs"))
        text = text_of(workspace.root / file) if package.build_script else None
        if text and (found := _RUNS_NPM.search(code := rust_code.read(text).text)):
            yield package.dir, f"{file}:{code.count(chr(10), 0, found.start()) + 1}", text


def _script_of(one: FrontEnd, scripts: Collection[tuple[str, str, str]]) -> str | None:
    """The build script that makes it: one that names its folder."""
    for folder, where, text in scripts:
        inside = posixpath.relpath(one.package.folder, folder)
        if re.search(rf"[\"/]{re.escape(posixpath.basename(inside))}[\"/]", text) or inside == ".":
            return where
    return None
