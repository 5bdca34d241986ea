"""Where in the project's sources a program gave up, by its log: `thread 'main' panicked at src/main.rs:12:40`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from layerdoit.deploy.docker.case import Case

_AT: Final = re.compile(r"panicked at (?:'.*', |.*\s)?([\w@./-]+\.rs):(\d+)(?::\d+)?")
_AROUND: Final = 3
_LITERAL: Final = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


class Literal(NamedTuple):
    """A text in a source, and where it stands."""

    text: str
    before: str
    where: str


def places(case: Case) -> Iterator[Literal]:
    """The texts in the lines before, and at, which it panicked, the nearest first."""
    for line in case.lines:
        found = _AT.search(line)
        if found is None or found[1].startswith("/"):
            continue
        lines = source(case, found[1])
        last = int(found[2])
        for number in range(last, max(0, last - _AROUND), -1):
            if number <= len(lines):
                yield from literals(lines[number - 1], f"{found[1]}:{number}")


def literals(line: str, where: str) -> Iterator[Literal]:
    """The texts in a line of Rust."""
    if not line.lstrip().startswith("//"):
        for found in _LITERAL.finditer(line):
            yield Literal(found[1], line[: found.start()], where)


def source(case: Case, path: str) -> list[str]:
    """The lines of a file of the project; none where it is not there."""
    try:
        return (case.settings.root / path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
