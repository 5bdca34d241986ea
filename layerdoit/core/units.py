"""Sizes, times and durations as people and engines write them."""

from __future__ import annotations

import calendar
import re
import time
from typing import Final

SPAN: Final = "a duration such as 90m, 12h, 7d or 2w"
SIZE: Final = "a size such as 500MB or 20GB"

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_POWERS: Final = "kMGTP"


def seconds_of(text: str) -> float | None:
    """`7d` in seconds; units are s m h d w. None if the text is not a duration."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([smhdw])", text.strip())
    return None if found is None else float(found[1]) * _SECONDS[found[2]]


def bytes_of(text: str) -> int | None:
    """`539.4MB`, `2GiB`, `1.5 kB` in bytes. None if the text is not a size."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(?:([kKMGTP])(i?))?B", text.strip())
    if found is None:
        return None
    power: int = _POWERS.index(found[2].replace("K", "k")) + 1 if found[2] else 0
    return round(float(found[1]) * float((1024 if found[3] else 1000) ** power))


def address_text(host: str, port: int) -> str:
    """Host and port as an address has them: an IPv6 host stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def count_text(count: int, noun: str) -> str:
    """`1 crate`, `2 crates`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def size_text(size: float) -> str:
    """Bytes with three digits and a decimal unit, as Docker shows them."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.4g} TB"


def age_text(seconds: float) -> str:
    """A duration in its largest whole unit."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def duration_text(seconds: float) -> str:
    """A duration: tenths of a second below ten seconds, then `41 s`, `2 min 05 s`, `1 h 02 min`."""
    return f"{seconds:.1f} s" if seconds < 9.95 else clock_text(seconds)


def clock_text(seconds: float) -> str:
    """A duration that goes on: `3 s`, `2 min 05 s`, `1 h 02 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60:02} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02} min"


def part_text(done: float, total: float) -> str:
    """`120 of 320 MB`: bytes of how many."""
    whole, unit = size_text(total).split(" ")
    return f"{done / 1000 ** ['B', 'kB', 'MB', 'GB', 'TB'].index(unit):.3g} of {whole} {unit}"


def instant(text: str) -> int:
    """A timestamp of the engine or of our labels (`2026-01-02T03:04:05Z`, UTC) as seconds since 1970; 0 for none."""
    try:
        return max(0, calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return 0


_WORDS: Final = (
    (r"Less than a second", 0.0),
    (r"1 second", 1.0),
    (r"About a minute", 60.0),
    (r"About an hour", 3600 * 0.75),
)
# go-units rounds hours to the nearest, everything longer down to whole units of what was rounded.
_LOWER: Final = {
    "seconds": (1, 0.0),
    "minutes": (60, 0.0),
    "hours": (3600, 0.5),
    "days": (86_400, 0.05),
    "weeks": (604_800, 0.05),
    "months": (30 * 86_400, 0.05),
    "years": (365 * 86_400, 0.05),
}


def at_least(words: str) -> float | None:
    """The fewest seconds that an age printed by Docker's tools (`2 hours ago`) can mean. None for other text."""
    plain = words.strip().removesuffix(" ago")
    for known, seconds in _WORDS:
        if plain == known:
            return seconds
    found = re.fullmatch(r"(\d+) (\w+)", plain)
    if found is None or found[2] not in _LOWER:
        return None
    unit, rounded = _LOWER[found[2]]
    return max(0.0, int(found[1]) - rounded) * unit
