"""Read buildx's progress events, and show them to the user."""

from __future__ import annotations

import base64
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, TextIO, TypeAlias

from layerdoit.core.process import redact

NOTE: Final = "layerdoit: "
"""The start of a line that a script inside a build prints for layerdoit, not for the user."""
_STEP = re.compile(r"\[[^\]]+\] RUN ")
# A transfer that takes long is said; a terminal is refreshed this often, in seconds.
REFRESH = 0.1
PLAIN_EVERY = 15.0


Progress: TypeAlias = tuple[str, str]
"""Progress in a line: what is counted ('' for a step without a count), and what is being worked on."""


def _nothing(_line: str) -> Progress | None:
    return None


def _never(_line: str) -> bool:
    return False


class Listener(NamedTuple):
    """How to read the output of a build.

    `progress`: reads progress from a line, or None; `aloud`: whether the lines after a note, up to the next note, are
    shown to the user as they come.
    """

    progress: Callable[[str], Progress | None] = _nothing
    aloud: Callable[[str], bool] = _never


@dataclass
class Report:
    """What a build reported. `errors`: buildx's own lines; `tail`: the last lines of the failing step.

    `notes`: the lines that scripts print for layerdoit, whole, each with the lines that were shown after it; `counted`:
    things that were worked on; `ran`: steps that were not in BuildKit's cache; `sent`: bytes that went to the builder;
    `export`: seconds in which the image was written, and loaded.
    """

    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    failed_step: str | None = None
    tail: list[str] = field(default_factory=list)
    counted: int = 0
    ran: int = 0
    sent: int = 0
    export: float = 0.0


class Display:
    """Live progress: one updating line on a terminal, plain lines elsewhere."""

    def __init__(self, layer: str, expected: int | None, stream: TextIO | None = None) -> None:
        self._layer = layer
        self._expected = expected
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._begun = time.monotonic()
        self._shown = 0.0
        self._width = 0

    def update(self, step: str, counted: int = 0, kind: str = "", name: str = "") -> None:
        """Show where the build is: how many things of a kind are done, or the step before the first one."""
        now = time.monotonic()
        if now - self._shown < (REFRESH if self._live else PLAIN_EVERY) and (self._live or counted or self._shown):
            return
        self._shown = now
        of = f"/{self._expected}" if self._expected and self._expected >= counted else ""
        where = f"{kind} {counted}{of} · {name}" if counted else step
        self._print(f"{self._layer}: {where} · {now - self._begun:.1f} s")

    def line(self, text: str) -> None:
        """Print a line that stays, such as a compiler's warning."""
        self.clear()
        print(text, file=self._stream, flush=True)

    def clear(self) -> None:
        """Remove the updating line."""
        if self._live and self._width:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
            self._width = 0

    def _print(self, text: str) -> None:
        if not self._live:
            print(text, file=self._stream, flush=True)
            return
        import shutil

        text = text[: max(20, shutil.get_terminal_size().columns - 1)]
        self._stream.write("\r\x1b[2K" + text)
        self._stream.flush()
        self._width = len(text)


class Reader:
    """Reads `--progress=rawjson`: collects a `Report`, feeds a display, and writes every line of output to a log.

    Secrets are masked here, after events have become text, because a masked event could not be parsed.
    """

    def __init__(self, display: Display, log: Callable[[str], None], listener: Listener | None = None) -> None:
        self.report = Report()
        self._display = display
        self._listener = listener or Listener()
        self._log = log
        self._names: dict[str, str] = {}
        self._tails: dict[str, list[str]] = {}
        self._partial: dict[str, str] = {}
        self._object: list[str] = []
        self._sent: dict[tuple[str, str], int] = {}
        self._exporting: tuple[str, str] | None = None
        self._step = "starting"
        self._counted = ("", "")
        self._aloud = False

    def feed(self, line: str) -> None:
        """Read one line of buildx's standard error."""
        # One event is one line, or, before buildx 0.14, an indented object over many.
        if self._object or line == "{":
            self._object.append(line)
            if line != "}":
                return
            line = "\n".join(self._object)
            self._object = []
        if not line.startswith("{"):
            if line.strip():
                self._error(line)
            return
        try:
            event = json.loads(line)
        except ValueError:
            self._error(line)
            return
        for vertex in event.get("vertexes") or ():
            self._vertex(vertex)
        for status in event.get("statuses") or ():
            self._status(status)
        for log in event.get("logs") or ():
            self._output(log["vertex"], base64.b64decode(log["data"]).decode(errors="replace"))
        self._display.update(self._step, self.report.counted, *self._counted)

    def _error(self, line: str) -> None:
        text = redact(line)
        self._log(text)
        self.report.errors.append(text.strip())

    def _vertex(self, vertex: dict[str, Any]) -> None:
        digest, name = vertex["digest"], redact(vertex.get("name", ""))
        if digest not in self._names:
            self._names[digest] = name
            self._log(f"# {name}")
        if vertex.get("started") and not vertex.get("completed"):
            self._step = _short(name)
        if vertex.get("cached"):
            self._log(f"# cached: {name}")
        elif vertex.get("completed") and vertex.get("started"):
            self._log(f"# done in {_seconds(vertex['started'], vertex['completed']):.2f} s: {name}")
            self.report.ran += bool(_STEP.match(name))
            if name.startswith(("exporting to ", "importing to ")):
                first = self._exporting[0] if self._exporting else vertex["started"]
                self._exporting = (min(first, vertex["started"]), vertex["completed"])
                self.report.export = _seconds(*self._exporting)
        if vertex.get("error"):
            self.report.failed_step = name
            self.report.tail = self._tails.get(digest, [])
            self._log(f"# failed: {name}: {redact(vertex['error'])}")

    def _status(self, status: dict[str, Any]) -> None:
        if status.get("started") and not status.get("completed"):
            self._step = _short(redact(str(status.get("id", ""))))
        if status.get("name") == "transferring":
            self._sent[status["vertex"], status["id"]] = int(status.get("current") or 0)
            self.report.sent = sum(self._sent.values())

    def _output(self, vertex: str, data: str) -> None:
        text = self._partial.pop(vertex, "") + data
        *lines, rest = text.split("\n")
        if rest:
            self._partial[vertex] = rest
        tail = self._tails.setdefault(vertex, [])
        for raw in lines:
            line = redact(raw.rstrip("\r"))
            self._log(line)
            if line.startswith(NOTE):
                self.report.notes.append(line)
                self._aloud = self._listener.aloud(line)
                continue
            tail.append(line)
            if progress := self._listener.progress(line):
                self._advance(*progress)
            elif self._aloud:
                self.report.notes.append(line)
                self._display.line(line)
        del tail[:-400]

    def _advance(self, kind: str, name: str) -> None:
        if kind:
            self.report.counted += 1
            self._counted = (kind, name)
        else:
            self._step = name


def _seconds(begun: str, ended: str) -> float:
    # Go prints up to nine digits of a second; Python reads six.
    def moment(text: str) -> datetime:
        return datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", text))

    return (moment(ended) - moment(begun)).total_seconds()


def _short(name: str) -> str:
    return re.sub(r"\s+", " ", name)[:70]
