"""The containers in which an edit is to serve, looked for while it compiles."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from layerdoit.core.background import Background
from layerdoit.core.errors import LayerdoitError
from layerdoit.deploy.provider import KeepsLive
from layerdoit.flows.deploying import Place

if TYPE_CHECKING:
    from layerdoit.deploy.provider import LiveService, Status

FRESH: Final = 2.0
"""Seconds in which what was found counts: by hand, containers are replaced at any time."""


class Astray(LayerdoitError):
    """The container in which an edit would serve is not there, or not as the watch has left it: deploy it again."""


class There:
    """What a watch keeps at some places, as it was a moment ago."""

    def __init__(self, places: Iterable[Place]) -> None:
        """Begin to look."""
        self._begun = time.monotonic()
        self._found = {place.settings.name: Background(partial(kept, place)) for place in places}

    def of(self, place: Place) -> tuple[KeepsLive, LiveService]:
        """The container at a place, and its provider. `Astray`."""
        found = self._found.pop(place.settings.name, None)
        if found is not None and time.monotonic() - self._begun < FRESH:
            with contextlib.suppress(LayerdoitError):
                return found.result()
        return kept(place)


def kept(place: Place) -> tuple[KeepsLive, LiveService]:
    """What a watch keeps at a place. `Astray` where that is another watch's, or nothing."""
    provider, live = place.provider, place.settings.live
    if isinstance(provider, KeepsLive):
        service = provider.live()
        if service is not None and live is not None and service.watch == live.watch:
            return provider, service
        if service is not None:
            raise Astray(f"another watch has deployed {place.settings.name}")
    name, status = place.settings.name, place.provider.status()
    raise Astray(instead(name, status) or f"the container of {name} does not serve: {status.health}")


def instead(name: str, status: Status) -> str:
    """What is there in the place of the container of a watch; '' for that container itself."""
    if status.service is None:
        return f"the container of {name} was removed"
    return "" if status.live else f"another process has deployed {name}"
