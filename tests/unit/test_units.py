"""Sizes, instants and spans, read and written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.core import units


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0B", 0),
        ("1B", 1),
        ("539.4MB", 539_400_000),
        ("1.2kB", 1200),
        ("2GiB", 2 * 1024**3),
        ("1.5 GB", 1_500_000_000),
        ("488.3MiB", round(488.3 * 1024**2)),
        ("?", None),
        ("", None),
        ("12", None),
        ("1iB", None),
        ("-1MB", None),
    ],
)
def test_sizes(text: str, size: int | None) -> None:
    assert units.bytes_of(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90m", 5400), ("7d", 604_800), ("2 w", 1_209_600), ("1.5h", 5400), ("0s", 0), ("7", None), ("d", None)],
)
def test_spans(text: str, seconds: float | None) -> None:
    assert units.seconds_of(text) == seconds


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-01T00:00:00Z", 1_767_225_600),
        ("2026-01-01T00:00:01.987654321+00:00", 1_767_225_601),
        ("0001-01-01T00:00:00Z", 0),
        ("", 0),
        ("yesterday", 0),
    ],
)
def test_instants(text: str, instant: int) -> None:
    assert units.instant(text) == instant


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1234, "1.23 kB"), (539_400_000, "539 MB"), (2e12, "2 TB")]
)
def test_sizes_read_as_docker_shows_them(size: float, text: str) -> None:
    assert units.size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0 s"), (59, "59 s"), (60, "1 min"), (7300, "2 h"), (200_000, "2 d")]
)
def test_ages(seconds: float, text: str) -> None:
    assert units.age_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.4, "59 min 59 s"),
        (3725, "1 h 02 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert units.duration_text(seconds) == text


def test_what_goes_on_is_told_in_whole_seconds() -> None:
    assert [units.clock_text(seconds) for seconds in (-1, 0.2, 3.4, 125)] == ["0 s", "0 s", "3 s", "2 min 05 s"]


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [(120e6, 320e6, "120 of 320 MB"), (9e5, 320e6, "0.9 of 320 MB"), (0, 999, "0 of 999 B"), (5e8, 2e9, "0.5 of 2 GB")],
)
def test_a_part_has_the_unit_of_the_whole(done: float, total: float, text: str) -> None:
    assert units.part_text(done, total) == text


def human(seconds: int) -> str:
    """A span in the words that Docker's tools have for it."""
    if seconds < 1:
        return "Less than a second"
    if seconds == 1:
        return "1 second"
    if seconds < 60:
        return f"{seconds} seconds"
    minutes = seconds // 60
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "About an hour"
    for limit, length, name in ((48, 1, "hours"), (24 * 7 * 2, 24, "days"), (24 * 30 * 2, 24 * 7, "weeks")):
        if hours < limit:
            return f"{hours // length} {name}"
    return f"{hours // 24 // 30} months" if hours < 24 * 365 * 2 else f"{int(seconds / 3600) // 24 // 365} years"


@given(st.integers(0, 5 * 365 * 86_400))
def test_words_for_a_span_are_never_taken_for_more_than_it_was(seconds: int) -> None:
    """What is judged by its age must not be judged too old."""
    found = units.at_least(f"{human(seconds)} ago")
    assert found is not None
    assert found <= seconds
    assert found >= seconds * 0.45 - 1


def test_other_words_are_no_span() -> None:
    assert units.at_least("some time ago") is None
    assert units.at_least("") is None
