"""Lines for the person at the terminal."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """A line for the user."""
    print(text, flush=True)


def warn(text: str) -> None:
    """A line that must not get lost among a program's output, or be read as output."""
    print(f"layerdoit: {text}", file=sys.stderr, flush=True)
