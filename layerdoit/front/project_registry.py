"""The projects of a dodo.py, as its calls of `layerdoit.tasks` name them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple


class Embedded(NamedTuple):
    """A project of a dodo.py: its folder, and what stands before the names of its tasks."""

    folder: Path
    prefix: str

    def shown(self, here: Path) -> str:
        """How `--root` names it."""
        return self.prefix or os.path.relpath(self.folder, here)


REGISTERED: Final[list[Embedded]] = []
"""What `layerdoit.tasks(…)` was called for in this process."""
