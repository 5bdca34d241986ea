"""Parts of sentences that many messages share, and the one yes-or-no question."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Sequence


def listed(names: Collection[str], limit: int = 5, total: int | None = None) -> str:
    """`a, b, c and 4 more`: at most `limit` names. `total`: how many there are, if `names` has only some."""
    more = max(len(names), total or 0) - min(len(names), limit)
    shown = ", ".join(list(names)[:limit])
    return f"{shown} and {more} more" if more else shown


def yaml_scalar(text: str) -> str:
    """A text as YAML takes it in a line of layerdoit.yaml that a message gives: in quotes where it needs them."""
    return text if re.fullmatch(r"[\w/.][\w/.+@-]*", text, re.ASCII) else json.dumps(text)


def nearest(word: str, known: Collection[str], limit: int = 1, cutoff: float = 0.6) -> list[str]:
    """The known words closest to `word`, best match first."""
    import difflib  # only a mistake pays for it

    folded = {one.lower(): one for one in known}
    return [folded[found] for found in difflib.get_close_matches(word.lower(), list(folded), limit, cutoff)]


def suggestion(word: str, known: Sequence[str], label: str) -> str:
    """The hint for a misspelt word: the nearest known one, and all of them."""
    near = nearest(word, known)
    return (f'did you mean "{near[0]}"? ' if near else "") + f"{label}: {', '.join(known)}"


def confirm(question: str) -> bool | None:
    """Ask yes or no; None if there is no terminal to ask on."""
    if not sys.stdin.isatty():
        return None
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
