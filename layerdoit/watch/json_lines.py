"""A watch as JSON: one object for each event, in a line of its own."""

from __future__ import annotations

import datetime as dt
import json
import threading
from typing import Any

from layerdoit.core.terminal import plain_lines
from layerdoit.watch.events import Event
from layerdoit.watch.lines import Output
from layerdoit.watch.scrolled import Printed


class JsonLines:
    """Prints the objects of events to stdout, at once."""

    def __init__(self) -> None:
        self._output = Output()
        self._lock = threading.Lock()

    def tell(self, event: Event) -> None:
        """Print the object of an event."""
        with self._lock:
            self._output.print(Printed(json_line(event), ours=False))

    def close(self) -> None:
        """Nothing is left to be done."""


def json_line(event: Event) -> str:
    """Give an event as an object: `event`, `project`, `at` (UTC), facts that are known, `text` without colours.

    Only a line of a service may be empty.
    """
    at = dt.datetime.fromtimestamp(event.at, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told: dict[str, Any] = {"event": event.kind, "project": event.project, "at": at}
    told |= {name: fact for name, fact in event.facts.items() if name not in told and fact is not None}
    if event.text or event.kind == "log":
        told["text"] = plain_lines(event.text)
    return json.dumps(told, default=str)
