"""A board as lines of text: the block of a terminal, and the plain lines of everything else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from layerdoit.core.doing import Doing
from layerdoit.core.terminal import MORE, Size, cut, width
from layerdoit.core.units import clock_text, count_text, duration_text, part_text, size_text
from layerdoit.engine.board import Board, Job, Row

SEPARATOR: Final = " · "
"""Between facts."""
_NAME: Final = 8
_BAR: Final = 24
_SHORT_BAR: Final = 10
_ASCII: Final = str.maketrans({"·": "-", MORE: "~"})
_STATES: Final = {"reused": "2", "done": "32", "works": "36", "waits": "2"}
# A job that has run so long is told with its time.
_LONG: Final = 3.0
# From this height on, jobs may take more than one line.
_TALL: Final = 12
_JOB_LINES: Final = 3


class Look(NamedTuple):
    """What the terminal can show."""

    colour: bool = False
    unicode: bool = True


# --- the block -------------------------------------------------------------------------------------------------------


def block(board: Board, size: Size, now: float, look: Look) -> list[str]:
    """The lines of a board in a window of a size: none wider, and no more of them than it has rows."""
    if size.columns < 1:
        return []
    # How dear a line is, and the line: a window too low for all loses the cheapest ones.
    lines: list[tuple[int, str]] = []
    for row in board.rows:
        if row.state != "works":
            lines.append((0 if row.state == "reused" else 1, _still(row, size.columns, look)))
            continue
        lines.append((3, _working(row, size.columns, now, look)))
        most = _JOB_LINES if size.rows >= _TALL else 1
        lines += ((2, line) for line in _jobs(row.jobs, size.columns, now, most))
    return [spelt(line, look) for line in dearest(lines, size.rows)]


def dearest(lines: Sequence[tuple[int, str]], rows: int) -> list[str]:
    """At most so many of the lines, each of which comes with how dear it is; of equals, the last ones are lost."""
    kept = list(lines)
    while len(kept) > max(0, rows):
        cheapest = min(dear for dear, _ in kept)
        kept.pop(max(index for index, (dear, _) in enumerate(kept) if dear == cheapest))
    return [line for _, line in kept]


def spelt(line: str, look: Look) -> str:
    """A line of ours as a terminal can show it: without UTF-8, our own signs become such that are as wide."""
    return line if look.unicode else line.translate(_ASCII)


def _still(row: Row, columns: int, look: Look) -> str:
    words = row.words or row.state
    if row.state == "done" and row.until > row.since:
        words = f"done in {duration_text(row.until - row.since)}"
    return _coloured(row, cut(f"{row.name:<{_NAME - 1}} {words}", columns), words, look)


def _working(row: Row, columns: int, now: float, look: Look) -> str:
    """What is left out where there is no room, first to last: the long bar, the estimate, the bar, the count."""
    head = f"{row.name:<{_NAME - 1}} {row.what}"
    elapsed = clock_text(int(now - row.since))
    count, share, left = counted(row.doing), row.doing.share, _left(row, now)
    percent = "" if share is None else f"{int(share * 100)} %"
    for length, wanted in (
        (_BAR, (count, percent, elapsed, left)),
        (_SHORT_BAR, (count, percent, elapsed, left)),
        (_SHORT_BAR, (count, percent, elapsed)),
        (0, (count, percent, elapsed)),
        (0, (count, elapsed)),
        (0, (elapsed,)),
    ):
        drawn = [bar(share, length, look)] if length and share is not None else []
        facts = SEPARATOR.join(filter(None, wanted))
        line = "  ".join([head, *drawn, facts])
        if width(line) <= columns:
            return _coloured(row, line, row.what, look)
    room = columns - width(elapsed) - 2
    if room < _NAME:
        return cut(head, columns)
    return _coloured(row, f"{cut(head, room)}  {elapsed}", row.what, look)


def bar(share: float, columns: int, look: Look) -> str:
    """How much is done, 0 to 1, as a bar of so many columns."""
    full = min(columns, int(share * columns))
    done, rest = ("█", "░") if look.unicode else ("#", "-")
    return done * full + rest * (columns - full)


def _coloured(row: Row, line: str, words: str, look: Look) -> str:
    """Only the state has a colour."""
    return coloured(line, words, _STATES[row.state], look)


def coloured(line: str, words: str, code: str, look: Look) -> str:
    """A line with some of its words, where they first stand, in a colour of ANSI."""
    if not look.colour or not words or words not in line:
        return line
    before, found, after = line.partition(words)
    return f"{before}\x1b[{code}m{found}\x1b[0m{after}"


def _jobs(jobs: Sequence[Job], columns: int, now: float, most: int) -> list[str]:
    """The jobs in at most so many lines, the longest running first; the last line tells how many are left out."""
    indent = " " * (_NAME + 2)
    words = [_job(job, now) for job in sorted(jobs, key=lambda job: job.since)]
    lines: list[str] = []
    while words and len(lines) < most:
        fitting = _fitting(words, columns - len(indent), is_last=len(lines) == most - 1)
        if not fitting:
            lines.append(cut(indent + words[0], columns))
            words = words[1:]
            continue
        rest = len(words) - fitting
        more = f" and {rest} more" if rest and len(lines) == most - 1 else "," if rest else ""
        lines.append(indent + ", ".join(words[:fitting]) + more)
        words = words[fitting:]
    return lines


def _fitting(words: Sequence[str], columns: int, *, is_last: bool) -> int:
    """How many of the words, separated by commas, fit into a line."""
    for count in range(len(words), 0, -1):
        rest = len(words) - count
        end = f" and {rest} more" if rest and is_last else "," if rest else ""
        if width(", ".join(words[:count]) + end) <= columns:
            return count
    return 0


def _job(job: Job, now: float) -> str:
    spent = now - job.since
    return f"{job.name} {clock_text(int(spent))}" if spent >= _LONG else job.name


def counted(doing: Doing) -> str:
    """How much is done, in its unit: `3 of 6 crates`, `120 of 320 MB`; '' where it is not told."""
    done, total, unit = doing.done, doing.total, doing.unit
    if done is None:
        return ""
    if unit == "bytes":
        return part_text(done, total) if total else size_text(done)
    if total is None:
        return count_text(done, unit.removesuffix("s")) if unit else str(done)
    return f"{done} of {count_text(total, unit.removesuffix('s'))}" if unit else f"{done} of {total}"


def _left(row: Row, now: float) -> str:
    """As exact as it can be known."""
    seconds = row.left(now)
    if seconds is None or row.usual is None:
        return ""
    step = 1 if seconds < 10 else 5 if seconds < 60 else 10 if seconds < 300 else 60
    rounded = max(step, round(seconds / step) * step)
    text = f"{rounded // 60} min" if rounded >= 60 and rounded % 60 == 0 else clock_text(rounded)
    return f"about {text} left, n={row.usual.n}"


# --- plain lines -----------------------------------------------------------------------------------------------------


def plain(row: Row, now: float) -> str:
    """What is going on with a layer, as one line."""
    share = row.doing.share
    facts: Iterable[str] = (
        counted(row.doing),
        "" if share is None else f"{int(share * 100)} %",
        clock_text(int(now - row.since)),
        _left(row, now),
        ", ".join(job.name for job in sorted(row.jobs, key=lambda job: job.since)),
    )
    return f"{row.name}: {SEPARATOR.join(filter(None, (row.what, *facts)))}"
