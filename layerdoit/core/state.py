"""The state folder `.layerdoit/`: lock, logs, last keys, staged build contexts. Deleting it costs only time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

from layerdoit.core.console import warn
from layerdoit.core.errors import LayerdoitError

FOLDER = ".layerdoit"
KEPT_LOGS = 30
# Seconds that a build which a killed run left behind has to end.
ORPHAN_GRACE = 10.0


def open_state(root: Path) -> Path:
    """The state folder of a project, made if it is not there; git does not see it."""
    folder = root / FOLDER
    ignore = folder / ".gitignore"
    if not ignore.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write(ignore, "*\n")
        except OSError as error:
            raise LayerdoitError(
                f"cannot write the state folder {folder}: {error.strerror}", hint="make the project folder writable"
            ) from error
    return folder


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def read_json(path: Path) -> dict[str, str]:
    """A JSON object of strings; empty when the file is missing or broken."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def remember(folder: Path, variant: str, keys: Mapping[str, str]) -> None:
    """Note the keys that this checkout built or found last, by layer, for "image was removed"."""
    path = folder / "last.json"
    old = read_json(path)
    new = {**old, **{f"{variant} {layer}": key for layer, key in keys.items()}}
    if new != old:
        write(path, json.dumps(new, indent=1, sort_keys=True))


def remembered(folder: Path, variant: str) -> dict[str, str]:
    """What `remember` noted for a variant."""
    prefix = f"{variant} "
    noted = read_json(folder / "last.json")
    return {name.removeprefix(prefix): key for name, key in noted.items() if name.startswith(prefix)}


def asked_last(folder: Path, key: str, branch: str) -> bool:
    """Whether `note_asked` noted last that this branch asked for the app image of that key."""
    return read_json(folder / "asked.json") == {key: branch}


def note_asked(folder: Path, key: str, branch: str) -> None:
    """Note which branch asked last for an app image, and for which."""
    write(folder / "asked.json", json.dumps({key: branch}))


@contextlib.contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """One build at a time in a checkout; the value says whether it had to be waited for. The kernel releases it.

    BlockingIOError where it would have to be waited for, and must not.
    """
    waited = False
    with open(folder / "lock", "a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise
            stream.seek(0)
            owner = stream.read().strip() or "?"
            warn(f"waiting for another run in this checkout (process {owner})")
            fcntl.flock(stream, fcntl.LOCK_EX)
            waited = True
        stream.seek(0)
        if stream.read().strip():
            _end_orphans(folder)
        stream.seek(0)
        stream.truncate()
        stream.write(str(os.getpid()))
        stream.flush()
        try:
            yield waited
        finally:
            stream.seek(0)
            stream.truncate()


@contextlib.contextmanager
def machine_lock(name: str) -> Iterator[None]:
    """One at a time on this machine, across checkouts; the kernel lets go when the process ends, however it ends."""
    folder = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    with (Path(folder) / f"layerdoit-{os.getuid()}-{name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cleared(folder: Path) -> frozenset[str]:
    """Layers that were cleared and not built since."""
    return frozenset(read_json(folder / "cleared.json"))


def mark_cleared(folder: Path, layers: Iterable[str] = (), *, done: Iterable[str] = ()) -> None:
    """Note layers as cleared, and others as built again."""
    old = cleared(folder)
    new = (old | set(layers)) - set(done)
    if new != old:
        write(folder / "cleared.json", json.dumps(dict.fromkeys(sorted(new), "")))


def linked(folder: Path) -> list[str]:
    """The binaries that builds in this checkout linked, the last ones last."""
    return list(read_json(folder / "linked.json"))


def mark_linked(folder: Path, names: Iterable[str]) -> None:
    """Note the order that `linked` gives."""
    new = dict.fromkeys(names, "")
    if list(new) != linked(folder):
        write(folder / "linked.json", json.dumps(new))


def _end_orphans(folder: Path) -> None:
    """A run that was killed could not end its child, which holds the target folder until its step is over."""
    deadline = time.monotonic() + ORPHAN_GRACE
    orphans = _builds_in(folder)
    for pid in orphans:
        warn(f"ending a build that a killed run left behind (process {pid})")
        _signal(pid, signal.SIGINT)
    while orphans:
        time.sleep(0.02)
        orphans = _builds_in(folder)
        if time.monotonic() > deadline:
            for pid in orphans:
                _signal(pid, signal.SIGKILL)
            return


def _builds_in(folder: Path) -> list[int]:
    """Processes `docker-buildx build … <folder>/context/…`: only runs of this checkout start them, one at a time."""
    context = os.fsencode(folder / "context") + b"/"
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().rstrip(b"\0").split(b"\0")
            if words[-1].startswith(context) and b"build" in words and any(w.endswith(b"buildx") for w in words[:2]):
                found.append(int(path.parent.name))
    return found


def _signal(pid: int, signum: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signum)


def open_log(folder: Path, layer: str) -> TextIO:
    """A new log file for one build; the oldest beyond `KEPT_LOGS` go."""
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    for old in sorted(logs.glob("*.log"))[:-KEPT_LOGS]:
        with contextlib.suppress(OSError):
            old.unlink()
    stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    more, number = "", 1
    while True:
        with contextlib.suppress(FileExistsError):
            return open(logs / f"{stamp}{more}-{layer}.log", "x", encoding="utf-8", buffering=1)
        # Two builds of one process may begin in the same second.
        number += 1
        more = f".{number}"
