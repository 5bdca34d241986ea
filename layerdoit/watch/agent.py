"""A container that does what it is asked (dockerfiles/workshop.sh): requests go in, answers and output come out.

It lives as long as this process speaks to it.
"""

from __future__ import annotations

import contextlib
import io
import queue
import secrets
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Final, NamedTuple

from layerdoit.core import masking, process
from layerdoit.core.conversation import Conversation, Ended
from layerdoit.core.errors import Cleared, LayerdoitError
from layerdoit.engine.api import endpoint
from layerdoit.engine.images import PREFIX

SECRETS: Final = "/run/secrets"
_BEGIN: Final = """read -r bytes SAYS; head -c "$bytes" | tar -x -C / && . /control/workshop.sh"""
_LEFT: Final = "what was compiled in it is compiled again in the next one"
_LOOK_AT: Final = "look at `docker info` and the engine's log"
_HELD: Final = "waiting for file lock"
"""What a cargo says that is held until the next edit."""
_HELP: Final = "docker run --help"
_STARTS: Final = 60.0
_ANSWERS: Final = 10.0
"""Seconds."""
_KEPT: Final = 2000
"""Bytes of what it printed last that explain its end."""


class Gone(LayerdoitError):
    """The container was stopped or removed, or its engine was."""

    next_step = _LEFT


class Answer(NamedTuple):
    """`word`: `done` with the exit code of what was asked for, or what else the script says; `words`: more of it."""

    word: str
    words: tuple[str, ...] = ()


_GONE: Final = Answer("gone")


class Replies:
    """Takes what the container prints apart: lines that begin with the mark are answers, all else is output."""

    def __init__(self, mark: str, output: Callable[[bytes], None], answered: Callable[[str], None]) -> None:
        self._start = b"\n" + mark.encode() + b" "
        self._output = output
        self._answered = answered
        self._rest = b""

    def feed(self, piece: bytes) -> None:
        """Take the next piece, wherever it was cut."""
        data = self._rest + piece
        while (at := data.find(self._start)) >= 0 and (end := data.find(b"\n", at + 1)) >= 0:
            if at:
                self._output(data[:at])
            self._answered(data[at + len(self._start) : end].decode(errors="replace"))
            data = data[end + 1 :]
        # What may be the beginning of an answer waits for the rest of it.
        at = data.find(self._start)
        if at < 0:
            last = data.rfind(b"\n", max(0, len(data) - len(self._start)))
            at = last if last >= 0 and self._start.startswith(data[last:]) else len(data)
        if at:
            self._output(data[:at])
        self._rest = data[at:]


class Request:
    """One request, and its answers as they come."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()

    def next(self, seconds: float) -> Answer | None:
        """The next answer; None when none came in time."""
        try:
            return self.answers.get(timeout=seconds) if seconds else self.answers.get_nowait()
        except queue.Empty:
            return None


class Agent:
    """The container."""

    def __init__(self, image: str, options: Sequence[str], files: Mapping[str, bytes]) -> None:
        """Start it, and wait until it listens. `options`: for `docker run`; `files`: by path, from the root."""
        self._requests: dict[str, Request] = {}
        self._numbers = count(1)
        self._output: Callable[[bytes], None] | None = None
        self._unheard: Exception | None = None
        self._said = b""
        mark = f"layerdoit-{secrets.token_hex(8)}"
        self._replies = Replies(mark, self._printed, self._answered)
        ready = self._requests[""] = Request("")
        self._conversation = Conversation(command(image, options), self._heard)
        packed = _packed(files)
        try:
            self._send(f"{len(packed)} {mark}\n".encode(), packed)
            started = self.answer(ready, _STARTS)
        except BaseException:
            self.close(1)
            raise
        if started is None:
            self.close(1)
            raise Gone(f"the workshop did not start within {_STARTS:g} s", hint=_LOOK_AT)

    @property
    def runs(self) -> bool:
        """Whether it may still answer."""
        return self._conversation.runs

    @contextlib.contextmanager
    def heard_by(self, output: Callable[[bytes], None]) -> Iterator[None]:
        """Have what it prints handed on, in another thread. Where that fails (a full disk), it is raised in the end."""
        self._output, self._unheard = output, None
        try:
            yield
        finally:
            self._output = None
        if self._unheard is not None:
            raise self._unheard

    def ask(self, verb: str, *words: str, body: Sequence[bytes] = ()) -> Request:
        """Send a request. Raises `Gone`."""
        request = Request(str(next(self._numbers)))
        self._requests[request.identity] = request
        self._send(" ".join((verb, request.identity, *words)).encode() + b"\n", *body)
        if not self.runs:
            # It ended before it could know of this request.
            request.answers.put(_GONE)
        return request

    def answer(self, request: Request, seconds: float) -> Answer | None:
        """The next answer to a request; None when none came in time. Raises `Gone` where none will come."""
        found = request.next(seconds)
        if found == _GONE:
            raise self._gone()
        return found

    def finish(self, request: Request) -> None:
        """Wait until a short request is done. LayerdoitError where it fails."""
        answer = self.answer(request, _ANSWERS)
        if answer is None or answer.words != ("0",):
            raise LayerdoitError(f"the workshop does not do what it is asked: {self.words()}", hint=_LOOK_AT)

    def drop(self, request: Request) -> None:
        """Nobody waits for an answer any more."""
        self._requests.pop(request.identity, None)

    def close(self, seconds: float) -> None:
        """End it; the engine removes the container."""
        self._conversation.close(seconds)

    def _send(self, *parts: bytes) -> None:
        try:
            self._conversation.send(*parts)
        except Ended as error:
            raise self._gone() from error

    def _gone(self) -> LayerdoitError:
        from layerdoit.engine import buildx, sdk

        said = self._conversation.said
        lines = [line for line in (*said.splitlines(), *self.words().splitlines()) if line and _HELP not in line]
        if "No such image" in said:
            return Cleared("the deps image was removed before the workshop was made from it")
        if "Cannot connect to the Docker daemon" in said or "error during connect" in said:
            return sdk.unreachable(endpoint(), ConnectionError())
        if full := buildx.disk_full("workshop", lines):
            return full
        why = "\n".join(lines) or "its container was stopped or removed"
        return Gone(f"the workshop has ended: {why}")

    def words(self) -> str:
        """What it said last, beside answers."""
        lines = masking.redact(process.as_text(self._said)).splitlines()
        return "\n".join(line for line in lines if _HELD not in line).strip()

    def _heard(self, piece: bytes) -> None:
        if piece:
            self._replies.feed(piece)
            return
        for request in list(self._requests.values()):
            request.answers.put(_GONE)

    def _printed(self, piece: bytes) -> None:
        if (output := self._output) is not None:
            try:
                output(piece)
            except Exception as error:  # noqa: BLE001 - answers have to be heard all the same
                self._output, self._unheard = None, error
        else:
            self._said = (self._said + piece)[-_KEPT:]

    def _answered(self, line: str) -> None:
        word, *words = line.split()
        identity, *rest = words or [""]
        request = self._requests.get(identity)
        if request is None:
            return
        if word in ("done", "ready"):
            self._requests.pop(identity, None)
        request.answers.put(Answer(word, tuple(rest)))


def command(image: str, options: Sequence[str]) -> list[str]:
    """`docker run` for a container that speaks and listens, and is removed when it ends."""
    words = ["docker", "run", "--rm", "--interactive", "--network", "none", "--log-driver", "none", "--pull", "never"]
    # As in a build; and who stops it by hand does not wait for a shell that hears no signal.
    words += ["--hostname", "buildkitsandbox", "--stop-signal", "KILL", *options]
    # What is secret is on no disk.
    words += ["--tmpfs", SECRETS]
    return [*words, "--entrypoint", "sh", image, "-c", f"{{ {_BEGIN}; }} 2>&1"]


def options(labels: Mapping[str, str], volumes: Mapping[str, str]) -> list[str]:
    """For `docker run`. `labels`: without our prefix; `volumes`: name -> place."""
    words = [word for name, value in labels.items() for word in ("--label", f"{PREFIX}{name}={value}")]
    return words + [word for name, place in volumes.items() for word in ("--volume", f"{name}:{place}")]


def _packed(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    return packed.getvalue()
