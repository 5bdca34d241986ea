"""The block of a watch as lines of text. Pure."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

from layerdoit.core.prose import listed
from layerdoit.core.terminal import Size, cut, plain, width
from layerdoit.core.units import clock_text, count_text, duration_text
from layerdoit.engine.board_view import SEPARATOR, Look, bar, coloured, counted, dearest, spelt
from layerdoit.watch.event_words import changed_paths, deed, failure
from layerdoit.watch.panel import Panel, Part

_NAMES: Final = (7, 20)
"""Columns for names at least, as of layers elsewhere, and at most."""
_INDENT: Final = "  "
_BARS: Final = (24, 10)
_COLOURS: Final = {
    "starts": "2",
    "changed": "36",
    "compiling": "36",
    "building": "36",
    "serving": "32",
    "failed": "31",
    "stopped": "2",
}
_JOBS: Final = 2
_DEARER_THAN_BAR: Final = 3
_KEYS: Final = (("r", "rebuild"), ("l", "logs"), ("t", "tests"), ("q", "quit"))
# How dear a line is: a window too low for all loses the cheapest ones.
_PAST, _HELP, _STATE = range(3)


def frame(panel: Panel, size: Size, now: float, look: Look, *, keys: bool = True) -> list[str]:
    """The lines of the block in a window of a size: none wider, and at most two thirds as many as it has rows.

    What happened last is shown while the block takes no more than half of them: the rest is for what scrolls by.
    `keys`: there are keys.
    """
    if size.columns < 1 or size.rows < 1:
        return []
    room = max(1, size.rows // 2, min(size.rows * 2 // 3, len(panel.parts) + 1))
    for_parts = room - (keys and room > 2)
    shown = _most_urgent(panel.parts, for_parts)
    names = _columns_of_names(panel.parts)
    lines: list[tuple[int, str]] = []
    for part in shown:
        name = f"{cut(part.name, names)}{' ' * (names - width(cut(part.name, names)))} " if names else ""
        if width(name) >= size.columns:
            lines.append((_STATE, cut(name.rstrip(), size.columns)))
            continue
        lines.append((_STATE, name + _state(part, size.columns - width(name), now, look)))
        indent = " " * names + _INDENT
        if past := _past(part, size.columns - width(indent), look):
            lines.append((_PAST, indent + past))
    if len(shown) < len(panel.parts) and for_parts > 1:
        lines.append((_STATE, cut(_rest([part for part in panel.parts if part not in shown]), size.columns)))
    if keys and room > 2:
        lines.append((_HELP, _help(panel, size.columns, look)))
    return [spelt(line, look) for line in dearest(lines, room)]


def _most_urgent(parts: Sequence[Part], rows: int) -> Sequence[Part]:
    """Those that get a line, in their order: first what has failed, then what is worked on; one line tells the rest."""
    if len(parts) <= rows:
        return parts
    by_need = sorted(range(len(parts)), key=lambda index: (parts[index].state != "failed", not parts[index].works))
    return [parts[index] for index in sorted(by_need[: max(1, rows - 1)])]


def _rest(parts: Sequence[Part]) -> str:
    states = Counter(part.state for part in parts)
    return f"and {len(parts)} more: {', '.join(f'{count} {state}' for state, count in states.most_common())}"


def _columns_of_names(parts: Sequence[Part]) -> int:
    """0 where the only project has no name."""
    longest = max((width(part.name) for part in parts), default=0)
    return min(_NAMES[1], max(_NAMES[0], longest)) if longest else 0


def _state(part: Part, columns: int, now: float, look: Look) -> str:
    words = plain(_words(part))
    facts = [plain(fact) for fact in _facts(part, now) if fact]
    share = part.doing.share if part.works else None
    return coloured(_fitted(words, facts, share, columns, look), words, _COLOURS[part.state], look)


def _fitted(words: str, facts: Sequence[str], share: float | None, columns: int, look: Look) -> str:
    """Words, bar and facts. Where there is no room, facts are left out from the last one on; then the bar."""
    told = [SEPARATOR.join(facts[:last]) for last in range(len(facts), 0, -1)]
    lines: list[tuple[str, ...]] = [(words, one) for one in told]
    if share is not None:
        with_bar = told[: max(1, len(told) - _DEARER_THAN_BAR + 1)]
        lines[:0] = [(words, bar(share, length, look), one) for one in with_bar for length in _BARS]
    if facts:
        # Rather an address that a terminal opens than what comes after it, rather a shorter one than none.
        lines.append((words, facts[0].removeprefix("http://")))
    joined = map(_INDENT.join, lines)
    return next((line for line in joined if width(line) <= columns), cut(words, columns))


def _words(part: Part) -> str:
    """Its state."""
    if part.state == "failed":
        return failure(part.facts)
    if part.state == "building":
        return f"building {part.facts.get('layer', '')}".rstrip()
    return part.state


def _facts(part: Part, now: float) -> Sequence[str]:
    """The dearest first."""
    elapsed = clock_text(int(max(0.0, now - part.since)))
    url = part.url if part.serves else ""
    if part.state == "compiling":
        return counted(part.doing), elapsed, url, listed(part.doing.jobs, _JOBS)
    if part.state == "building":
        done = " ".join(filter(None, (part.doing.words, counted(part.doing))))
        # A line of an ordinary run has a time of its own.
        return done, "" if part.doing.words and part.doing.done is None else elapsed, part.why, url
    if part.state == "changed":
        return changed_paths(part.facts), url
    if part.state == "serving":
        return url, _image(part), f"since {_clock(part.since)}"
    if part.state == "failed":
        return f"{url} serves the old one" if url else "", _clock(part.since)
    return (url,)


def _image(part: Part) -> str:
    if part.follows:
        return "its image is being built"
    if part.prepares:
        return "getting ready for edits"
    if part.ahead:
        return "ahead of its image"
    images = list(dict.fromkeys(part.images.values()))
    return count_text(len(images), "image") if len(images) > 1 else "".join(images)


def _past(part: Part, columns: int, look: Look) -> str:
    """Its tests and its last turns, as many as there is room for."""
    turns = [f"{duration_text(turn.seconds)} {deed(turn)}" for turn in part.turns if turn.seconds is not None]
    tests = _tests(part)
    items = [tests, *turns] if tests else turns
    while items and width(SEPARATOR.join(items)) > columns:
        items.pop()
    line = SEPARATOR.join(items)
    return coloured(line, tests, "31", look) if part.tests == "failed" else line


def _tests(part: Part) -> str:
    if not part.tests:
        return ""
    return "tests run" if part.tests == "began" else f"tests {part.tests} at {_clock(part.tests_since)}"


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


def _help(panel: Panel, columns: int, look: Look) -> str:
    """The keys."""
    named = "  ".join(f"{key} {word}{' (hidden)' if key == 'l' and not panel.logs else ''}" for key, word in _KEYS)
    watched = f"{named}   {count_text(panel.files, 'file')} watched" if panel.files else named
    letters = " ".join(key for key, _ in _KEYS)
    line = next((one for one in (watched, named, letters) if width(one) <= columns), cut(letters, columns))
    return coloured(line, line, "2", look)
