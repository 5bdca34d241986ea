"""Which reading of a tree counts, where changes come while it is read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import pytest

from layerdoit.core.errors import LayerdoitError
from layerdoit.watch.changes import LONGEST
from layerdoit.watch.readings import Readings

START = 100.0


class Coming:
    """Changes that come while something is done: `on_read` and `on_rest` say how many, each time."""

    def __init__(self, clock: Clock, on_read: Iterable[int] = (), on_rest: Iterable[int] = ()) -> None:
        self.clock, self.on_read, self.on_rest = clock, iter(on_read), iter(on_rest)
        self.come, self.calls = 1, list[str]()

    def count(self) -> int:
        return self.come

    def settle(self, until: float) -> int:
        assert until == START + LONGEST
        self.calls.append("settle")
        return self.come

    def rest(self, until: float) -> None:
        assert until == START + LONGEST
        self.calls.append("rest")
        self.come += next(self.on_rest, 0)

    def read(self) -> int:
        self.calls.append("read")
        self.clock.now += 0.4 * LONGEST
        seen = self.come
        self.come += next(self.on_read, 0)
        return seen


class Clock:
    def __init__(self) -> None:
        self.now = START

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made.monotonic)
    return made


def test_a_burst_is_read_while_it_passes(clock: Clock) -> None:
    coming = Coming(clock)
    one = Readings(coming, coming.read)
    assert one.is_behind()
    found = one.next()
    assert (found, one.at) == (1, 1)
    assert coming.calls == ["settle", "read", "rest"]
    assert not one.is_behind()
    one.over()
    assert one.at is None
    coming.come += 1
    assert one.is_behind()


@pytest.mark.parametrize(("on_read", "on_rest", "seen"), [([1], [], 2), ([], [1], 2), ([0, 3], [1], 5)])
def test_what_comes_meanwhile_is_read_too(clock: Clock, on_read: list[int], on_rest: list[int], seen: int) -> None:
    coming = Coming(clock, on_read, on_rest)
    one = Readings(coming, coming.read)
    assert one.next() == seen == coming.come
    assert not one.is_behind()


def test_changes_without_end_are_not_waited_for(clock: Clock) -> None:
    coming = Coming(clock, [1] * 100)
    one = Readings(coming, coming.read)
    # The one that began after the longest burst.
    assert one.next() == 4
    assert coming.calls.count("read") == 4
    assert one.is_behind()


def half(coming: Coming, fails: Callable[[int], bool]) -> Callable[[], int]:
    def read() -> int:
        seen = coming.read()
        if fails(seen):
            raise LayerdoitError(f"half of it: {seen}")
        return seen

    return read


def test_half_of_a_change_is_not_refused(clock: Clock) -> None:
    coming = Coming(clock, on_rest=[1])
    assert Readings(coming, half(coming, lambda seen: seen == 1)).next() == 2


def test_what_stays_wrong_is_refused(clock: Clock) -> None:
    coming = Coming(clock, on_rest=[1])
    one = Readings(coming, half(coming, lambda _: True))
    with pytest.raises(LayerdoitError, match="half of it: 2"):
        one.next()
    assert one.at is None
    assert not one.is_behind()


def test_a_reading_that_goes_on_hears_of_changes_itself(clock: Clock) -> None:
    coming = Coming(clock)
    behind = list[bool]()

    def read() -> int:
        seen = coming.read()
        coming.come += 1 if seen == 1 else 0
        behind.append(one.is_behind())
        return seen

    one = Readings(coming, read)
    assert one.next() == 2
    assert behind == [False, False]


def test_what_nobody_foresaw_ends_it(clock: Clock) -> None:
    coming = Coming(clock)

    def read() -> int:
        raise RuntimeError

    one = Readings(coming, read)
    with pytest.raises(RuntimeError):
        one.next()
    coming.come += 1
    assert one.is_behind()
