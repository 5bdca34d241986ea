"""What a container logged, as a message shows it: without colours, and lines that repeat told once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from layerdoit.core import terminal

AGAIN: Final = "layerdoit: started again"
"""What the supervisor of a live container writes between two programs, on both streams (dockerfiles/live.c)."""
SHOWN: Final = 20
"""Lines of a log that a message shows."""

# What differs from one answer to the next although the line says the same: times, numbers of requests, durations.
_VARYING: Final = re.compile(r"\b0x[0-9a-f]+\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\d+")
_TIME: Final = re.compile(r"^\[?(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z| ?[+-]\d\d:?\d\d| UTC)?\]?\s*")
_STATUS: Final = re.compile(r"(?<![\d.])[1-5]\d\d(?![\d.])")
_SHORTEST: Final = 8
_REPEATS: Final = 3


def plain(lines: Iterable[str]) -> list[str]:
    """Without what a terminal would not show as text."""
    return [terminal.plain(line).rstrip() for line in lines]


def folded(lines: Sequence[str], shown: int = SHOWN) -> list[str]:
    """The last lines; those that say the same again and again once, with their number, where the last one stood."""
    same = [_TIME.sub("", line) for line in lines]
    alike = [_alike(line) for line in same]
    often = Counter(alike)
    # Two lines that differ in a number may well say two things; three and more are one that repeats.
    keys = [loose if often[loose] >= _REPEATS else exact for exact, loose in zip(same, alike, strict=True)]
    counts = Counter(keys)
    found: list[str] = []
    seen: set[str] = set()
    for line, key in zip(reversed(lines), reversed(keys), strict=True):
        if line and key not in seen:
            times = counts[key] if len(key) >= _SHORTEST else 1
            seen |= {key} if times > 1 else set()
            found.append(f"{line}  ({times} times)" if times > 1 else line)
    return found[:shown][::-1]


def quoted(lines: Sequence[str]) -> str:
    """The last lines of a log, below a message."""
    found = folded(lines)
    if not found:
        return "it logged nothing"
    count = "line" if len(found) == 1 else f"{len(found)} lines"
    return "\n".join([f"the last {count} of its log:", *(f"  {line}" for line in found)])


def remedy(lines: Sequence[str]) -> str:
    """What is to be done about a program that has ended, after its log was shown."""
    return "fix the problem that its log shows" if folded(lines) else "have it log why it ends, or start it by hand"


def _alike(text: str) -> str:
    """The same for lines that differ in numbers only; a status is what a line of a request says."""
    return " ".join([_VARYING.sub("#", text), *_STATUS.findall(text)])
