"""That a service has ended by itself, or by somebody's hand, while the watch did nothing with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from layerdoit.core.errors import LayerdoitError
from layerdoit.deploy.docker import container_log
from layerdoit.deploy.provider import KeepsLive
from layerdoit.engine import sdk
from layerdoit.engine.api import endpoint
from layerdoit.flows.deploying import Place
from layerdoit.watch import there
from layerdoit.watch.events import Event

if TYPE_CHECKING:
    from layerdoit.watch.turns import Turns

Tell = Callable[[Event], None]
_SETTLES: Final = 1.0
"""Seconds after an end until it is looked at what is there: the engine starts what has crashed again, and another
deployment puts a container in the place.
"""
_BUSY: Final = 0.2
_RETRY: Final = 2.0
_TIMEOUT: Final = 60.0
_NEXT: Final = "next: the next change deploys it again"


class Presence:
    """Of one project: each container that a watch keeps is waited for, from when it serves."""

    def __init__(self, turns: Turns, tell: Tell) -> None:
        self._turns, self._tell = turns, tell
        self._over = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._told: set[str] = set()

    def serves(self, event: Event) -> None:
        """A turn ended well: what has served since is attended to, and may end once more."""
        if event.project != self._turns.label:
            return
        self._told.clear()
        for place in self._turns.places():
            name, thread = place.settings.name, self._threads.get(place.settings.name)
            if isinstance(place.provider, KeepsLive) and (thread is None or not thread.is_alive()):
                self._threads[name] = threading.Thread(target=self._attend, args=(place,), daemon=True)
                self._threads[name].start()

    def close(self) -> None:
        """Say nothing more."""
        self._over.set()

    def _attend(self, place: Place) -> None:
        identity = self._live(place)
        while identity:
            code = self._ended(identity)
            while not self._over.wait(_SETTLES if code is not None else _RETRY) and self._turns.is_busy:
                # Whoever is at work with it says what came of that.
                self._over.wait(_BUSY)
            now = self._live(place)
            if self._over.is_set():
                return
            if now != identity or code is not None:
                self._look(place, identity, now, code)
            identity = now

    def _live(self, place: Place) -> str:
        """The container that the watch keeps, where it runs; '' for none."""
        while not self._over.is_set():
            try:
                found = place.provider.live() if isinstance(place.provider, KeepsLive) else None
            except LayerdoitError:
                # The engine is away; a turn says so.
                self._over.wait(_RETRY)
                continue
            return found.id if found is not None and self._turns.keeps(found.watch) else ""
        return ""

    def _ended(self, identity: str) -> int | None:
        """Wait until a container has ended; its exit code, None where that cannot be known."""
        host = endpoint()
        try:
            with sdk.asking(host):
                # No answer comes as long as it runs.
                asked = sdk.low_level(host, _TIMEOUT)
                return int(asked.wait(identity, timeout=None, condition="not-running")["StatusCode"])
        except LayerdoitError:
            return None

    def _look(self, place: Place, identity: str, now: str, code: int | None) -> None:
        """Say what is there instead of it, once until something else serves."""
        name = place.settings.name
        if (now and now != identity) or name in self._told:
            return
        self._told.add(name)
        facts = {"deployment": name, "stage": "ended", "serves": bool(now)} | ({} if code is None else {"code": code})
        said: tuple[str, ...]
        if now:
            what = f"the program of {name} ended with exit code {code}; the engine has started it again"
            said = (what, self._lines(place))
        else:
            said = (self._state(place, code), self._lines(place), _NEXT)
        text = "\n".join(filter(None, said))
        self._tell(Event("warning" if now else "failed", self._turns.label, text, facts))

    def _state(self, place: Place, code: int | None) -> str:
        name = place.settings.name
        try:
            status = place.provider.status()
        except LayerdoitError as error:
            return error.what
        ended = f"the container of {name} has ended" + ("" if code is None else f" with exit code {code}")
        return there.instead(name, status) or ended

    def _lines(self, place: Place) -> str:
        try:
            lines = list(place.provider.logs(tail=container_log.SHOWN))
        except LayerdoitError:
            return ""
        shown = [line for line in container_log.plain(lines) if line != container_log.AGAIN]
        return container_log.quoted(shown)
