"""Settings that a call of `layerdoit.tasks` in a dodo.py lays over layerdoit.yaml: a file, or a mapping."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from layerdoit.config import reading
from layerdoit.config.kinds import Node
from layerdoit.config.schema import Config
from layerdoit.core.errors import ConfigError
from layerdoit.core.frozen import Frozen


class CallSettings(Frozen):
    """One call. `where`: its `file:line`; `prefix`: of its tasks; `file` or `values`: what it lays over, if anything.

    `others`: the other calls for the same folder. Dependencies are chosen over all of them, so that base and deps are
    those of all.
    """

    where: str
    prefix: str = ""
    file: Path | None = None
    values: Any = field(default=None, hash=False)
    others: tuple[CallSettings, ...] = ()

    @property
    def given(self) -> bool:
        """Whether it lays anything over."""
        return self.file is not None or self.values is not None

    @property
    def part(self) -> str:
        """What its image is called besides the project, where it lays something over and is not the only call."""
        return self.prefix if self.given and self.others else ""

    @property
    def name(self) -> str:
        """What it is called in the label of a deployment: lines of a dodo.py move."""
        if self.file is not None:
            return self.file.name
        return f"{os.path.basename(self.where.rpartition(':')[0])} {self.prefix}".rstrip()

    def in_folder(self, old: Path, new: Path) -> CallSettings:
        """The same call for a copy of the project in another folder: the file is that of the copy."""
        others = tuple(one.in_folder(old, new) for one in self.others)
        file = self.file
        if file is not None and file.is_relative_to(old):
            file = new / file.relative_to(old)
        return CallSettings(self.where, self.prefix, file, self.values, others)

    def checked(self, root: Path, cache: reading.Cache | None) -> reading.Checked:
        """What it says, and where. ConfigError where it is wrong."""
        if self.file is not None:
            if not self.file.is_file():
                what = f'config: there is no file "{os.path.relpath(self.file)}"'
                hint = "give a path relative to the dodo.py, of a file with the same keys as layerdoit.yaml"
                raise ConfigError(what, where=self.where, hint=hint)
            inside = self.file.is_relative_to(root)
            shown = self.file.relative_to(root).as_posix() if inside else os.path.relpath(self.file)
            return reading.check(Config, reading.read(self.file, shown, cache), shown)
        if self.values is None:
            return reading.Checked({}, {})
        if not isinstance(self.values, Mapping):
            what = f"config: expected a path or a mapping, got {type(self.values).__name__}"
            raise ConfigError(
                what, where=self.where, hint='such as config="worker.yaml", or config={"bins": ["worker"]}'
            )
        file, _, line = self.where.rpartition(":")
        return reading.check(Config, _node(self.values, int(line), self.where), file)


def _node(value: Any, line: int, where: str) -> Node:
    """A value of Python as one of YAML."""
    if isinstance(value, Mapping):
        return Node(line, {str(name): _node(item, line, where) for name, item in value.items()})
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return Node(line, tuple(_node(item, line, where) for item in value))
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if value is None or isinstance(value, bool | int | float | str):
        return Node(line, value, "" if value is None else str(value).lower() if isinstance(value, bool) else str(value))
    what = f"config: a {type(value).__name__} is no value of a setting"
    raise ConfigError(what, where=where, hint="give texts, numbers, true or false, lists and mappings")
