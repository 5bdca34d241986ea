"""What of a folder differs from the commit that is checked out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from layerdoit.core.process import capture_quick
from layerdoit.tree import git

if TYPE_CHECKING:
    from pathlib import Path

_OF_DOIT: Final = (":(exclude,glob)**/.doit.db*", ":(exclude,glob)**/__pycache__/**")
"""What doit writes beside a dodo.py: its state, and what Python makes of it."""
_ASKED: Final = ("status", "--porcelain", "--untracked-files=normal", "--", ".", *_OF_DOIT)


def changed(folder: Path) -> list[str]:
    """The files, but for what doit itself writes there. ProcessError where git cannot tell."""
    lines = capture_quick(git.command(*_ASKED), cwd=folder).decode(errors="replace").splitlines()
    return [line[3:] for line in lines if line.strip()]
