"""Programs that run beside a benchmark until it ends them."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from layerdoit.core.errors import LayerdoitError

_END: Final = 20.0
"""Seconds that a program has to end."""
_TOLD: Final = 1500


class Running:
    """A program beside the benchmark; what it says goes to a file."""

    def __init__(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path) -> None:
        self.argv, self.log = argv, log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                argv,
                cwd=cwd,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def failed(self) -> str:
        """Why it does not go on as it should; ''."""
        code = self.process.poll()
        return "" if code in (None, 0) else self._told(f"ended with exit code {code}")

    def ended(self) -> str:
        """Why there is nothing to wait for; '' while it runs."""
        return "" if self.process.poll() is None else self._told("has ended")

    def until(self, said: str, failed: str) -> None:
        """Wait until it says something. LayerdoitError where it ends, or says that it has failed."""
        while said not in (text := self.log.read_text(errors="replace")):
            if failed in text or self.ended():
                raise LayerdoitError(self.ended() or self._told("fails"))
            time.sleep(0.1)

    def _told(self, what: str) -> str:
        return f"`{shlex.join(self.argv)[:80]}` {what}: {self.log.read_text(errors='replace')[-_TOLD:]}"

    def end_by_itself(self) -> None:
        """Wait until it has ended."""
        self.process.wait(_END * 3)

    def end(self) -> None:
        """Interrupt it, then end it and all that it started."""
        for signum, patience in ((signal.SIGINT, _END), (signal.SIGTERM, _END), (signal.SIGKILL, _END)):
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                # Its group may outlive it.
                os.killpg(self.process.pid, signum)
                self.process.wait(patience)
                if signum != signal.SIGINT:
                    return
        self.process.wait(_END)
