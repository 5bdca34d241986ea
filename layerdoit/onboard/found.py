"""What is in a tree that somebody wants to build: the workspace, its needs, and what existing files tell. Only reads.

look(root) -> Found        # WorkspaceError where there is no Rust project, or it cannot be read
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit.errors import ConfigError, LayerdoitError, WorkspaceError
from layerdoit.onboard import dockerfile
from layerdoit.onboard.hints import Hint, from_commands, from_dockerfile

if TYPE_CHECKING:
    from layerdoit.config.kinds import Node
    from layerdoit.workspace.lock import Lock
    from layerdoit.workspace.manifest import Workspace
    from layerdoit.workspace.native import Need
    from layerdoit.workspace.selection import Selection

# Folders in which nobody keeps what describes the project.
_SKIPPED = frozenset(("target", "node_modules", "vendor", "third_party", "tests", "examples", "fixtures"))
# Not in a comment.
_QUERY = re.compile(r"^(?![ \t]*//).*?\bquery(_as|_scalar|_file|_file_as)?!\s*[({]", re.MULTILINE)
_NO_SOURCES = frozenset(("target", "node_modules"))
_COMPOSE = re.compile(r"(docker-)?compose[\w.-]*\.ya?ml$")
_DOCKERFILE = re.compile(r"(Dockerfile|Containerfile)(\.[\w.-]+)?$|[\w.-]+\.Dockerfile$")
# askama, sqlx::migrate!, prost and rust-embed read these where they are told nothing else.
_READ_BY_MACROS = frozenset(("migrations", "proto", "protos", "templates", ".sqlx", "sqlx-data.json"))
# More of a generated Dockerfile or Makefile than this is not read.
_LARGEST = 1_000_000
_DEEPEST = 3


@dataclass(frozen=True)
class Found:
    """The facts of a tree. `root` is the workspace's folder; `files` are those that were read, relative to it."""

    root: Path
    workspace: Workspace
    selection: Selection | None
    """None: nothing is built as the configuration stands; `problem` says why."""
    problem: str | None
    needs: tuple[Need, ...]
    unknown: tuple[str, ...]
    """`-sys` crates that nobody here knows."""
    toolchain: str
    hints: tuple[Hint, ...] = ()
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    configured: bool = False
    """There is a layerdoit.yaml."""
    linkers: tuple[tuple[str, str], ...] = ()
    """(Debian package, why): linkers that the cargo configuration names."""
    sqlx: str | None = None
    """What makes sqlx's macros check queries without a database: `.sqlx` or `sqlx-data.json`."""
    asks_database: str | None = None
    """`file:line` of a query that sqlx checks against a database while it compiles; the build has none."""
    submodules: tuple[str, ...] = ()
    """Paths of submodules that are not checked out."""
    compiled: frozenset[str] = frozenset()
    """Files and folders, copied into an image by a Dockerfile, that the compiler probably reads as well."""
    in_git: bool = False
    ignores_record: bool = False
    """.gitignore names doit's record."""


def find_projects(start: Path) -> list[Path]:
    """Folders at or below `start` with a workspace or package of their own, the nearest ones only."""
    if (start / "Cargo.toml").is_file():
        return [start]
    level = [start]
    for _ in range(_DEEPEST):
        level = [folder for parent in level for folder in _folders(parent)]
        found = [folder for folder in level if (folder / "Cargo.toml").is_file()]
        if found:
            return found
    return []


def _folders(parent: Path) -> list[Path]:
    try:
        with os.scandir(parent) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".") and entry.name not in _SKIPPED
            )
    except OSError:
        return []
    return [parent / name for name in names]


def project_root(start: Path) -> Path:
    """The folder of the one Rust project at or below `start`; WorkspaceError where there is none, or several."""
    from layerdoit.workspace import manifest

    projects = find_projects(start)
    if not projects:
        root = manifest.find_root(start)  # says that there is none
        hint = f"run it in {root}, or give --root {os.path.relpath(root, start)}"
        raise WorkspaceError("this folder is inside a Rust project", where=str(start), hint=hint)
    if len(projects) > 1:
        names = [path.relative_to(start).as_posix() for path in projects]
        shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        raise WorkspaceError(
            f"there are {len(names)} Rust projects here: {shown}", where=str(start), hint=f"name one: --root {names[0]}"
        )
    (project,) = projects
    root = manifest.find_root(project)
    if root != project:
        hint = f"run it there, or give --root {os.path.relpath(root, start)}; `packages:` in layerdoit.yaml chooses"
        raise WorkspaceError(f"this package belongs to the workspace in {root}", where=str(project), hint=hint)
    return project


def look(root: Path) -> Found:
    """Look at the Rust project in `root`."""
    from layerdoit.config import FILE
    from layerdoit.onboard import proposal
    from layerdoit.workspace import git, lock, manifest, native, selection

    if not (root / "Cargo.lock").is_file():
        hint = "run `cargo generate-lockfile` and commit Cargo.lock, then run this again"
        nested = [folder for folder in _folders(root) if (folder / "Cargo.toml").is_file()]
        if with_lock := [folder.name for folder in nested if (folder / "Cargo.lock").is_file()]:
            hint += f"; or name a project below that has one: --root {with_lock[0]}"
        raise WorkspaceError("there is no Cargo.lock here", where=str(root), hint=hint)
    workspace = manifest.load(root)
    locked = lock.load(root)
    hints, files, notes = told(root)
    config = (root / FILE).is_file()
    options = proposal.cargo_options(workspace, hints)
    packages, bins = (tuple(item.value for item in items) for items in proposal.chosen(workspace, hints))
    chosen: Selection | None = None
    problem: str | None = None
    needs: tuple[Need, ...] = ()
    unknown: tuple[str, ...] = ()
    try:
        lock.check(workspace, locked)
        chosen = selection.select(workspace, packages, bins, options)
        needs = native.needed(workspace, locked, chosen, options, "trixie")
        unknown = native.unknown(workspace, locked, chosen, options)
    except WorkspaceError as error:
        problem = str(error)
    sqlx = _prepared(root, locked)
    return Found(
        root=root,
        workspace=workspace,
        selection=chosen,
        problem=problem,
        needs=needs,
        unknown=unknown,
        toolchain=_toolchain(root),
        hints=hints,
        files=files,
        notes=notes,
        configured=config,
        linkers=_linkers(workspace),
        sqlx=sqlx,
        asks_database=None if sqlx else _query(root, locked),
        submodules=_submodules(root),
        compiled=_compiled(root, [hint.value.rpartition(":")[0] for hint in hints if hint.kind == "asset"]),
        in_git=git.is_within(os.path.abspath(root)),
        ignores_record=".doit.db" in (_read(root / ".gitignore") or ""),
    )


def _toolchain(root: Path) -> str:
    """Which toolchain the tree names, in words."""
    for name in ("rust-toolchain", "rust-toolchain.toml"):
        path = root / name
        if path.is_file():
            text = _read(path) or ""
            channel = re.search(r'channel\s*=\s*["\']([^"\']+)', text)
            return f"{channel[1] if channel else text.strip().splitlines()[0] if text.strip() else '?'} ({name})"
    return "the host's (no rust-toolchain.toml)"


def _linkers(workspace: Workspace) -> tuple[tuple[str, str], ...]:
    """Programs that `.cargo/config.toml` links with, for a target that a Linux container has."""
    from layerdoit.workspace import cfg
    from layerdoit.workspace.machine import container_triple
    from layerdoit.workspace.native import table

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
        for provider in table().providers("trixie").values():
            if os.path.basename(word) in provider.programs:
                found += [(name, f".cargo/config.toml links with {word}") for name in provider.build]
    return tuple(dict.fromkeys(found))


def _prepared(root: Path, lock: Lock) -> str | None:
    if "sqlx-macros" not in lock.by_name:
        return None
    return next((name for name in (".sqlx", "sqlx-data.json") if (root / name).exists()), None)


def _query(root: Path, lock: Lock) -> str | None:
    """The first use of a macro that asks the database."""
    if "sqlx-macros" not in lock.by_name:
        return None
    for path, text in _sources(root):
        found = _QUERY.search(text)
        if found:
            return f"{path.relative_to(root).as_posix()}:{text.count(chr(10), 0, found.end()) + 1}"
    return None


def _sources(root: Path) -> Iterator[tuple[Path, str]]:
    """Every Rust file and its text."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _NO_SOURCES and not name.startswith("."))
        for name in sorted(files):
            if name.endswith(".rs") and (text := _read(Path(folder, name))):
                yield Path(folder, name), text


def _submodules(root: Path) -> tuple[str, ...]:
    """Submodules whose folders are empty: cargo and build scripts would miss what is in them."""
    text = _read(root / ".gitmodules") or ""
    paths = [path.strip() for path in re.findall(r"^\s*path\s*=\s*(.+)$", text, re.MULTILINE)]
    return tuple(path for path in paths if not _inhabited(root / path))


def _compiled(root: Path, assets: Sequence[str]) -> frozenset[str]:
    """Those of the assets that a source names, or that a macro reads by custom."""
    found = {path for path in assets if os.path.basename(path) in _READ_BY_MACROS}
    wanted = set(assets) - found
    for _, text in _sources(root) if wanted else ():
        seen = {path for path in wanted if re.search(rf'"[^"\n]*{re.escape(os.path.basename(path))}', text)}
        found |= seen
        wanted -= seen
    return frozenset(found)


def _inhabited(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False


# --- existing files --------------------------------------------------------------------------------------------------


def told(root: Path) -> tuple[tuple[Hint, ...], tuple[str, ...], tuple[str, ...]]:
    """Hints, the files that they are from, and notes on files that cannot be read."""
    hints: list[Hint] = []
    files: list[str] = []
    notes: list[str] = []
    chosen = _chosen_dockerfile(root)
    if chosen is not None:
        name, parsed = chosen
        hints += from_dockerfile(parsed, lambda path: _exists(root, path))
        files.append(name)
        others = [other for other in _dockerfiles(root) if other != name]
        if others:
            notes.append(f"{name} was read; {', '.join(others[:5])} too may tell something")
    for path in sorted(root.iterdir()):
        name = path.name
        if _COMPOSE.match(name):
            found, note = _compose(path)
            hints += found
            notes += [note] if note else []
        elif name in ("Makefile", "makefile", "GNUmakefile"):
            found = list(from_commands(_make_commands(_read(path) or "", name)))
            hints += found
        elif name == "Tiltfile":
            found = list(_tilt(_read(path) or ""))
            hints += found
        else:
            continue
        files += [name] if found else []
    return tuple(dict.fromkeys(hints)), tuple(files), tuple(notes)


def _exists(root: Path, path: str) -> bool:
    try:
        return os.path.exists(os.path.join(root, path))
    except ValueError:  # a NUL in a mutilated file
        return False


def _read(path: Path) -> str | None:
    """The text of a file, None when it is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_LARGEST)
    except OSError:
        return None


def _dockerfiles(root: Path) -> list[str]:
    """Dockerfiles of the root and of its usual folders, the likeliest first."""
    found = []
    for folder in (".", "docker", "deploy", "build", ".docker", "ci"):
        try:
            names = sorted(
                os.listdir(root / folder), key=lambda name: (name not in ("Dockerfile", "Containerfile"), name)
            )
        except OSError:
            continue
        found += [name if folder == "." else f"{folder}/{name}" for name in names if _DOCKERFILE.fullmatch(name)]
    return found


def _chosen_dockerfile(root: Path) -> tuple[str, dockerfile.Dockerfile] | None:
    """The first Dockerfile that compiles Rust, else the first."""
    parsed = [(name, dockerfile.parse(text, name)) for name in _dockerfiles(root) if (text := _read(root / name))]
    for name, one in parsed:
        words = (
            c.words[0] for s in one.stages for i in s.instructions if i.keyword == "RUN" for c in dockerfile.commands(i)
        )
        if any(word.endswith("cargo") for word in words):
            return name, one
    return parsed[0] if parsed else None


def _make_commands(text: str, name: str) -> Iterator[dockerfile.Command]:
    """Recipe lines as commands; make's own variables stay as they are and so make their words unusable."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("\t"):
            recipe = dockerfile.Instruction("RUN", line.strip().lstrip("@-+"), f"{name}:{number}", number)
            yield from dockerfile.commands(recipe)


def _tilt(text: str) -> Iterator[Hint]:
    for number, line in enumerate(text.split("\n"), 1):
        for forward in re.finditer(r"port_forwards?\s*=\s*\[?\s*['\"]?(?:(\d+):)?(\d{2,5})", line):
            yield Hint("port", forward[2], f"Tiltfile:{number}")


def _compose(path: Path) -> tuple[list[Hint], str | None]:
    """Ports and environment names of the services that are built from this folder."""
    from layerdoit.config import reading

    try:
        root = reading.parse(path.read_bytes(), path.name)
    except (ConfigError, OSError) as error:
        what = error.what if isinstance(error, LayerdoitError) else "it cannot be read"
        return [], f"{path.name} was left out: {what}"
    services = _below(root, "services")
    hints: list[Hint] = []
    for service in services.values():
        if "build" not in _mapping(service):
            continue
        ports = _mapping(service).get("ports")
        for item in ports.value if ports is not None and isinstance(ports.value, tuple) else ():
            mapped = re.fullmatch(r"(?:\d+(?:\.\d+){3}:)?(?:(\d+):)?(\d+)(?:/tcp)?", item.text or str(item.value or ""))
            if mapped:
                where = f"{path.name}:{item.line}"
                hints.append(Hint("port", mapped[2], where))
                hints += [Hint("publish", mapped[1], where)] if mapped[1] else []
    return hints, None


def _mapping(node: Node) -> Mapping[str, Node]:
    return node.value if isinstance(node.value, Mapping) else {}


def _below(node: Node, name: str) -> Mapping[str, Node]:
    inner = _mapping(node).get(name)
    return {} if inner is None else _mapping(inner)
