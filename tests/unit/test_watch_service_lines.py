"""Whose lines a watch follows, and what it tells of them."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from layerdoit.deploy.docker.container_log import AGAIN
from layerdoit.watch.events import Event
from layerdoit.watch.service_lines import ServiceLines


def _told(*services: str) -> dict[str, Event]:
    """What is told of a project whose services write a line each, by what they wrote."""

    def place(service: str) -> Any:
        def logs(**_asked: object) -> Iterator[str]:
            yield AGAIN
            yield f"of {service}"

        name = f"shop-{service}" if service else "shop"
        settings = SimpleNamespace(name=name, service=service)
        return SimpleNamespace(provider=SimpleNamespace(logs=logs), settings=settings)

    config = SimpleNamespace(watch=SimpleNamespace(logs=True))
    turns: Any = SimpleNamespace(
        label="", project=SimpleNamespace(config=config), places=lambda: list(map(place, services))
    )
    came: queue.SimpleQueue[Event] = queue.SimpleQueue()
    ServiceLines(turns, came.put).serves(Event("serving"))
    events = [came.get(timeout=10) for _ in services]
    return {one.text: one for one in events}


def test_a_line_of_several_services_says_whose_it_is() -> None:
    told = _told("api", "worker")
    assert told["of api"].facts == {"deployment": "shop-api", "service": "api"}
    assert told["of worker"].facts == {"deployment": "shop-worker", "service": "worker"}


@pytest.mark.parametrize(("service", "deployment"), [("", "shop"), ("api", "shop-api")])
def test_a_line_of_the_only_one_does_not(service: str, deployment: str) -> None:
    assert _told(service)[f"of {service}"].facts == {"deployment": deployment}
