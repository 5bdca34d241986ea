"""A child that is spoken to while it runs: its input stays open, and its output comes as it is printed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, Final

from layerdoit.core import masking, process
from layerdoit.core.errors import ProcessError
from layerdoit.core.ladder import GROUP_GRACE

_PIECE: Final = 1 << 16
_POLITE: Final = 0.8
"""The share of the time that a child has to end by itself."""
_SAID: Final = 1 << 14
"""Bytes of what it printed last on its standard error that are kept."""


class Ended(ProcessError):
    """The child does not listen any more."""


class Conversation:
    """A child with open pipes, in a session of its own: Ctrl-C does not reach it.

    `heard`: called in a thread of its own with each piece of its standard output, in the end with b"". The child reads
    the end of its input when this process ends, however that comes about.
    """

    def __init__(self, argv: Sequence[str], heard: Callable[[bytes], None]) -> None:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        self._child = process.spawn(argv, None, None, **pipes, new_session=True)
        self._argv = argv
        self._input = process.own_pipe(self._child.stdin, "wb")
        self._said = b""
        self._speaking = threading.Lock()
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=job, args=(process.own_pipe(pipe, "rb"), *more), daemon=True)
            for job, pipe, *more in ((self._hear, self._child.stdout, heard), (self._keep, self._child.stderr))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def runs(self) -> bool:
        """Whether it may still answer."""
        return not self._over.is_set()

    @property
    def said(self) -> str:
        """The end of what it printed on its standard error, without secrets."""
        return masking.redact(process.as_text(self._said)).strip()

    def send(self, *parts: bytes) -> None:
        """Write to its input. Raises `Ended` where it does not read any more."""
        try:
            with self._speaking:
                for part in parts:
                    self._input.write(part)
                self._input.flush()
        except (OSError, ValueError) as error:
            raise Ended(f"`{masking.shown(self._argv)}` ended: {self.said or 'it said nothing'}") from error

    def close(self, seconds: float) -> None:
        """End its input; after most of those seconds, terminate it, after all, kill it. No error where it has ended."""
        with contextlib.suppress(OSError, ValueError):
            self._input.close()
        begun = time.monotonic()
        for share, signum in ((_POLITE, signal.SIGTERM), (1.0, signal.SIGKILL)):
            if self._over.wait(max(0.0, begun + share * seconds - time.monotonic())):
                break
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signum)
        self._child.wait()

    def _hear(self, pipe: IO[bytes], heard: Callable[[bytes], None]) -> None:
        with pipe:
            while piece := os.read(pipe.fileno(), _PIECE):
                heard(piece)
        # What it says last on the other one explains the end.
        self._threads[1].join(GROUP_GRACE)
        self._child.wait()
        self._over.set()
        heard(b"")

    def _keep(self, pipe: IO[bytes]) -> None:
        with pipe:
            while piece := os.read(pipe.fileno(), _PIECE):
                self._said = (self._said + piece)[-_SAID:]
