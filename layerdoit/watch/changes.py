"""Notice that something in a set of folders has changed; what it is, a new reading tells."""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from layerdoit.core.errors import LayerdoitError
from layerdoit.core.prose import listed
from layerdoit.watch import mounted
from layerdoit.watch.notices import Notices
from layerdoit.watch.polling import Polling

if TYPE_CHECKING:
    from layerdoit.watch.portable import Portable

QUIET: Final = 0.015
"""Seconds without a change that end a burst. What comes later ends the turn that has begun: nothing is lost by that."""
SETTLED: Final = 0.002
"""Seconds without a change after which it is worth while to read: the calls of one writing come within them."""
LONGEST: Final = 0.3
"""Seconds after its first change that end it in any case."""
_BEAT: Final = 5.0
"""How often, in seconds, it is looked for what nobody tells: a sleep of the machine, a clock that was set."""
_JUMP: Final = 1.0
_WATCHES: Final = "fs.inotify.max_user_watches"
_INSTANCES: Final = "fs.inotify.max_user_instances"
_SYSCTL: Final = Path("/proc/sys")


@dataclass
class Burst:
    """Changes that come one after the other, on the clock of `time.monotonic`."""

    first: float
    last: float
    begun: bool = False
    """Whether it was told that it has begun."""

    @property
    def settled(self) -> float:
        """When it is worth while to read, if no more come."""
        return min(self.last + SETTLED, self.first + LONGEST)

    @property
    def due(self) -> float:
        """When it is over, if no more come."""
        return min(self.last + QUIET, self.first + LONGEST)


class Clocks:
    """Notices where this machine has slept, or its clock was set: the distances between its clocks have changed."""

    def __init__(self, read: Callable[[], tuple[float, ...]] | None = None) -> None:
        self._read = read or _distances
        self._last = self._read()

    def jumped(self) -> bool:
        """Whether one has, since the last call."""
        before, self._last = self._last, self._read()
        return any(abs(now - then) > _JUMP for now, then in zip(self._last, before, strict=True))


def _distances() -> tuple[float, ...]:
    monotonic = time.monotonic()
    asleep = getattr(time, "CLOCK_BOOTTIME", None)
    awake = time.clock_gettime(asleep) if asleep is not None else monotonic
    return (awake - monotonic, time.time() - awake)


class Changes:
    """Calls `on_change` from a thread of its own, once per burst of changes in the folders that it watches.

    It may call it although nothing that matters has changed, never the other way round: a folder that is watched from
    now on counts as a change, for something may have happened in it before. `told` hears why it takes longer than it
    could, once for each reason; `on_begin` is called once per burst as well, while it may still go on.
    """

    def __init__(
        self,
        on_change: Callable[[], None],
        told: Callable[[str], None],
        on_begin: Callable[[], None] | None = None,
    ) -> None:
        self._on_change, self._told, self._on_begin = on_change, told, on_begin
        self._lock = threading.Lock()
        self._folders: frozenset[str] = frozenset()
        self._polling = Polling()
        self._said: set[str] = set()
        self._clocks = Clocks()
        self._burst: Burst | None = None
        self._count = 0
        self._closed = False
        self._woken, self._waker = os.pipe()
        for end in (self._woken, self._waker):
            os.set_blocking(end, False)
        self._poll = select.poll()
        self._poll.register(self._woken, select.POLLIN)
        self._notices: Notices | Portable | None = self._of_system()
        if self._notices is not None:
            self._poll.register(self._notices, select.POLLIN)
        self._thread = threading.Thread(target=self._run, name="changes", daemon=True)
        self._thread.start()

    def watch(self, folders: Iterable[Path]) -> None:
        """Watch these folders from now on, each for itself, and no others."""
        wanted = frozenset(map(str, folders))
        with self._lock:
            if self._closed or wanted == self._folders:
                return
            self._folders = wanted
            if self._divide():
                self._note()
                self._wake()

    # --- for who reads while a burst goes on -------------------------------------------------------------------------

    def count(self) -> int:
        """How many changes have come until now, those among them that nobody was told of yet."""
        with self._lock:
            if not self._closed and self._notices is not None and self._notices.take():
                self._note()
                # Its thread waits for what is here already.
                self._wake()
            return self._count

    def settle(self, until: float) -> int:
        """Wait until it is worth while to read, `until` then at most. The `count` of what a reading sees from now on.

        What was lost is watched again, so that no change comes in between.
        """
        self._wait(lambda burst: burst.settled, until)
        found = self.count()
        with self._lock:
            if not self._closed:
                self._divide(wanted=False)
        return found

    def rest(self, until: float) -> None:
        """Wait until the burst is over, `until` then at most."""
        self._wait(lambda burst: burst.due, until)

    def _wait(self, due: Callable[[Burst], float], until: float) -> None:
        while True:
            self.count()
            burst = self._burst
            left = min(due(burst), until) - time.monotonic() if burst is not None else 0.0
            if left <= 0.0:
                return
            time.sleep(left)

    def close(self) -> None:
        """End it; `on_change` is not called from now on."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._wake()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _of_system(self) -> Notices | Portable | None:
        try:
            return Notices()
        except OSError as error:
            if error.errno != errno.ENOSYS:
                self._tell(_limit(error))
                return None
        from layerdoit.watch.portable import Portable

        return Portable()

    # --- who watches what --------------------------------------------------------------------------------------------

    def _divide(self, *, wanted: bool = True) -> bool:
        """Have each folder watched in the way that its file system allows. Whether one was not watched before.

        `wanted`: they are others than before; else only what was lost is looked for.
        """
        added = False
        silent = frozenset[str]() if self._notices is None else None
        if wanted and silent is None:
            found = mounted.silent(self._folders)
            silent = frozenset(found)
            for kind in sorted(set(found.values())):
                self._tell(_silence(kind, [folder for folder, of in found.items() if of == kind]))
        if self._notices is not None:
            try:
                if silent is None:
                    return self._notices.restore()
                added = self._notices.want(self._folders - silent)
            except OSError as error:
                self._tell(_limit(error))
                self._poll.unregister(self._notices)
                self._notices.close()
                self._notices = None
                silent = frozenset()
        return self._polling.want(self._folders if self._notices is None else silent or frozenset()) or added

    def _tell(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self._told(message)

    def _note(self) -> None:
        """Something has changed."""
        now = time.monotonic()
        self._count += 1
        if self._burst is None:
            self._burst = Burst(now, now)
        else:
            self._burst.last = now

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # it is woken already
            os.write(self._waker, b"x")

    # --- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        beat = time.monotonic() + _BEAT
        while True:
            self._poll.poll(max(0.0, self._next(beat) - time.monotonic()) * 1000)
            if self._closed:
                break
            now = time.monotonic()
            self._hear()
            found = False
            if now >= beat:
                beat = now + _BEAT
                found = self._jumped()
            if (due := self._polling.due) is not None and now >= due:
                found |= self._polling.look()
            if found:
                with self._lock:
                    self._note()
            self._call()
        self._end()

    def _next(self, beat: float) -> float:
        """When there is something to do though nothing is told."""
        with self._lock:
            burst = self._burst
            of_burst = None if burst is None else burst.due if burst.begun else burst.settled
        return min(due for due in (beat, of_burst, self._polling.due) if due is not None)

    def _hear(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._woken, 64):
                pass
        with self._lock:
            if self._notices is not None and self._notices.take():
                self._note()

    def _call(self) -> None:
        """Say of a burst that it has begun, and that it is over."""
        with self._lock:
            burst, now = self._burst, time.monotonic()
            begins = burst is not None and not burst.begun and now >= burst.settled
            ends = burst is not None and now >= burst.due
            if burst is not None and begins:
                burst.begun = True
            if ends:
                self._burst = None
                # Before it is read, so that no change comes in between.
                self._divide(wanted=False)
        if begins and self._on_begin is not None:
            self._on_begin()
        if ends:
            self._on_change()

    def _jumped(self) -> bool:
        with self._lock:
            moved = self._notices is not None and self._notices.check()
        return self._clocks.jumped() or moved

    def _end(self) -> None:
        with self._lock:
            if self._notices is not None:
                self._notices.close()
            os.close(self._woken)
            os.close(self._waker)


# --- messages --------------------------------------------------------------------------------------------------------


def _limit(error: OSError) -> str:
    """What is said where inotify cannot be had."""
    if error.errno == errno.ENOSPC:
        what = f"no more folders can be watched: this user's {_value(_WATCHES)} watches (inotify) are in use"
        hint = f"sudo sysctl {_WATCHES}={_more(_WATCHES, 1 << 19)}"
    elif error.errno == errno.EMFILE:
        what = f"folders cannot be watched: this user's {_value(_INSTANCES)} instances of inotify are in use"
        hint = f"sudo sysctl {_INSTANCES}={_more(_INSTANCES, 1 << 10)}"
        hint += " (or, where this process has too many open files: ulimit -n 4096)"
    else:
        return f"folders cannot be watched ({error.strerror}); changes are looked for every second or so"
    hint = f"{hint}; /etc/sysctl.d keeps it; then start the watch again"
    return str(LayerdoitError(f"{what}; until then changes are looked for every second or so", hint=hint))


def _silence(kind: str, folders: list[str]) -> str:
    where = listed(sorted(folders), 1)
    return f"{where}: {kind} does not tell of all changes: they are looked for every second or so"


def _more(name: str, least: int) -> int:
    """A value for a limit that is too low."""
    now = _value(name)
    return max(least, 2 * int(now)) if now.isdecimal() else least


def _value(name: str) -> str:
    try:
        return (_SYSCTL / name.replace(".", "/")).read_text(encoding="ascii").strip()
    except OSError:
        return "few"
