"""The log file of a build: its first line is the command, by which later runs know what was built and how."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from layerdoit.core.process import redact

_BUILD = re.compile(r"\$ (docker |\S*docker-)buildx build ")
_BUILDER = re.compile(r" --builder (\S+)")
_KEY = re.compile(r" --label io\.layerdoit\.key=([0-9a-f]{64})")


@dataclass(frozen=True)
class Command:
    """What the log of a build says of its command. `afresh`: BuildKit's cache was not used."""

    key: str = ""
    builder: str = ""
    afresh: bool = False


def header(argv: Sequence[str]) -> str:
    """The first line of the log."""
    return redact(f"$ {' '.join(argv)}")


def command(log: str) -> Command:
    """What the first line of a log says; empty where it is none that `header` wrote."""
    line = log.partition("\n")[0]
    if not _BUILD.match(line):
        return Command()
    builder, key = _BUILDER.search(line), _KEY.search(line)
    return Command(key[1] if key else "", builder[1] if builder else "", "--no-cache-filter " in line)
