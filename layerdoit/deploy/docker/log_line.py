"""Whether a container has logged, since it was started last, a line that says it is ready."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from layerdoit.core import terminal
from layerdoit.core.units import instant
from layerdoit.deploy.docker import container_log

if TYPE_CHECKING:
    from layerdoit.engine.container import Container
    from layerdoit.engine.containers import Containers


TAIL: Final = 2000
"""Lines in which the start of a program is looked for that was started again: the log may be days old."""


class LogLine:
    """Looks for one line. It asks for what is new only: a service may log more than can be read each time."""

    def __init__(self, pattern: str, containers: Containers, *, again: bool = False) -> None:
        """`again`: the program was started again in its container, and a line of the one before does not count."""
        self._pattern = re.compile(pattern)
        self._containers = containers
        self._start = ("", "")
        self._since = 0.0
        self._found = False
        self._again = again

    def problem(self, container: Container) -> str | None:
        """None once the line is there, else that it is not."""
        start = (container.id, container.started_at)
        if start != self._start:
            # Not from its start on: a quick program has logged before the engine notes that it started it.
            since = _moment(container.ended_at) if container.ended_at else 0.0
            self._start, self._since, self._found = start, since, False
        if not self._found:
            self._found = any(map(self._matches, self._new(container)))
        return None if self._found else f'no line of its log matches "{self._pattern.pattern}"'

    def _new(self, container: Container) -> list[str]:
        if self._again:
            return self._containers.log_after(container, container_log.AGAIN, TAIL)
        lines = []
        for stamped in self._containers.log_lines(container, since=self._since or None, stamped=True):
            when, _, line = stamped.partition(" ")
            # The last line is asked for again: it may not have been whole.
            self._since = max(self._since, _moment(when))
            lines.append(line)
        return lines

    def _matches(self, line: str) -> bool:
        return self._pattern.search(terminal.plain(line)) is not None


def _moment(text: str) -> float:
    """A time of the engine in seconds since 1970, with its fraction."""
    fraction = re.search(r"\.\d+", text)
    return instant(text) + (float(fraction[0]) if fraction else 0.0)
