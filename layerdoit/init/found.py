"""What is in a tree that somebody wants to build: the workspace, its needs, and what existing files tell. Only reads.

look(root) -> Found        # WorkspaceError where there is no Rust project, or it cannot be read
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from layerdoit.cargo import projects_below
from layerdoit.core.errors import WorkspaceError
from layerdoit.core.prose import listed
from layerdoit.init.existing import told
from layerdoit.init.run_time import RunTime
from layerdoit.init.rust_files import sources

if TYPE_CHECKING:
    from layerdoit.cargo.git_asked import Asked
    from layerdoit.cargo.lock import Lock
    from layerdoit.cargo.manifest import Workspace
    from layerdoit.cargo.native import Need, Suites
    from layerdoit.cargo.options import Options
    from layerdoit.cargo.program_sources import Source
    from layerdoit.cargo.selection import Selection
    from layerdoit.config import Config
    from layerdoit.init.existing import Existing
    from layerdoit.init.front_end_uses import FrontEnd
    from layerdoit.init.hints import Hint
    from layerdoit.init.service_shapes import ServiceFound
    from layerdoit.tree.hidden import Hidden
    from layerdoit.tree.lister import Lister

# Not in a comment.
_QUERY = re.compile(r"^(?![ \t]*//).*?\bquery(_as|_scalar|_file|_file_as)?!\s*[({]", re.MULTILINE)


@dataclass(frozen=True)
class Found:
    """The facts of a tree. `root` is the workspace's folder; `files` are those that were read, relative to it."""

    root: Path
    workspace: Workspace
    selection: Selection | None
    """None: nothing is built as the configuration stands; `problem` says why."""
    problem: str | None
    """What has to be mended before anything is built."""
    needs: tuple[Need, ...]
    unknown: tuple[str, ...]
    """`-sys` crates that nobody here knows, and that may need something."""
    suites: Suites
    """Whose package names the images want."""
    toolchain: str
    hints: tuple[Hint, ...] = ()
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    configured: bool = False
    """There is a layerdoit.yaml."""
    links: Mapping[str, str] = field(default_factory=dict)
    """The libraries that the unknown ones link to, as far as their sources are here."""
    locked: frozenset[str] = frozenset()
    """The crates of Cargo.lock."""
    linkers: tuple[tuple[str, str], ...] = ()
    """(Debian package, why): linkers that the cargo configuration names."""
    sqlx: str | None = None
    """What makes sqlx's macros check queries without a database: `.sqlx` or `sqlx-data.json`."""
    asks_database: str | None = None
    """`file:line` of a query that sqlx checks against a database while it compiles; the build has none."""
    submodules: tuple[str, ...] = ()
    """Paths of submodules that are not checked out."""
    named_submodules: frozenset[str] = frozenset()
    """Those of them that sources or a Dockerfile name."""
    compiled: Mapping[str, str] = field(default_factory=dict)
    """Of what is copied into the image, what is compiled in as well -> `file:line` of what does."""
    hidden: tuple[tuple[str, Hidden], ...] = ()
    """Files that code reads and builds do not get, each with the `file:line` that names it."""
    pointers: tuple[str, ...] = ()
    """Files of git LFS of which only the pointer is here."""
    wrappers: tuple[tuple[str, str], ...] = ()
    """(variable that overrides it, program): what cargo's configuration starts every compiler by."""
    asks_git: tuple[Asked, ...] = ()
    """Where packages ask git, of which builds are told nothing unless `build.git` says so."""
    in_repository: bool = True
    runs: RunTime = field(default_factory=RunTime)
    """What the programs need while they run."""
    front_ends: tuple[FrontEnd, ...] = ()
    """What npm and the like build."""
    services: tuple[ServiceFound, ...] = ()
    """The programs that are services of their own, where there are several."""


def project_root(start: Path) -> Path:
    """The folder of the one Rust project at or below `start`; WorkspaceError where there is none, or several."""
    from layerdoit.cargo.discovery import find_root

    found = projects_below.with_programs(projects_below.find_projects(start))
    if not found:
        root = find_root(start)  # says that there is none
        hint = f"run it in {root}, or give --root {os.path.relpath(root, start)}"
        raise WorkspaceError("this folder is inside a Rust project", where=str(start), hint=hint)
    if len(found) > 1:
        names = [path.relative_to(start).as_posix() for path in found]
        lines = "\n".join(f"    {line}" for line in projects_below.dodo_lines(found, start))
        raise WorkspaceError(
            f"there are {len(names)} Rust projects here: {listed(names, 8)}",
            where=str(start),
            hint=f"name one: --root {names[0]}; or write a dodo.py here that has all, then `doit list`:\n{lines}",
        )
    (project,) = found
    root = find_root(project)
    if root != project:
        hint = f"run it there, or give --root {os.path.relpath(root, start)}; `packages:` in layerdoit.yaml chooses"
        raise WorkspaceError(f"this package belongs to the workspace in {root}", where=str(project), hint=hint)
    return project


class _Read(NamedTuple):
    """What was read first, from which the rest follows."""

    root: Path
    settings: Config
    configured: bool
    lister: Lister
    workspace: Workspace
    locked: Lock
    existing: Existing
    hints: tuple[Hint, ...]
    suites: Suites
    options: Options


class _Selected(NamedTuple):
    """What is built by default, or the `problem` with it, and what that needs."""

    selection: Selection | None
    problem: str | None
    needs: tuple[Need, ...]
    unknown: tuple[str, ...]
    links: Mapping[str, str]


def look(root: Path) -> Found:
    """Look at the Rust project in `root`."""
    read = _read(root)
    return _found(read, _selected(read))


def _read(root: Path) -> _Read:
    from layerdoit import config
    from layerdoit.cargo import lock, manifest, native
    from layerdoit.init import builds, front_ends
    from layerdoit.tree.lister import Lister

    if not (root / "Cargo.lock").is_file():
        raise _without_lock(root)
    configured = (root / config.FILE).is_file()
    settings = config.load(root, variables={}) if configured else config.Config()
    # What is sent to builds, with what an existing configuration includes.
    lister = Lister(root.resolve(), settings.sources.exclude, settings.sources.include)
    workspace = manifest.load(root, lister)
    locked = lock.load(root)
    existing = told(root, [name for one in workspace.packages.values() for name in one.bins])
    hints = (*existing.hints, *_of_shapes(existing))
    hints = (*front_ends.told(workspace, hints), *hints)
    suites = native.suites(settings) if configured else native.default_suites()
    options = builds.cargo_options(workspace, hints)
    return _Read(root, settings, configured, lister, workspace, locked, existing, hints, suites, options)


def _selected(read: _Read) -> _Selected:
    from layerdoit.cargo import crate_sources, lock_drift, native, selection, target_graph
    from layerdoit.init import builds

    workspace, locked, options = read.workspace, read.locked, read.options
    packages, bins = (tuple(item.value for item in items) for items in builds.chosen(workspace, read.hints))
    chosen: Selection | None = None
    problem: str | None = None
    needs: tuple[Need, ...] = ()
    unknown: tuple[str, ...] = ()
    versions: list[tuple[str, str]] = []
    try:
        lock_drift.check(workspace, locked)
        chosen = selection.select(workspace, packages, bins, options)
        needs = native.needed(workspace, locked, chosen, options, read.suites.build, read.suites.run)
        unknown = native.unknown(workspace, locked, chosen, options)
        if needs or unknown:
            graph = target_graph.compiled(read.root, workspace, locked, chosen, options)
            needs, unknown = target_graph.kept(needs, graph), target_graph.known(unknown, graph)
        versions = [(name, package.version) for name in unknown for package in locked.by_name.get(name, ())]
        unknown = crate_sources.doubtful(versions)
    except WorkspaceError as error:
        problem = str(error)
    return _Selected(chosen, problem, needs, unknown, crate_sources.links(versions))


def _found(read: _Read, selected: _Selected) -> Found:
    from layerdoit.cargo import git_asked, program_sources, wrappers
    from layerdoit.init import compiled_in, front_end_uses, run_time, service_shapes
    from layerdoit.tree import git, lfs

    root, lister, workspace, locked, options = read.root, read.lister, read.workspace, read.locked, read.options
    hints, existing, chosen = read.hints, read.existing, selected.selection
    compiler, broken = _toolchain(root)
    every = program_sources.of(workspace, chosen, options) if chosen else ()

    def of_one(one: Selection, told: Sequence[Hint], sources: Sequence[Source]) -> RunTime:
        return run_time.look(lister, workspace, one, options, told, read.settings, sources)

    runs = of_one(chosen, hints, every) if chosen else RunTime()
    services = service_shapes.look(workspace, chosen, options, every, hints, existing.shapes, of_one) if chosen else ()
    fronts = front_end_uses.candidates(lister, workspace, existing.files)
    wanted = [*_assets(hints), *(one.path for one in runs.opened)]
    # In one go, for all sources are read.
    compiled = compiled_in.readers(workspace, lister.files, [*wanted, *(one.output for one in fronts)])
    sqlx = prepared_queries(root, locked)
    submodules = git.empty_submodules(root)
    return Found(
        root=root,
        workspace=workspace,
        selection=chosen,
        problem=selected.problem or broken,
        needs=selected.needs,
        unknown=selected.unknown,
        links=selected.links,
        locked=frozenset(locked.by_name),
        toolchain=compiler,
        hints=hints,
        files=existing.files,
        notes=existing.notes,
        configured=read.configured,
        suites=read.suites,
        linkers=_linkers(workspace, read.suites),
        sqlx=sqlx,
        asks_database=None if sqlx else first_query(root, locked),
        submodules=submodules,
        named_submodules=_named(root, submodules, hints),
        compiled={path: where for path, where in compiled.items() if path in wanted},
        hidden=tuple(_hidden(lister)),
        pointers=tuple(lfs.pointers(root, lister.files)),
        wrappers=tuple(wrappers.wanted(workspace.config)),
        in_repository=lister.top is not None,
        asks_git=tuple(git_asked.asked(workspace)),
        runs=runs,
        services=services,
        front_ends=front_end_uses.look(fronts, lister, workspace, every, hints, runs, compiled),
    )


def _of_shapes(existing: Existing) -> Iterator[Hint]:
    """What the images of several programs tell of all: what is built, and of what."""
    from layerdoit.init.hints import Hint

    yield from existing.others
    for shape in existing.shapes:
        yield Hint("bin", shape.program, shape.where)
        yield from (hint for hint in shape.hints if hint.kind not in ("bin", "package", "copied", "entrypoint"))


def _without_lock(root: Path) -> WorkspaceError:
    from layerdoit.tree import git

    hint = "run `cargo generate-lockfile` and commit Cargo.lock, then run this again"
    if git.empty_submodules(root):
        hint = f"git submodule update --init, then {hint}"
    nested = [folder for folder in projects_below.folders_in(root) if (folder / "Cargo.toml").is_file()]
    if with_lock := [folder.name for folder in nested if (folder / "Cargo.lock").is_file()]:
        hint += f"; or name a project below this folder that has one: --root {with_lock[0]}"
    return WorkspaceError("there is no Cargo.lock here", where=str(root), hint=hint)


def _hidden(lister: Lister) -> Iterator[tuple[str, Hidden]]:
    """What sources name that is there, and not sent."""
    from layerdoit.cargo import embedded
    from layerdoit.tree import hidden

    for item in embedded.named(lister.root, lister.files):
        if (found := hidden.why(lister, item.path)) is not None:
            yield item.where, found


def _toolchain(root: Path) -> tuple[str, str | None]:
    """Which toolchain the tree names, in words; and what is wrong with the file that should name it."""
    from layerdoit.cargo import toolchain

    try:
        named = toolchain.asked_for(root)
    except WorkspaceError as error:
        return "?", str(error)
    asked = named.channel or named.path
    return f"{asked} ({named.source})" if asked else "the host's (no rust-toolchain.toml names one)", None


def _linkers(workspace: Workspace, suites: Suites) -> tuple[tuple[str, str], ...]:
    """Programs that `.cargo/config.toml` links with, for a target that a Linux container has."""
    from layerdoit.cargo import cfg
    from layerdoit.cargo.native import table
    from layerdoit.core.platform import container_triple

    triple = container_triple()
    config = workspace.config
    tables = {name: entry for name, entry in config.get("target", {}).items() if cfg.applies(name, triple)}
    words: list[str] = []
    for entry in (config.get("build", {}), *tables.values()):
        if isinstance(entry, dict):
            words.append(str(entry.get("linker", "")))
            words += re.findall(r"-fuse-ld=([\w./-]+)", str(entry.get("rustflags", "")))
    found = []
    for word in filter(None, words):
        for provider in table().providers(suites.build).values():
            if os.path.basename(word) in provider.programs:
                found += [(name, f".cargo/config.toml links with {word}") for name in provider.build]
    return tuple(dict.fromkeys(found))


def prepared_queries(root: Path, lock: Lock) -> str | None:
    """Where sqlx's prepared queries are; None where there are none, or sqlx is not used."""
    if "sqlx-macros" not in lock.by_name:
        return None
    return next((name for name in (".sqlx", "sqlx-data.json") if (root / name).exists()), None)


def first_query(root: Path, lock: Lock) -> str | None:
    """The first use of a macro that asks the database."""
    if "sqlx-macros" not in lock.by_name:
        return None
    for path, text in sources(root):
        found = _QUERY.search(text)
        if found:
            return f"{path.relative_to(root).as_posix()}:{text.count(chr(10), 0, found.end()) + 1}"
    return None


def _named(root: Path, submodules: Sequence[str], hints: Sequence[Hint]) -> frozenset[str]:
    """Which of them a text in the sources, or an asset of a Dockerfile, names."""
    if not submodules:
        return frozenset()
    copied = list(_assets(hints))
    found = {one for one in submodules if any(f"{path}/".startswith(f"{one}/") for path in copied)}
    wanted = "|".join(sorted((re.escape(one) for one in submodules), key=len, reverse=True))
    literal = re.compile(rf'"(?:[^"\n]*/)?({wanted})(?:/[^"\n]*)?"')
    return frozenset(found.union(match[1] for _, text in sources(root) for match in literal.finditer(text)))


def _assets(hints: Sequence[Hint]) -> Iterator[str]:
    """What an existing Dockerfile copies into the image."""
    return (hint.value.rpartition(":")[0] for hint in hints if hint.kind == "asset")
