"""The state folder `.layerdoit/`: lock, logs, last keys, staged build contexts. Deleting it costs only time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TextIO

from layerdoit.core import files
from layerdoit.core.console import warn
from layerdoit.core.errors import LayerdoitError
from layerdoit.core.frozen import Frozen

FOLDER: Final = ".layerdoit"
KEPT_LOGS: Final = 30
# Seconds that a build which a killed run left behind has to end.
ORPHAN_GRACE: Final = 10.0

# Notes: files that hold one JSON object of strings.
_LAST: Final = "last.json"
_BEFORE: Final = "before.json"
_NOW, _THEN = "now", "then"
_ASKED: Final = "asked.json"
_KEPT_ASKED: Final = 30
_PUSHED: Final = "pushed.json"
_CLEARED: Final = "cleared.json"
_LINKED: Final = "linked.json"
_UNSHARED: Final = "unshared.json"
_SHARED: Final = "shared.json"
_KEPT_SHARED: Final = 200


class State(Frozen):
    """The state folder of one checkout. `state / name` is a path in it."""

    folder: Path

    @classmethod
    def open(cls, root: Path) -> State:
        """The state folder of a project; created, and ignored by git, if it is missing."""
        folder = root / FOLDER
        try:
            files.make_ignored(folder)
        except OSError as error:
            raise LayerdoitError(
                f"cannot write the state folder {folder}: {error.strerror}", hint=_remedy(folder, error)
            ) from error
        return cls(folder)

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    # --- notes -------------------------------------------------------------------------------------------------------

    def note(self, name: str) -> dict[str, str]:
        """Read a note; empty when it is missing or broken."""
        return {key: str(value) for key, value in files.read_json(self / name).items()}

    def keep_note(self, name: str, values: Mapping[str, str]) -> None:
        """Replace a note atomically. Nothing is written if it already says the same in the same order."""
        if list(values.items()) != list(self.note(name).items()):
            files.write_json(self / name, values)

    def change_note(self, name: str, change: Callable[[dict[str, str]], Mapping[str, str]]) -> None:
        """Replace a note by what `change` makes of it; no other change of a note comes in between.

        Services are built side by side, and runs of one checkout overlap: each would write what it has read before.
        """
        with files.locked(self / "notes.lock"):
            self.keep_note(name, change(self.note(name)))

    def note_pushed(self, references: Iterable[str], key: str) -> None:
        """Note the tags that an app image got for a pushed commit: they are ours, though no configuration has them."""
        self.change_note(_PUSHED, lambda known: {**known, **dict.fromkeys(references, key)})

    def pushed(self) -> Mapping[str, str]:
        """Those tags, with their repositories, and the key of the image of each."""
        return self.note(_PUSHED)

    def remember(self, variant: str, keys: Mapping[str, str]) -> None:
        """Note the keys that this checkout last built or found, by layer; the reason "image was removed" needs them."""
        old = self.note(_LAST)
        new = {f"{variant} {layer}": key for layer, key in keys.items()}
        changed = {**old, **new} != old
        if changed:
            self.change_note(_LAST, lambda known: dict(sorted({**known, **new}.items())))
        if "app" in keys and (changed or f"{variant} {_NOW} app" not in self.note(_BEFORE)):
            self.change_note(_BEFORE, lambda noted: _shifted(noted, variant, self.remembered(variant)))

    def before(self, variant: str) -> dict[str, str]:
        """The keys that this checkout built or found before those of `remembered`, by layer."""
        return _of(self.note(_BEFORE), f"{variant} {_THEN}")

    def remembered(self, variant: str) -> dict[str, str]:
        """The keys that `remember` noted for a variant, by layer."""
        return _of(self.note(_LAST), variant)

    def asked_last(self, key: str, branch: str) -> bool:
        """Whether this branch was the last to request the app image with that key."""
        return self.note(_ASKED).get(key) == branch

    def note_asked(self, key: str, branch: str) -> None:
        """Note which branch last requested an app image; each service has one."""
        self.change_note(_ASKED, lambda known: latest(known, key, branch, _KEPT_ASKED))

    def cleared(self) -> frozenset[str]:
        """Layers that were cleared and not rebuilt since."""
        return frozenset(self.note(_CLEARED))

    def mark_cleared(self, layers: Iterable[str] = (), *, done: Iterable[str] = ()) -> None:
        """Note layers as cleared, and others (`done`) as rebuilt."""
        more, less = set(layers), set(done)
        self.change_note(_CLEARED, lambda known: dict.fromkeys(sorted((known.keys() | more) - less), ""))

    def linked(self) -> list[str]:
        """The binaries that builds in this checkout linked, the most recent last."""
        return list(self.note(_LINKED))

    def mark_linked(self, names: Iterable[str]) -> None:
        """Note the order that `linked` returns."""
        self.keep_note(_LINKED, dict.fromkeys(names, ""))

    def unshared(self) -> frozenset[str]:
        """Keyed tags of layers that were to be pushed to the registry, and are not known to be there."""
        return frozenset(self.note(_UNSHARED)) if os.path.exists(self / _UNSHARED) else frozenset()

    def mark_unshared(self, tag: str, repository: str | None) -> None:
        """Note that a layer has to be pushed to a repository; None: no more."""
        new = {tag: repository} if repository else {}
        self.change_note(_UNSHARED, lambda known: {**{n: of for n, of in known.items() if n != tag}, **new})

    def shared(self, repository: str) -> frozenset[str]:
        """Keyed tags of layers that were pushed to a repository from this checkout, or found there."""
        return frozenset(tag for tag, of in self.note(_SHARED).items() if of == repository)

    def mark_shared(self, tag: str, repository: str) -> None:
        """Note that a repository has a layer."""
        self.change_note(_SHARED, lambda known: latest(known, tag, repository, _KEPT_SHARED))
        if tag in self.unshared():
            self.mark_unshared(tag, None)

    # --- one build at a time -----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def locked(self, *, wait: bool = True) -> Iterator[bool]:
        """Allow one build at a time per checkout; yields whether it had to wait. The kernel releases the lock.

        Raises BlockingIOError where it would have to wait and `wait` is False.
        """
        waited = False
        with open(self / "lock", "a+", encoding="utf-8") as stream:
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
                _end_orphans(self.folder)
            stream.seek(0)
            stream.truncate()
            stream.write(str(os.getpid()))
            stream.flush()
            try:
                yield waited
            finally:
                stream.seek(0)
                stream.truncate()

    # --- logs --------------------------------------------------------------------------------------------------------

    def open_log(self, layer: str) -> TextIO:
        """Create the log file of one build; the oldest beyond `KEPT_LOGS` are removed."""
        logs = self / "logs"
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

    def logs(self, layer: str) -> list[Path]:
        """The log files of a layer's builds, the oldest first."""
        return sorted((self / "logs").glob(f"*-{layer}.log"))


def _of(noted: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The keys of one set, by layer."""
    start = f"{prefix} "
    return {name.removeprefix(start): key for name, key in noted.items() if name.startswith(start)}


def latest(known: Mapping[str, str], name: str, value: str, kept: int) -> dict[str, str]:
    """A note with one more entry, the last one, and the oldest beyond `kept` gone."""
    return dict([*((one, of) for one, of in known.items() if one != name), (name, value)][-kept:])


def _shifted(noted: Mapping[str, str], variant: str, now: Mapping[str, str]) -> Mapping[str, str]:
    """The whole set of keys of now, and the whole set before it: a build that failed changes only some."""
    was = _of(noted, f"{variant} {_NOW}")
    if was == now:
        return noted
    kept = {name: key for name, key in noted.items() if not name.startswith(f"{variant} ")}
    sets = {_NOW: now, _THEN: was}
    kept |= {f"{variant} {when} {layer}": key for when, found in sets.items() for layer, key in found.items()}
    return dict(sorted(kept.items()))


def _remedy(folder: Path, error: OSError) -> str:
    """What lets the state folder be made, or written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space: `docker system df` shows what images use"
    if error.errno == errno.EROFS:
        return "its file system is read-only: work on a copy that can be written"
    if os.path.lexists(folder) and not folder.is_dir():
        return f"{FOLDER} has to be a folder: rename or remove what is there (mv {FOLDER} {FOLDER}.old)"
    owned = folder if folder.is_dir() else folder.parent
    return f"give yourself permission to write there: sudo chown -R $USER {owned}"


# --- what a killed run left behind -----------------------------------------------------------------------------------


def _end_orphans(folder: Path) -> None:
    """End builds whose run was killed: each holds the target folder until its step is over."""
    deadline = time.monotonic() + ORPHAN_GRACE
    orphans = _builds_in(folder)
    for pid in orphans:
        warn(f"ending an orphaned build of a killed run (process {pid})")
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
