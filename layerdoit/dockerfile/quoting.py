"""Any text in a Dockerfile, so that BuildKit reads exactly this text.

    quoted(text, escape) -> str      # a value of ENV, LABEL or WORKDIR
    copied(source, target, escape)   # COPY of one file or folder

BuildKit takes values apart as a shell does, also those in the JSON form of a COPY, whose sources are patterns besides.
`escape` is the Dockerfile's own escape character.
"""

from __future__ import annotations

import json
from typing import Final

NEWLINE: Final = "LAYERDOIT_NEWLINE"
"""The build argument that holds a line break: a Dockerfile has no way to write one into a value."""


def quoted(text: str, escape: str = "\\") -> str:
    """`text` as a value in double quotes; one with a line break needs `ARG` with `NEWLINE` before it."""
    words = "".join(escape + char if char in ('"', "$", escape) else char for char in text)
    return '"' + words.replace("\n", f"${{{NEWLINE}}}") + '"'


def copied(source: str, target: str, escape: str = "\\") -> str:
    """The COPY of `source`, a path in the build context, to `target`."""
    words = [_word(_pattern(source), escape), _word(target, escape)]
    return "COPY " + json.dumps(words, ensure_ascii=False)


def _word(text: str, escape: str) -> str:
    return "".join(escape + char if char in ('"', "'", "$", escape) else char for char in text)


def _pattern(path: str) -> str:
    """A pattern that matches this path only.

    BuildKit reads a path as a pattern only where it has one of `*?[` that is not escaped; and it trims patterns. So one
    harmless character is written as `[c]`, at best the last one: what lies before a pattern need not be searched.
    """
    name = path.rstrip("/")
    if not (set(name) & set("*?[\\") or name != name.rstrip()):
        return path
    last = max(at for at, char in enumerate(name) if char.isspace() or (char.isascii() and char.isalnum()))
    written = [
        f"[{char}]" if char == "[" or at == last else f"\\{char}" if char in "*?\\" else char
        for at, char in enumerate(name)
    ]
    return "".join(written) + path[len(name) :]
