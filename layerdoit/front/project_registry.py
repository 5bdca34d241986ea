"""The projects of a dodo.py, as its calls of `layerdoit.tasks` name them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from layerdoit.config import CallSettings
from layerdoit.core.errors import ConfigError


class Embedded(NamedTuple):
    """A project of a dodo.py: its folder, and what stands before the names of its tasks."""

    folder: Path
    prefix: str
    where: str = ""
    """`file:line` of the call."""
    dodo: str = ""
    """The absolute path of that file: a process can load several of one name."""
    call: CallSettings | None = None
    """What it lays over layerdoit.yaml."""

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


def is_first_of_prefixed(one: Embedded) -> bool:
    """Whether its dodo has several projects, all with prefixes, and it is the first of them."""
    beside = [other for other in REGISTERED if other.dodo == one.dodo]
    return len(beside) > 1 and all(other.prefix for other in beside) and beside[0] == one


def twin(one: Embedded) -> Embedded | None:
    """An earlier call of the same dodo whose tasks have the same names."""
    return next((other for other in REGISTERED if (other.dodo, other.prefix) == (one.dodo, one.prefix)), None)


def twice(one: Embedded, other: str) -> ConfigError:
    """Two calls, `other` the earlier one's place, whose tasks would have the same names."""
    which = f'have the prefix "{one.prefix}"' if one.prefix else "have no prefix"
    hint = f'give each a prefix of its own, such as prefix="{_word(one)}" in line {one.where.rpartition(":")[2]}'
    return ConfigError(f"the tasks of {other} and of this line {which}", where=one.where, hint=hint)


def laid(where: str, prefix: str, config: Any, base: Path) -> CallSettings | None:
    """What a call lays over layerdoit.yaml. `config`: as it was given; `base`: the folder of the dodo.py."""
    if config is None:
        return None
    if isinstance(config, str | os.PathLike):
        return CallSettings(where, prefix, file=(base / os.fspath(config)).resolve())
    return CallSettings(where, prefix, values=config)


def with_others(one: Embedded, *, plain: bool = False) -> CallSettings | None:
    """What a call says, with the other calls of the same dodo for its folder. `plain`: `task_layerdoit` is among them.

    None where there is nothing to say.
    """
    own = one.call or CallSettings(one.where, one.prefix)
    folder = one.folder.resolve()
    found = {
        other.prefix: other.call or CallSettings(other.where, other.prefix)
        for other in REGISTERED
        if (other.dodo, other.folder.resolve()) == (one.dodo, folder) and other.prefix != one.prefix
    }
    if plain and one.prefix and Path(one.dodo).parent.resolve() == folder:
        found.setdefault("", CallSettings(one.dodo))
    if not own.given and not any(other.given for other in found.values()):
        return None
    # Each of them knows that it is not the only one.
    return replace(own, others=tuple(replace(other, others=(own,)) for other in found.values()))


def _word(one: Embedded) -> str:
    """A name for the tasks."""
    return re.sub(r"\W", "_", one.folder.resolve().name)
