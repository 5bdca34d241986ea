"""The one gate for processes: run them, read their output, end them on an interrupt.

A child runs in a session of its own, so that Ctrl-C reaches only this process, which then ends the child's whole
process group: interrupt, terminate, kill. The signal handlers only post to a queue that the waiting loop reads: no
exception can strike between starting a child and having it under control.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from layerdoit.core import ladder
from layerdoit.core.command_errors import CommandFailed, Stopped, missing, not_started, took_too_long
from layerdoit.core.errors import Interrupted
from layerdoit.core.ladder import GRACES, GROUP_GRACE, Graces
from layerdoit.core.masking import redact, shown
from layerdoit.core.signals import Events, ended_at_exit, next_event, posted_to

if TYPE_CHECKING:
    from layerdoit.core.ending import Ending

DRAIN_GRACE: Final = 2.0
"""Seconds of silence after a child's exit, until we stop reading output that a leftover process holds open."""

_PIPE: Final = 1 << 20
"""Bytes that a command may write before anybody reads them; the most that a user may have."""

OnLine = Callable[[str, str], None]
"""Called with the stream's name ("stdout" or "stderr") and one line without its end."""


class Completed(NamedTuple):
    code: int
    stdout: str
    stderr: str


# --- the four ways to run --------------------------------------------------------------------------------------------


def capture_quick(
    argv: Sequence[str], cwd: str | Path | None = None, fed: bytes | None = None, seconds: float | None = None
) -> bytes:
    """Return the standard output of a short command. A no-op runs this, so it imports only the standard library.

    `fed`: what it reads. Raises `TookTooLong` when it does not end within `seconds`, after ending it.
    """
    given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if fed is None else {"input": fed}
    try:
        done: subprocess.CompletedProcess[bytes]
        done = subprocess.run(list(argv), cwd=cwd, capture_output=True, check=False, timeout=seconds, **given)
    except KeyboardInterrupt:
        raise Interrupted(signal.SIGINT) from None
    except subprocess.TimeoutExpired as error:
        raise took_too_long(argv, error.timeout) from error
    except OSError as error:
        raise not_started(argv, cwd, error) from error
    if done.returncode != 0:
        raise CommandFailed(argv, done.returncode, as_text(done.stdout), as_text(done.stderr))
    return done.stdout


class Begun:
    """The same command, running while something else is done. `result` is asked for once, or it is dropped.

    OSError where it cannot be started. `fed`: a few thousand bytes at most, which nobody waits to be read.
    """

    def __init__(self, argv: Sequence[str], cwd: str | Path, fed: bytes = b"") -> None:
        self._argv = argv
        program, *words = argv
        # git goes there by itself: a process without a folder of its own starts in a third of the time.
        there = ["-C", str(cwd)] if program == "git" else []
        given = subprocess.PIPE if fed else subprocess.DEVNULL
        self._child: subprocess.Popen[bytes] = subprocess.Popen(
            [_found(program), *there, *words],
            cwd=None if there else cwd,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            close_fds=False,
            pipesize=_PIPE,
        )
        if self._child.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self._child.stdin as pipe:
                pipe.write(fed)
            self._child.stdin = None
        # Who needs no answer any more may be gone itself.
        self._end = weakref.finalize(self, _dropped, self._child)

    def result(self) -> bytes:
        """Its standard output, when it has ended. CommandFailed."""
        stdout, stderr = self._child.communicate()
        self._end.detach()
        if self._child.returncode != 0:
            raise CommandFailed(self._argv, self._child.returncode, as_text(stdout), as_text(stderr))
        return stdout

    def drop(self) -> None:
        """End it: nobody needs what it says."""
        self._end()


def capture(
    argv: Sequence[str],
    *,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    input: str | bytes | None = None,  # noqa: A002 - as subprocess calls it
    seconds: float | None = None,
) -> Completed:
    """Run to the end and return all output. `env` is added to the current environment.

    Raises `TookTooLong` when the command does not end within `seconds`, after ending it.
    """
    fed = input.encode() if isinstance(input, str) else input
    parts: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
    graces = GRACES if seconds is None else Graces(GROUP_GRACE, GROUP_GRACE)
    code = _run(argv, cwd, env, lambda name, data: parts[name].append(data), fed=fed, graces=graces, seconds=seconds)
    result = Completed(code, as_text(b"".join(parts["stdout"])), as_text(b"".join(parts["stderr"])))
    if check and code != 0:
        raise CommandFailed(argv, code, result.stdout, result.stderr)
    return result


def stream(
    argv: Sequence[str],
    *,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    on_line: OnLine,
    graces: Graces = GRACES,
    masked: bool = True,
    fed: bytes | None = None,
    ending: Ending | None = None,
) -> int:
    """Run, calling `on_line` in this thread for each line; return the exit code.

    With `masked=False` the caller masks secrets, because it has to decode the lines first. `fed`: what it reads;
    `ending`: lets another thread end it, which raises `Stopped`.
    """

    def deliver(name: str, data: bytes) -> None:
        text = as_text(data).rstrip("\r\n")
        on_line(name, redact(text) if masked else text)

    return _run(argv, cwd, env, deliver, fed=fed, graces=graces, ending=ending)


def interactive(argv: Sequence[str]) -> int:
    """Run on the user's terminal and return the exit code. Meanwhile, Ctrl-C goes to the child."""
    events: Events = queue.SimpleQueue()
    with posted_to(events) as caught:
        child = spawn(argv, None, None, stdin=None, stdout=None, stderr=None)
        threading.Thread(target=_reap, args=(child, events), daemon=True).start()
        while True:
            event = next_event(events)
            if event[0] == "exit":
                break
            if event[1] != signal.SIGINT:
                ladder.end(child, events, Graces(interrupt=0.0), send=child.send_signal)
                break
    ended_by = [signum for signum in caught if signum != signal.SIGINT]
    if ended_by:
        raise Interrupted(ended_by[0])
    return int(child.returncode)


# --- inside ----------------------------------------------------------------------------------------------------------

_environment_lock = threading.Lock()


def _dropped(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate()


def _found(program: str) -> str:
    import shutil

    return shutil.which(program) or program


def as_text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")


def spawn(argv: Sequence[str], cwd: str | Path | None, env: Mapping[str, str] | None, **how: Any) -> Any:
    """Start a child through plumbum, which returns a proxy of `subprocess.Popen`."""
    import shutil

    from plumbum import local

    words = [str(word) for word in argv]
    program = shutil.which(words[0], path={**os.environ, **(env or {})}.get("PATH"))
    if program is None:
        raise missing(words[0])
    try:
        # plumbum copied the environment when it was imported, and adds that copy to every child's.
        with _environment_lock:
            local.env.clear()
            local.env.update(os.environ)
            command = local[os.path.abspath(program)]
            return command.popen(words[1:], cwd=None if cwd is None else str(cwd), env=dict(env or {}), **how)
    except OSError as error:
        raise not_started(argv, cwd, error) from error


def _run(
    argv: Sequence[str],
    cwd: str | Path | None,
    env: Mapping[str, str] | None,
    deliver: Callable[[str, bytes], None],
    *,
    fed: bytes | None = None,
    graces: Graces = GRACES,
    seconds: float | None = None,
    ending: Ending | None = None,
) -> int:
    events: Events = queue.SimpleQueue()
    stdin = subprocess.DEVNULL if fed is None else subprocess.PIPE
    with posted_to(events) as caught, ended_at_exit(events):
        child = spawn(argv, cwd, env, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, new_session=True)
        try:
            _start_threads(child, events, fed)
            heard = ending.of(events) if ending is not None else contextlib.nullcontext()
            with _late(events, seconds) as late, heard, _others_run():
                interrupted = _pump(events, deliver)
            if interrupted:
                ladder.wait(graces, events, deliver)
        except BaseException:
            ladder.end(child, events, graces)
            raise
        if interrupted:
            ladder.end(child, events, graces)
    if late.is_set() and interrupted and not caught:
        raise took_too_long(argv, seconds)
    if ending is not None and ending.asked and interrupted and not caught:
        raise Stopped(f"`{shown(argv)}` was ended")
    if caught or interrupted:
        raise Interrupted(caught[0] if caught else signal.SIGINT)
    return int(child.returncode)


def _others_run() -> contextlib.AbstractContextManager[None]:
    """Only where there are several jobs, their module was imported."""
    module = sys.modules.get("layerdoit.core.side_by_side")
    return contextlib.nullcontext() if module is None else module.others_run()


@contextlib.contextmanager
def _late(events: Events, seconds: float | None) -> Iterator[threading.Event]:
    """Post an interrupt after `seconds`; the event is set when it came from this timer and not from the user."""
    late = threading.Event()

    def expire() -> None:
        late.set()
        events.put(("signal", signal.SIGALRM))

    timer = threading.Timer(seconds, expire) if seconds is not None else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        yield late
    finally:
        if timer is not None:
            timer.cancel()


def _start_threads(child: Any, events: Events, fed: bytes | None) -> None:
    jobs: list[tuple[Callable[..., None], tuple[Any, ...]]] = [
        (_read, (own_pipe(child.stdout, "rb"), "stdout", events)),
        (_read, (own_pipe(child.stderr, "rb"), "stderr", events)),
        (_reap, (child, events)),
    ]
    if fed is not None:
        jobs.append((_feed, (own_pipe(child.stdin, "wb"), fed)))
    for target, args in jobs:
        threading.Thread(target=target, args=args, daemon=True).start()


def own_pipe(pipe: IO[bytes], mode: str) -> IO[Any]:
    # plumbum closes the pipes when its proxy is collected, which blocks while a thread still reads from one.
    with pipe:
        return open(os.dup(pipe.fileno()), mode)


def _read(pipe: IO[bytes], name: str, events: Events) -> None:
    with pipe:
        for line in iter(pipe.readline, b""):
            events.put(("data", name, line))
    events.put(("eof", name))


def _feed(pipe: IO[bytes], data: bytes) -> None:
    # The child may end, or close its input, before it has read everything; its exit code tells.
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(data)


def _reap(child: Any, events: Events) -> None:
    child.wait()
    events.put(("exit",))


def _pump(events: Events, deliver: Callable[[str, bytes], None]) -> bool:
    """Deliver output until the child has ended and its output is complete; True as soon as a signal came."""
    open_streams, ended = 2, False
    while open_streams or not ended:
        try:
            event = events.get(timeout=DRAIN_GRACE) if ended else next_event(events)
        except queue.Empty:
            return False
        if event[0] == "data":
            deliver(event[1], event[2])
        elif event[0] == "eof":
            open_streams -= 1
        elif event[0] == "exit":
            ended = True
        else:
            return True
    return False
