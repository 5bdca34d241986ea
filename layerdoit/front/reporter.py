"""doit's reporter, without its lines for our tasks: they say themselves what they do."""

from __future__ import annotations

from typing import Any

from doit.reporter import ConsoleReporter


class Reporter(ConsoleReporter):  # type: ignore[misc]  # doit carries no types
    """Where none of a project's tasks had to run, the last one says what is there.

    A task of ours carries `meta={"ready": …}`: called, it gives that sentence. doit makes the reporter, and pickles it
    for `doit -n` where processes are not forked.
    """

    of_console = True

    def __init__(self, outstream: Any, options: Any) -> None:
        super().__init__(outstream, options)
        self._ready: dict[str, Any] = {}
        self._ran: set[str] = set()

    def execute_task(self, task: Any) -> None:
        """Called before a task runs."""
        ready = (task.meta or {}).get("ready")
        if ready is None:
            super().execute_task(task)
        else:
            self._ran.add(ready.owner)

    def skip_uptodate(self, task: Any) -> None:
        """Called for a task that is up to date."""
        ready = (task.meta or {}).get("ready")
        if ready is None:
            super().skip_uptodate(task)
        else:
            self._ready[ready.owner] = ready

    def complete_run(self) -> None:
        """Called at the end."""
        if not self.runtime_errors:
            for owner in self._ready.keys() - self._ran:
                self.write(f"{self._ready[owner]()}\n")
        super().complete_run()
