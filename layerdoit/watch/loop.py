"""`doit watch` from beginning to end: the turns of each project, what is shown of them, keys and signals."""

from __future__ import annotations

import queue
import signal
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.core import terminal
from layerdoit.core.command_errors import Stopped
from layerdoit.core.errors import Interrupted, LayerdoitError
from layerdoit.core.signals import posted_to
from layerdoit.engine.handle import Engine
from layerdoit.watch import providers, screen, sole
from layerdoit.watch.events import Event
from layerdoit.watch.presence import Presence
from layerdoit.watch.service_lines import ServiceLines
from layerdoit.watch.turns import Turns

if TYPE_CHECKING:
    from layerdoit.project.project import Project
    from layerdoit.watch.jobs import Job

END: Final = 1.5
"""Seconds in which what goes on ends by itself after Ctrl-C; then it is ended with more force."""
_FORCED: Final = 0.4
_ALIVE: Final = 0.2
"""How often, in seconds, a thread without a word is looked at; a signal that came just before is noticed then."""


class Part(NamedTuple):
    """One project or service to watch. `prefix`: before the names of its tasks; `label`: as it was typed."""

    project: Project
    prefix: str
    label: str


def run(parts: Sequence[Part], *, json: bool) -> None:
    """Watch until `q`, which leaves ordinary containers, or a signal: KeyboardInterrupt, or `Interrupted`."""
    for part in parts:
        providers.refuse(part.project)
        # Without an engine there is nothing to wait for.
        Engine(part.project.config.builder, part.project.way).api.get("/version")
    with sole.held(part.project for part in parts):
        _Watch(parts, json=json).run()


class _Watch:
    def __init__(self, parts: Sequence[Part], *, json: bool) -> None:
        self._events: queue.SimpleQueue[tuple[object, ...]] = queue.SimpleQueue()
        coloured = not json and terminal.colour(sys.stderr)
        self._turns = [Turns(part.project, part.prefix, part.label, self._tell, coloured=coloured) for part in parts]
        beside = (Presence, ServiceLines)
        self._beside: list[Presence | ServiceLines] = [of(turns, self._tell) for turns in self._turns for of in beside]
        self._json = json
        # Those of which nothing stays.
        self._removed: list[Turns] = []

    def _tell(self, event: Event) -> None:
        self._events.put(("event", event))

    def run(self) -> None:
        labels = [turns.label for turns in self._turns]
        logs = any(turns.project.config.watch.logs for turns in self._turns)
        shown = screen.shown(labels, self._json, lambda key: self._events.put(("key", key)), logs=logs)
        try:
            with posted_to(self._events) as caught:  # type: ignore[arg-type]
                for turns in self._turns:
                    turns.start()
                quits = self._heard(shown)
                self._end(shown)
                if quits and not caught:
                    self._last(shown)
                self._tell_what_serves(shown)
            shown.tell(Event("stopped", facts={"serves": False} if self._removed == self._turns else {}))
        finally:
            shown.close()
        if caught and not quits:
            # Ctrl-C is how a watch ends: nothing else is to be said of it.
            if caught[0] == signal.SIGINT:
                raise KeyboardInterrupt
            raise Interrupted(caught[0]).reworded(what=f"the watch was ended by signal {caught[0]}")

    def _heard(self, shown: screen.Shown) -> bool:
        """Show what happens until the watch is to end; whether by a key."""
        while True:
            kind, what = self._next()[:2]
            if kind == "signal":
                return False
            if kind == "event" and isinstance(what, Event):
                self._show(shown, what)
            elif kind == "key" and what == "q":
                return True
            elif kind == "key" and what in _KEYS:
                for turns in self._turns:
                    turns.ask(_KEYS[str(what)])

    def _show(self, shown: screen.Shown, event: Event) -> None:
        shown.tell(event)
        if event.kind in ("serving", "followed"):
            for each in self._beside:
                each.serves(event)

    def _next(self) -> tuple[object, ...]:
        while True:
            try:
                return self._events.get(timeout=_ALIVE)
            except queue.Empty:
                for turns in self._turns:
                    turns.refuse_broken()

    def _end(self, shown: screen.Shown) -> None:
        for each in self._beside:
            each.close()
        for force in range(3):
            for turns in self._turns:
                turns.end()
            deadline = time.monotonic() + (END if force == 0 else _FORCED)
            left = list(self._turns)
            while left and time.monotonic() < deadline:
                left = [turns for turns in left if not turns.has_ended(0.01)]
                self._drain(shown)
            if not left:
                break
        self._drain(shown)

    def _drain(self, shown: screen.Shown) -> None:
        while True:
            try:
                kind, what = self._events.get_nowait()[:2]
            except queue.Empty:
                return
            if kind == "event" and isinstance(what, Event):
                shown.tell(what)

    def _last(self, shown: screen.Shown) -> None:
        """After `q`: the image of what serves takes the place of the live container, or nothing stays."""
        for turns, job in self._last_jobs():
            while not job.has_ended:
                try:
                    kind, what = self._events.get(timeout=_ALIVE)[:2]
                except queue.Empty:
                    continue
                if kind == "signal":
                    job.end()
                elif kind == "event" and isinstance(what, Event):
                    shown.tell(what)
            try:
                job.result()
                if job.wish.task == "destroy":
                    self._removed.append(turns)
                else:
                    turns.at_rest()
                    self._tell(Event("followed", turns.label, facts={"seconds": job.seconds}))
            except Stopped:
                pass
            except LayerdoitError as error:
                self._tell(Event("failed", turns.label, str(error), {"stage": "image"}))
        self._drain(shown)

    def _last_jobs(self) -> list[tuple[Turns, Job]]:
        jobs = []
        for turns in self._turns:
            stop = turns.project.config.watch.stop
            if not stop and turns.outlasts_its_tree:
                # The same error would be told once more.
                continue
            if not stop:
                self._tell(Event("following", turns.label))
            try:
                jobs.append((turns, turns.last("destroy" if stop else "cycle")))
            except LayerdoitError as error:
                self._tell(Event("failed", turns.label, str(error), {"stage": "image"}))
        return jobs

    def _tell_what_serves(self, shown: screen.Shown) -> None:
        for turns in self._turns:
            if turns in self._removed:
                continue
            if turns.outlasts_its_tree:
                text = "the last change failed, so what serves stays as it is; doit cycle_fast tries it once more"
                shown.tell(Event("warning", turns.label, text))
            elif turns.is_ahead:
                text = "the service is ahead of its image; doit cycle_fast builds and deploys that"
                shown.tell(Event("warning", turns.label, text))


_KEYS: Final = {"r": "rebuild", "t": "tests"}
