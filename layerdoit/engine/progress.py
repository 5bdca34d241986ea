"""Read buildx's progress events: what is being done now, and what a build reported in the end."""

from __future__ import annotations

import base64
import codecs
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from layerdoit.core import console, doing
from layerdoit.core.doing import Doing, transferred
from layerdoit.core.masking import redact
from layerdoit.core.terminal import plain
from layerdoit.engine import step_words
from layerdoit.engine.commands_begun import Commands

NOTE: Final = "layerdoit: "
"""The start of a line that a script inside a build prints for layerdoit, not for the user."""
_STEP = re.compile(r"\[[^\]]+\] RUN ")
_DECODER: Final = codecs.getincrementaldecoder("utf-8")

Source = tuple[str, int]
"""A step, and which of its two outputs."""


class Follower(Protocol):
    """Reads what a tool prints while it works."""

    def read(self, line: str) -> Doing | None:
        """What is being done, by a line; None for a line that is no progress."""

    def bar(self, text: str) -> Doing | None:
        """The same of text that the tool paints over; None for other text."""


class _Nobody:
    def read(self, _line: str) -> Doing | None:
        return None

    def bar(self, _text: str) -> Doing | None:
        return None


def _follow_nothing(_expected: int | None) -> Follower:
    return _Nobody()


def _never(_line: str) -> bool:
    return False


class Keeper(Protocol):
    """Keeps lines of a step that are told at its end."""

    def read(self, line: str) -> None:
        """A line that the step prints, and that is not shown as it comes."""

    def before(self, note: str) -> Iterable[str]:
        """What it has of a step that now prints a note: it comes to the notes of the report, before that one."""


class _KeepsNothing:
    def read(self, _line: str) -> None:
        return

    def before(self, _note: str) -> Iterable[str]:
        return ()


class Listener(NamedTuple):
    """How to read the output of a build.

    `follow`: a reader of its progress, by how many things will be worked on; `aloud`: whether the lines after a note,
    up to the next note, are shown to the user as they come; `placed`: makes paths of such a line the user's; `keeper`:
    makes one for each step.
    """

    follow: Callable[[int | None], Follower] = _follow_nothing
    aloud: Callable[[str], bool] = _never
    placed: Callable[[str], str] = str
    keeper: Callable[[], Keeper] = _KeepsNothing


@dataclass
class Report:
    """What a build reported. `errors`: buildx's own lines; `tail`: the last lines of the failing step.

    `notes`: the lines that scripts print for layerdoit, whole, each with the lines that were shown after it, and before
    it those that were kept for it; `ran`: steps that were not in BuildKit's cache; `sent`: bytes that went to the
    builder; `export`: seconds in which the image was written, and loaded.
    """

    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    failed_step: str | None = None
    tail: list[str] = field(default_factory=list)
    ran: int = 0
    sent: int = 0
    export: float = 0.0


class Reader:
    """Reads `--progress=rawjson`: collects a `Report`, tells what is done, and writes every line of output to a log.

    Secrets are masked here, after events have become text, because a masked event could not be parsed. `expected`: how
    many things the listener will count, if that is known; `told`: who hears what is done.
    """

    def __init__(
        self,
        log: Callable[[str], None],
        listener: Listener | None = None,
        expected: int | None = None,
        told: Callable[[Doing], None] = doing.tell,
    ) -> None:
        self.report = Report()
        self.commands = Commands()
        self._listener = listener or Listener()
        self._follower = self._listener.follow(expected)
        self._packages = step_words.Packages()
        self._log = log
        self._names: dict[str, str] = {}
        self._tails: dict[str, list[str]] = {}
        self._keepers: dict[str, Keeper] = {}
        self._decoders: dict[Source, codecs.IncrementalDecoder] = {}
        self._partial: dict[Source, str] = {}
        self._object: list[str] = []
        self._sent: dict[tuple[str, str], int] = {}
        self._exporting: tuple[str, str] | None = None
        self._running: dict[str, str] = {}
        self._transfers: dict[str, dict[str, tuple[int, int]]] = {}
        self._told: Doing | None = None
        self._told_to = told
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
            self.hear((log["vertex"], int(log.get("stream") or 0)), base64.b64decode(log["data"]))

    def _error(self, line: str) -> None:
        text = redact(line)
        self._log(text)
        self.report.errors.append(text.strip())

    def _vertex(self, vertex: dict[str, Any]) -> None:
        digest, name = vertex["digest"], redact(vertex.get("name", ""))
        if digest not in self._names:
            self._names[digest] = name
            self._log(f"# {name}")
        is_running = bool(vertex.get("started") and not vertex.get("completed"))
        if _STEP.match(name):
            self.commands.follow(digest, is_running=is_running, has_ended=bool(vertex.get("completed")))
        self._follow_step(digest, name, is_running=is_running)
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
            # What it said may come in the same event, or later.
            self.report.tail = self.tail(digest)
            self._log(f"# failed: {name}: {redact(vertex['error'])}")

    def _follow_step(self, digest: str, name: str, *, is_running: bool) -> None:
        """Steps run side by side: the one that began last is told, and when it ends the one before."""
        words = step_words.words(plain(name))
        if is_running and words and digest not in self._running:
            self._running[digest] = words
            self._tell(Doing((self.commands.is_silent(digest) and step_words.waits(name)) or words))
        elif not is_running and self._running.pop(digest, None) is not None and self._running:
            self._tell(Doing(list(self._running.values())[-1]))

    def _tell(self, now: Doing) -> None:
        if now != self._told:
            self._told = now
            self._told_to(now)

    def _status(self, status: dict[str, Any]) -> None:
        current, total = int(status.get("current") or 0), int(status.get("total") or 0)
        if status.get("name") == "transferring":
            self._sent[status["vertex"], status["id"]] = current
            self.report.sent = sum(self._sent.values())
        # A part of a step has its own words; what it lacks in words, its step has.
        part = redact(str(status.get("id", "")))
        words = step_words.words(part) or self._running.get(status["vertex"], "")
        if not words or not status.get("started"):
            return
        transfer = self._transfers.setdefault(words, {})
        if current:
            transfer[part] = (current, total)
        if not status.get("completed"):
            self._tell(transferred(words, transfer.values()))

    def tail(self, digest: str) -> list[str]:
        """The last lines of a step, without notes."""
        return self._tails.setdefault(digest, [])

    def hear(self, source: Source, data: bytes) -> None:
        """Read what a step prints."""
        step = source[0]
        if self.commands.is_silent(step) and step in self._running:
            self._tell(Doing(self._running[step]))
        self.commands.printed(step)
        # It comes in pieces: neither a line nor a letter need end where one of them does.
        decoder = self._decoders.setdefault(source, _DECODER("replace"))
        text = (self._partial.pop(source, "") + decoder.decode(data)).replace("\r\n", "\n")
        # What a tool paints over ends with \r, and may stand before a line.
        *pieces, rest = re.split(r"([\r\n])", text)
        if rest:
            self._partial[source] = rest
        tail = self.tail(step)
        keeper = self._keepers.get(step)
        if keeper is None:
            keeper = self._keepers[step] = self._listener.keeper()
        for raw, end in zip(pieces[::2], pieces[1::2], strict=True):
            line = redact(raw).rstrip()
            if end == "\r" and (now := self._follower.bar(plain(line))):
                self._tell(now)
            elif line or end == "\n":
                self._line(line, tail, keeper)
        del tail[:-400]

    def _line(self, line: str, tail: list[str], keeper: Keeper) -> None:
        self._log(line)
        if line.startswith(NOTE):
            self.report.notes += [*keeper.before(line), line]
            self._aloud = self._listener.aloud(line)
            return
        tail.append(line)
        text = plain(line)
        if not self._aloud:
            keeper.read(text)
        if now := self._follower.read(text) or self._packages.read(text):
            self._tell(now)
        elif self._aloud:
            self.report.notes.append(line)
            console.aside(self._listener.placed(line))


def _seconds(begun: str, ended: str) -> float:
    # Go prints up to nine digits of a second; Python reads six.
    def moment(text: str) -> datetime:
        return datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", text))

    return (moment(ended) - moment(begun)).total_seconds()
