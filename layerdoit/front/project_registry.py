"""The projects of a dodo.py, as its calls of `layerdoit.tasks` name them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from layerdoit.core.errors import ConfigError


class Embedded(NamedTuple):
    """A project of a dodo.py: its folder, and what stands before the names of its tasks."""

    folder: Path
    prefix: str
    where: str = ""
    """`file:line` of the call."""
    dodo: str = ""
    """The absolute path of that file: a process can load several of one name."""

    def shown(self, here: Path) -> str:
        """How `--root` names it."""
        return self.prefix or os.path.relpath(self.folder, here)


REGISTERED: Final[list[Embedded]] = []
"""What `layerdoit.tasks(…)` was called for in this process."""

CREATED: Final[set[Embedded]] = set()
"""Those of them whose tasks doit has asked for."""


def unasked() -> Iterator[str]:
    """Of calls whose tasks doit, which has loaded the dodo, did not ask for: what is wrong."""
    for one in REGISTERED:
        if one not in CREATED:
            yield (
                f"{one.where}: doit does not see these tasks, for it looks for names that begin with task_\n"
                f"next: task_{_word(one)} = layerdoit.tasks(…)"
            )


def twin(one: Embedded) -> Embedded | None:
    """An earlier call of the same dodo whose tasks have the same names."""
    return next((other for other in REGISTERED if (other.dodo, other.prefix) == (one.dodo, one.prefix)), None)


def twice(one: Embedded, other: str) -> ConfigError:
    """Two calls, `other` the earlier one's place, whose tasks would have the same names."""
    which = f'have the prefix "{one.prefix}"' if one.prefix else "have no prefix"
    hint = f'give each a prefix of its own, such as prefix="{_word(one)}" in line {one.where.rpartition(":")[2]}'
    return ConfigError(f"the tasks of {other} and of this line {which}", where=one.where, hint=hint)


def _word(one: Embedded) -> str:
    """A name for the tasks."""
    return re.sub(r"\W", "_", one.folder.resolve().name)
