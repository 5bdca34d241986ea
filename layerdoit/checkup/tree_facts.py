"""Sizes and credentials of the files that builds get: gathered here, judged in `context` and `secrets`."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerdoit.checkup import secrets
from layerdoit.checkup.context import Context

if TYPE_CHECKING:
    from layerdoit.workspace.sources import Sources


@dataclass(frozen=True)
class Tree:
    """What the sources of a project weigh, and what among them looks like a credential."""

    context: Context
    secrets: tuple[secrets.Secret, ...]


def gathered(sources: Sources, assets: frozenset[str]) -> Tree:
    """Look at every file once. `assets`: context paths that are copied into the image."""
    top = "_/" * sources.ups
    found: list[secrets.Secret] = []
    sizes: dict[bool, dict[str, int]] = {True: {}, False: {}}
    for path, entry in sources.entries.items():
        if entry.kind == "l":
            continue
        name = path.removeprefix(top) if path.startswith(top) else posixpath.relpath(path, top or ".")
        host = str(sources.host_path(path))
        try:
            size = os.stat(host).st_size
        except OSError:
            continue
        sizes[path in assets][name] = size
        found += _secrets(name, host, size)
    return Tree(Context(sizes[False], sizes[True]), tuple(found))


def _secrets(name: str, host: str, size: int) -> Iterator[secrets.Secret]:
    if named := secrets.by_name(name):
        yield named
    elif 0 < size <= secrets.MAX_SIZE:
        try:
            with open(host, "rb") as file:
                content = file.read()
        except OSError:
            return
        # A NUL byte near the start: nobody wrote this with an editor.
        if b"\0" not in content[:1024]:
            yield from secrets.in_content(name, content)
