"""What can be told of a component before anything is installed: its lock file fits, its build script is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from layerdoit.core.errors import WorkspaceError
from layerdoit.node import node_locks

if TYPE_CHECKING:
    from layerdoit.node.install_root import Root

_RUNS = re.compile(r"\s*(?:npm|pnpm|yarn)\s+run\s+([\w:.-]+)(?:\s+--.*)?\s*")


def check(root: Root, command: str, setting: str) -> None:
    """Raise a WorkspaceError for what would fail later, and less clearly. `setting`: `components.web`."""
    script = script_of(command)
    if script is not None and script not in root.own.scripts:
        known = ", ".join(sorted(root.own.scripts)) or "none"
        raise WorkspaceError(
            f'{setting}.build is "{command}", but package.json has no script "{script}"',
            where=root.own.line("scripts"),
            hint=f"add it, or name another command; its scripts: {known}",
        )
    node_locks.check(root)


def script_of(command: str) -> str | None:
    """The script of package.json that a command runs; None where it is another command."""
    found = _RUNS.fullmatch(command)
    return found[1] if found else None
