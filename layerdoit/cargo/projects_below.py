"""The Rust projects below a folder, and how one dodo.py has them all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from layerdoit.core import toml
from layerdoit.core.errors import WorkspaceError

# Folders in which nobody keeps what describes the project.
SKIPPED: Final = frozenset(("target", "node_modules", "vendor", "third_party", "tests", "examples", "fixtures"))
_DEEPEST: Final = 3
_SHOWN: Final = 8


def find_projects(start: Path) -> list[Path]:
    """Folders at or below `start` with a workspace or package of their own, the nearest ones only."""
    if (start / "Cargo.toml").is_file():
        return [start]
    level = [start]
    for _ in range(_DEEPEST):
        level = [folder for parent in level for folder in folders_in(parent)]
        found = [folder for folder in level if (folder / "Cargo.toml").is_file()]
        if found:
            return found
    return []


def folders_in(parent: Path) -> list[Path]:
    """Folders that may have a project."""
    try:
        with os.scandir(parent) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".") and entry.name not in SKIPPED
            )
    except OSError:
        return []
    return [parent / name for name in names]


def with_programs(projects: Sequence[Path]) -> list[Path]:
    """Those that are more than a library; all where none is."""
    return [folder for folder in projects if _has_programs(folder)] or list(projects)


def _has_programs(folder: Path) -> bool:
    if (folder / "src/main.rs").is_file() or (folder / "src/bin").is_dir():
        return True
    try:
        manifest = toml.read(folder / "Cargo.toml")
    except (OSError, WorkspaceError):
        return True
    return "workspace" in manifest or "bin" in manifest


def dodo_lines(projects: Sequence[Path], start: Path) -> Iterator[str]:
    """The lines of a dodo.py in `start` that has all these projects."""
    folders = [path.relative_to(start).as_posix() for path in projects]
    last = [path.name for path in projects]
    yield "import layerdoit"
    for folder, name in zip(folders[:_SHOWN], last, strict=False):
        prefix = name if last.count(name) == 1 else folder.replace("/", "-")
        yield f'task_{re.sub(r"[^0-9A-Za-z_]", "_", prefix)} = layerdoit.tasks("{folder}", prefix="{prefix}")'
    if folders[_SHOWN:]:
        yield f"# and so on for the other {len(folders) - _SHOWN}"
