"""The log file of a build. Its first line, the command, tells later runs what was built and how."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from layerdoit.core.masking import redact
from layerdoit.dockerfile.edit import ANEW

_BUILD = re.compile(r"\$ (docker |\S*docker-)buildx build ")
_BUILDER = re.compile(r" --builder (\S+)")
_UNCACHED = (" --no-cache-filter ", f" --build-arg {ANEW}=")
_KEY = re.compile(r" --label io\.layerdoit\.key=([0-9a-f]{64})")


class Command(NamedTuple):
    """The command of a build, read from its log. `uncached`: BuildKit's cache was not used."""

    key: str = ""
    builder: str = ""
    uncached: bool = False


def header(argv: Sequence[str]) -> str:
    """The first line of the log."""
    return redact(f"$ {' '.join(argv)}")


def command(log: str) -> Command:
    """Read the first line of a log; empty if `header` did not write it."""
    line = log.partition("\n")[0]
    if not _BUILD.match(line):
        return Command()
    builder, key = _BUILDER.search(line), _KEY.search(line)
    return Command(key[1] if key else "", builder[1] if builder else "", any(flag in line for flag in _UNCACHED))
