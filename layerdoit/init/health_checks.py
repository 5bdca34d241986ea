"""A health check, of a Dockerfile or a compose file, as ours: an HTTP path, or a command. Pure."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from layerdoit.init.hints import Hint, note

_URL: Final = re.compile(r"https?://[^\s/'\"|]+(?P<path>/[^\s'\"|;&?)]*)?")
# In every Debian image.
_PLAIN: Final = frozenset(("sh", "bash", "test", "[", "cat", "ls", "grep", "exit", "true", "pidof", "timeout", "stat"))


def asked(command: str | Sequence[str], where: str, programs: Collection[str]) -> Iterator[Hint]:
    """`command`: a line of the shell, or words; `programs`: the binaries of the project."""
    text = command if isinstance(command, str) else shlex.join(command)
    if found := _URL.search(text):
        yield Hint("health", found["path"] or "/", where)
        return
    if not text or "$" in text:
        if text:
            yield note(where, "the health check depends on a variable: see deploy.health")
        return
    first = posixpath.basename(text.split()[0])
    there = first in programs or first in _PLAIN
    why = "" if there else f"if the image has {first}, and what it calls"
    yield Hint("health-command", text, where, why, sure=there)
