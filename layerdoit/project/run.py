"""One call of a command: by what it is known in the history, and what adds up while it goes on."""

from __future__ import annotations

import time
from dataclasses import field, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from layerdoit.core.background import Background, begun
from layerdoit.core.errors import LayerdoitError
from layerdoit.core.frozen import Frozen
from layerdoit.layers.key import LAYERS

if TYPE_CHECKING:
    from pathlib import Path

CYCLES: Final = ("cycle_fast", "cycle_clean", "cycle_nuclear")

Commit = tuple[str | None, bool | None]
"""The commit that is checked out, and whether the tree differs from it; both None outside a repository."""


class Run(Frozen, eq=False):
    """One call. It can be pickled: with `doit -n`, all processes of a call work on the same run.

    `begun`: ns since 1970, which names the run; `asked`: the tasks that were asked for; `prefix`: what stands before
    the names of the project's tasks; `verbose`: say all that there is to say; `spent`: seconds of phases that no layer
    counts; `reported`: layers of which the user has been told; `done`: what is done once in a run, by its name;
    `service`: which service's part of the run it is, '' for the whole; `goals`: the layers that are wanted for
    themselves: others are made only where one of these needs them; `settles`: whoever made the run waits in the end for
    its pushes; `pushes`: what is being pushed, by tag. `live`: the watch that deploys (`deploy/live.py:Live`), if any.
    """

    asked: str = ""
    prefix: str = ""
    verbose: bool = False
    begun: int = field(default_factory=time.time_ns)
    spent: dict[str, float] = field(default_factory=dict)
    reported: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    service: str = ""
    goals: tuple[str, ...] = LAYERS
    settles: bool = False
    pushes: dict[str, Any] = field(default_factory=dict)
    live: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the question, and the pushes, that are on their way."""
        return {**{item.name: getattr(self, item.name) for item in fields(self)}, "pushes": {}}

    @property
    def token(self) -> str:
        """The run's name in the history."""
        return f"{self.begun:x}.{self.service}" if self.service else f"{self.begun:x}"

    @property
    def label(self) -> str:
        """What stands before the rows of its display, where several projects are worked on at once."""
        return f"{self.prefix}:" if self.prefix else ""

    def of_service(self, name: str) -> Run:
        """A service's part of this run: with figures of its own; what is done once is done once for all."""
        return Run(
            self.asked,
            self.prefix,
            self.verbose,
            self.begun,
            done=self.done,
            service=name,
            goals=self.goals,
            settles=self.settles,
            pushes=self.pushes,
            live=self.live,
        )

    def again(self) -> Run:
        """A run of its own, for the same call."""
        return Run(
            self.asked,
            self.prefix,
            self.verbose,
            service=self.service,
            goals=self.goals,
            settles=self.settles,
            pushes=self.pushes,
            live=self.live,
        )

    @property
    def deploys(self) -> bool:
        """Whether it ends in a deployment, so that tags follow what serves; not where the image is asked for, too."""
        return not self._asks("image") and any(map(self._asks, CYCLES))

    def _asks(self, name: str) -> bool:
        """Whether a task was asked for: of all services, or of this one; of any, where this is the whole."""
        task, asked = self.task(name), self.asked.split()
        if self.service:
            return task in asked or f"{task}:{self.service}" in asked
        return any(word == task or word.startswith(f"{task}:") for word in asked)

    def spend(self, phase: str, seconds: float) -> None:
        """Add to a phase."""
        self.spent[phase] = self.spent.get(phase, 0.0) + seconds

    def task(self, name: str) -> str:
        """A task of this project as the user types it."""
        return f"{self.prefix}:{name}" if self.prefix else name

    def head(self, root: Path) -> Background[Commit]:
        """The commit that is checked out. The first call begins to ask git, in the background."""
        return begun(self, "_head", partial(_checked_out, root))


def _checked_out(root: Path) -> Commit:
    from layerdoit.core.process import capture_quick

    command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--", "."]
    try:
        lines = capture_quick(command, cwd=root).decode(errors="replace").splitlines()
    except LayerdoitError:
        return None, None
    oid = next((line.removeprefix("# branch.oid ") for line in lines if line.startswith("# branch.oid ")), "")
    return (oid if oid.isalnum() else None), any(not line.startswith("# ") for line in lines)
