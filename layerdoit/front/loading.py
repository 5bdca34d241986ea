"""What `doit` without task names runs: not the tasks that replace containers or delete caches.

doit runs every task of a dodo where neither the command line nor `default_tasks` names any. Ours that have effects
beyond building carry `meta={"on_request": True}`; while doit loads the dodo, its selection is replaced by one that
leaves them out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, NamedTuple


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


class Loading(NamedTuple):
    """The doit command that loads the dodo, its options, and the words after it (or the dodo's `default_tasks`)."""

    command: Any
    params: dict[str, Any]
    words: list[str] | None

    @property
    def to_run(self) -> list[str]:
        """What was named to be run; empty where none was, and for commands that run nothing."""
        named = self.words is not None and not isinstance(self.words, AllButOnRequest)
        return list(self.words or ()) if named and self.command.name == "run" else []

    def leave_out_on_request(self) -> None:
        """Correct the command's default selection."""
        if self.words is None:
            self.command.sel_tasks = AllButOnRequest(self.command)

    def leave_output_to_task(self) -> None:
        """For a task that prints JSON: doit's own lines would make it unreadable for programs. Errors still show."""
        if self.params.get("reporter") == "console":
            self.params["reporter"] = "error-only"


def loading() -> Loading | None:
    """Called by a task creator: what loads the dodo, found on the stack; None without doit's command line."""
    from doit.cmd_base import DoitCmdBase

    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - doit passes a creator nothing to ask
    while frame is not None:
        command = frame.f_locals.get("self")
        if isinstance(command, DoitCmdBase):
            params = frame.f_locals.get("params")
            return Loading(command, params if isinstance(params, dict) else {}, command.sel_tasks)
        frame = frame.f_back
    return None
