"""The logs of several services in one stream, each line with the name of its service."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from layerdoit.core.errors import DeployError, LayerdoitError

if TYPE_CHECKING:
    from layerdoit.deploy.provider import Provider


def lines(places: Mapping[str, Provider], *, follow: bool, tail: int | None, since: float | None) -> Iterator[str]:
    """Service by service; with `follow` as they come. One that does not run has none; where none runs: an error."""
    width = max(map(len, places), default=0)
    found = _as_they_come(places, tail, since) if follow else _in_order(places, tail, since)
    for name, text in found:
        yield f"{name:<{width}} | {text}"


def _in_order(places: Mapping[str, Provider], tail: int | None, since: float | None) -> Iterator[tuple[str, str]]:
    lacking: list[DeployError] = []
    for name, place in places.items():
        try:
            for text in place.logs(tail=tail, since=since):
                yield name, text
        except DeployError as error:
            lacking.append(error)
    if lacking and len(lacking) == len(places):
        raise lacking[0]


def _as_they_come(places: Mapping[str, Provider], tail: int | None, since: float | None) -> Iterator[tuple[str, str]]:
    came: queue.SimpleQueue[tuple[str, str | LayerdoitError | None]] = queue.SimpleQueue()

    def read(name: str, place: Provider) -> None:
        try:
            for text in place.logs(follow=True, tail=tail, since=since):
                came.put((name, text))
            came.put((name, None))
        except LayerdoitError as error:
            came.put((name, error))

    for item in places.items():
        threading.Thread(target=read, args=item, daemon=True).start()
    left, failed = len(places), list[LayerdoitError]()
    while left:
        name, text = came.get()
        if isinstance(text, str):
            yield name, text
            continue
        left -= 1
        if text is not None:
            failed.append(text)
    if failed and len(failed) == len(places):
        raise failed[0]
