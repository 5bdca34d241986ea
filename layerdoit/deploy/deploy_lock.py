"""One deployment of an environment at a time, on this machine: a lock that says who has it, and since when.

The kernel releases it when the process ends, even when killed, so that nobody ever has to break it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from layerdoit.core import user_folder
from layerdoit.core.console import warn
from layerdoit.core.units import age_text

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings


def who() -> str:
    """The user and the machine."""
    import getpass
    import socket

    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


@contextlib.contextmanager
def held(settings: DeploySettings) -> Iterator[None]:
    """Hold the lock of a deployment; while another process has it, say who, and wait."""
    with _opened(settings) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            warn(f"waiting: {_words(file, settings)}")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(f"{os.getpid()} {int(time.time())} {who()}")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def holder(settings: DeploySettings) -> str | None:
    """Who has the lock, in a sentence; None where nobody has."""
    with _opened(settings) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _words(file, settings)
    return None


def _words(file: IO[str], settings: DeploySettings) -> str:
    file.seek(0)
    pid, _, rest = file.read().partition(" ")
    since, _, name = rest.partition(" ")
    ago = f", begun {age_text(time.time() - int(since))} ago" if since.isdigit() else ""
    return f"{name or 'another process'} deploys {settings.name} (process {pid or '?'}{ago})"


def _opened(settings: DeploySettings) -> IO[str]:
    folder = user_folder.state() / "locks"
    folder.mkdir(exist_ok=True, mode=0o700)
    return (folder / f"{settings.project}-{settings.name}").open("a+", encoding="utf-8")
