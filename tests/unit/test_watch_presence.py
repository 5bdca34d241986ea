"""What a watch says of a service that has ended while nothing was done with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from layerdoit.core.errors import EngineError
from layerdoit.deploy.provider import LiveService, Service, Status
from layerdoit.watch import presence
from layerdoit.watch.events import Event
from layerdoit.watch.presence import Presence
from layerdoit.watch.there import Astray, kept


@dataclass
class Provider:
    """`ids`: of the container that is there, each time that it is asked for; '' for none; None: no engine."""

    ids: list[str | None]
    state: Status = field(default_factory=lambda: Status(Service("i", "web", "k", False), "exited", live="its image"))

    def live(self) -> LiveService | None:
        found = self.ids.pop(0) if len(self.ids) > 1 else self.ids[0]
        if found is None:
            raise EngineError("no engine")
        return LiveService(found, "web", "t", "w", "k", None, 1) if found else None

    def status(self) -> Status:
        return self.state

    def logs(self, *, follow: bool = False, tail: int | None = None, since: float | None = None) -> Iterator[str]:
        assert (follow, since) == (False, None)
        yield from ["one", "layerdoit: started again", "two"][-(tail or 0) :]

    def judge(self, *_: object) -> None: ...

    def place(self, *_: object) -> None: ...

    def gone(self, *_: object) -> None: ...


def told(monkeypatch: pytest.MonkeyPatch, provider: Provider, *codes: int | None) -> list[Event]:
    """`codes`: with which it ends, one time after the other; None: nobody knows."""
    found: list[Event] = []
    for name in ("_SETTLES", "_BUSY", "_RETRY"):
        monkeypatch.setattr(presence, name, 0.0)
    busy = iter([True, False] * 9)
    turns: Any = SimpleNamespace(label="web", keeps=lambda watch: watch == "w")
    kind = type("Turns", (SimpleNamespace,), {"is_busy": property(lambda _: next(busy))})
    place: Any = SimpleNamespace(provider=provider, settings=SimpleNamespace(name="web"))
    one = Presence(kind(**vars(turns)), found.append)
    ends = iter(codes)
    monkeypatch.setattr(one, "_ended", lambda _: next(ends))
    one._attend(place)
    return found


def test_one_that_the_engine_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    (event, *more) = told(monkeypatch, Provider(["a", "a", "a", ""]), 7, 7, 7)
    assert (event.kind, event.facts["code"], event.facts["serves"]) == ("warning", 7, True)
    lines = "the last 2 lines of its log:\n  one\n  two"
    assert event.text == f"the program of web ended with exit code 7; the engine has started it again\n{lines}"
    assert more == [], "one message, until something serves again"


def test_one_that_is_not_there_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    (event,) = told(monkeypatch, Provider(["a", ""]), 137)
    assert (event.kind, event.facts["stage"], event.facts["serves"]) == ("failed", "ended", False)
    assert event.text.startswith("the container of web has ended with exit code 137\nthe last 2 lines")
    assert event.text.endswith("\nnext: the next change deploys it again")
    (event,) = told(monkeypatch, Provider(["a", ""], Status(None, "not deployed")), 137)
    assert event.text.startswith("the container of web was removed\n")
    (event,) = told(monkeypatch, Provider(["a", ""], Status(Service("b", "web", "k", True), "healthy")), 0)
    assert event.text.startswith("another process has deployed web\n")


def test_one_that_the_watch_itself_has_replaced_is_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(told(monkeypatch, Provider(["a", "b", "c", ""]), 0, 0, 1)) == 1, "the last one ended by itself"


def test_an_engine_that_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    events = told(monkeypatch, Provider(["a", None, "a", None, ""]), None, None)
    assert [event.text.splitlines()[0] for event in events] == ["the container of web has ended"]


def test_a_container_of_another_watch_is_said_to_be_one() -> None:
    settings = SimpleNamespace(name="web", live=SimpleNamespace(watch="ours"))
    place: Any = SimpleNamespace(provider=Provider(["i"]), settings=settings)
    with pytest.raises(Astray, match=r"^another watch has deployed web$"):
        kept(place)
