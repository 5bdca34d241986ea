"""Atomic file writes, JSON files, exclusive locks, and folders that git ignores."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any


def temporary(path: str | Path) -> str:
    """A temporary name beside `path`, unique to this process and thread."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.{os.getpid()}.{threading.get_ident()}")


def write(path: str | Path, content: str | bytes, *, mode: int | None = None, stamp: int | None = None) -> None:
    """Write a file atomically. `mode`: its permissions; `stamp`: its modification time, in ns."""
    data = content.encode() if isinstance(content, str) else content
    part = temporary(path)
    try:
        with open(part, "wb") as stream:
            stream.write(data)
        if mode is not None:
            os.chmod(part, mode)
        if stamp is not None:
            os.utime(part, ns=(stamp, stamp))
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def write_if_changed(path: Path, content: bytes) -> None:
    """Write a file, and create its folders, unless it already has that content."""
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file; empty when the file is missing, broken or holds another type."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Replace a file atomically with a JSON object."""
    write(path, json.dumps(values, indent=1))


def make_ignored(folder: Path) -> None:
    """Create a folder that git ignores, unless it already has its `.gitignore`."""
    ignore = folder / ".gitignore"
    if not ignore.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write(ignore, "*\n")


@contextlib.contextmanager
def locked(path: Path, on_wait: Callable[[], None] | None = None, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock on a file. The kernel releases it when the process ends, even when killed.

    `on_wait`: called once where another process holds it; `shared`: with others that do not want it for themselves.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with path.open("a") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            from layerdoit.core.side_by_side import others_run

            if on_wait is not None:
                on_wait()
            # Who holds it may be another job of this process, which needs its turn to let it go.
            with others_run():
                fcntl.flock(file, kind)
        yield


def machine_lock(name: str) -> contextlib.AbstractContextManager[None]:
    """A lock shared by all checkouts of this user on this machine."""
    folder = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return locked(Path(folder) / f"layerdoit-{os.getuid()}-{name}.lock")
