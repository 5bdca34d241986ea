"""What `doit` without task names runs: not the tasks that replace containers or delete caches.

doit runs every task of a dodo where neither the command line nor `default_tasks` names any. Ours that have effects beyond
building carry `meta={"on_request": True}`; while doit loads the dodo, its selection is replaced by one that leaves them out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any


class AllButOnRequest(list[str]):
    """The names of all tasks of a command that run by default, known once the command has loaded them."""

    def __init__(self, command: Any) -> None:
        super().__init__()
        self._command = command

    def _names(self) -> list[str]:
        tasks = self._command.task_list
        return [task.name for task in tasks if task.subtask_of is None and not (task.meta or {}).get("on_request")]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __getitem__(self, index: Any) -> Any:
        return self._names()[index]

    def __len__(self) -> int:
        return len(self._names())


def loading_command() -> Any:
    """The doit command that is loading the dodo, found on the stack of a task creator; None without doit."""
    from doit.cmd_base import DoitCmdBase

    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        command = frame.f_locals.get("self")
        if isinstance(command, DoitCmdBase):
            return command
        frame = frame.f_back
    return None


def leave_out_on_request(command: Any) -> None:
    """Correct the default selection of the command that loads the dodo."""
    if command is not None and command.sel_tasks is None:
        command.sel_tasks = AllButOnRequest(command)


def to_be_run(command: Any) -> list[str]:
    """The words after `doit`, or the dodo's `default_tasks`; empty for commands that run nothing."""
    words = getattr(command, "sel_tasks", None)
    if getattr(command, "name", "") != "run" or words is None or isinstance(words, AllButOnRequest):
        return []
    return list(words)
