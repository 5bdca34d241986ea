"""The lines that services write while they are watched."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from layerdoit.core.errors import LayerdoitError
from layerdoit.deploy.docker.container_log import AGAIN
from layerdoit.flows.deploying import Place
from layerdoit.watch.events import Event

if TYPE_CHECKING:
    from layerdoit.watch.turns import Turns

Tell = Callable[[Event], None]


class ServiceLines:
    """Follows the containers of one project, one after the other, from when it serves on."""

    def __init__(self, turns: Turns, tell: Tell) -> None:
        self._turns, self._tell = turns, tell
        self._over = threading.Event()
        self._threads: dict[str, threading.Thread] = {}

    def serves(self, event: Event) -> None:
        """A turn ended well: whoever is not followed yet is from now on."""
        if event.project != self._turns.label or not self._turns.project.config.watch.logs:
            return
        places = self._turns.places()
        for place in places:
            name = place.settings.name
            service = place.settings.service if len(places) > 1 else ""
            thread = self._threads.get(name)
            if thread is None or not thread.is_alive():
                self._threads[name] = threading.Thread(target=self._follow, args=(place, service), daemon=True)
                self._threads[name].start()

    def close(self) -> None:
        """Say nothing more."""
        self._over.set()

    def _follow(self, place: Place, service: str) -> None:
        facts = {"deployment": place.settings.name, **({"service": service} if service else {})}
        try:
            for line in place.provider.logs(follow=True, tail=0):
                if self._over.is_set():
                    return
                if line == AGAIN:
                    continue
                self._tell(Event("log", self._turns.label, line, facts))
        except LayerdoitError:
            # It was removed; whoever did that says so.
            return
