"""The terminal: how wide it is, whether it has colours, and how much room a text takes on it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, TextIO

# Compiled when first used: a run with nothing to do has no use for them.
_ESCAPE: Final = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])"
_CONTROL: Final = r"[\x00-\x1f\x7f-\x9f]"
_COLOUR: Final = r"\x1b\[[\d;:]*m"
# All but the tab, and the escape of a colour.
_OTHER_CONTROL: Final = r"[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f]|\x1b(?!\[[\d;:]*m)"
_UNKNOWN: Final = (80, 24)
MORE: Final = "…"

When = Literal["auto", "always", "never"]
_wanted: list[When] = ["auto"]


class Size(NamedTuple):
    """Columns and rows."""

    columns: int
    rows: int


def want_colour(when: When) -> None:
    """What the user asked for on the command line; it goes before all that the environment says."""
    _wanted[0] = when


def colour(stream: TextIO, environment: Mapping[str, str] | None = None) -> bool:
    """Whether to write colours to a stream.

    By what the user asked for, then NO_COLOR, then CLICOLOR_FORCE and FORCE_COLOR; otherwise on a terminal that has
    them.
    """
    env = os.environ if environment is None else environment
    if _wanted[0] != "auto":
        return _wanted[0] == "always"
    if env.get("NO_COLOR"):
        return False
    if any(env.get(name, "0") not in ("", "0", "false") for name in ("CLICOLOR_FORCE", "FORCE_COLOR")):
        return True
    return moves(stream, env) and env.get("CLICOLOR") != "0"


def moves(stream: TextIO, environment: Mapping[str, str] | None = None) -> bool:
    """Whether a stream is a terminal on which lines can be painted over."""
    env = os.environ if environment is None else environment
    try:
        return stream.isatty() and env.get("TERM", "") not in ("dumb", "unknown")
    except ValueError:  # closed
        return False


def at_both_ends() -> bool:
    """Whether what is read and what is written is a terminal: a person works with the program."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def size(stream: TextIO) -> Size:
    """How large the window is now."""
    try:
        found = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return Size(*_UNKNOWN)
    # A terminal of some servers says nothing.
    return Size(found.columns or _UNKNOWN[0], found.lines or _UNKNOWN[1])


def can_show(text: str, stream: TextIO) -> bool:
    """Whether the encoding of a stream has all characters of a text."""
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def plain(text: str) -> str:
    """Without escape sequences and control characters: of what a build prints, nothing may move the cursor."""
    return re.sub(_CONTROL, " ", re.sub(_ESCAPE, "", text))


def plain_lines(text: str) -> str:
    """The same of a text over lines."""
    return "\n".join(map(plain, text.split("\n")))


def tame(text: str) -> str:
    """A line of another program with its colours, but nothing else that a terminal obeys, and no colour left on."""

    def kept(found: re.Match[str]) -> str:
        return found[0] if re.fullmatch(_COLOUR, found[0]) else ""

    text = re.sub(_OTHER_CONTROL, " ", re.sub(_ESCAPE, kept, text))
    colours = re.findall(_COLOUR, text)
    return f"{text}\x1b[0m" if colours and colours[-1] not in ("\x1b[0m", "\x1b[m") else text


def width(text: str) -> int:
    """Columns that a text takes, which has no control characters but escape sequences of colours."""
    text = re.sub(_ESCAPE, "", text)
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if character < "\u0300":
        return 1
    import unicodedata

    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int) -> str:
    """At most so many columns of a text without escape sequences: whole words where one fits, then `…`."""
    if width(text) <= columns:
        return text
    if columns < 2:
        return MORE[:columns]
    kept, room = 0, columns - 1
    for character in text:
        room -= _columns(character)
        if room < 0:
            break
        kept += 1
    words = text[: kept + 1].rpartition(" ")[0].rstrip(" ,·")
    return (words or text[:kept]) + MORE


def alone() -> bool:
    """Whether no other process or thread of this call writes to the same terminal: not so with `doit -n`."""
    import threading

    processes: Any = sys.modules.get("multiprocessing.process")
    is_child = processes is not None and processes.parent_process() is not None
    return not is_child and threading.current_thread() is threading.main_thread()
