"""Secrets that no output of ours may show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_MIN_SECRET: Final = 4
_MASK: Final = "***"

# Longest first: a secret may contain another one.
_secrets: list[str] = []


def register_secret(value: str) -> None:
    """Make `redact` mask `value` from now on: as written, percent-encoded, and line by line.

    Values shorter than four characters are not registered: masking them would shred every log.
    """
    from urllib.parse import quote

    for line in value.splitlines():
        text = line.strip()
        if len(text) >= _MIN_SECRET and not text.startswith("-----"):
            _secrets[:] = sorted({*_secrets, text, quote(text, safe=""), quote(text)}, key=len, reverse=True)


def redact(text: str) -> str:
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, _MASK)
    return text


def shown(argv: Sequence[str]) -> str:
    """The command as a user could type it, without secrets."""
    import shlex  # here: a run with nothing to do shows no command

    return redact(shlex.join(str(arg) for arg in argv))
