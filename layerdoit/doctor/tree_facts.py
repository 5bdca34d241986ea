"""Sizes and credentials of the files that builds get: gathered here, judged in `context` and `secrets`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerdoit.doctor import secret_files as secrets
from layerdoit.doctor.context import Context

if TYPE_CHECKING:
    from layerdoit.tree.sources import Sources


@dataclass(frozen=True)
class Tree:
    """What the sources of a project weigh, and what among them looks like a credential."""

    context: Context
    secrets: tuple[secrets.Secret, ...]


def collect(sources: Sources, assets: frozenset[str]) -> Tree:
    """Look at every file once. `assets`: context paths that are copied into the image."""
    found: list[secrets.Secret] = []
    sizes: dict[bool, dict[str, int]] = {True: {}, False: {}}
    paths = [path for path, entry in sources.entries.items() if entry.kind != "l"]
    for path, host in zip(paths, sources.host_files(), strict=True):
        name = sources.own_path(path)
        try:
            # One look-up of the path: there may be tens of thousands.
            with open(host, "rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                content = file.read() if size <= secrets.MAX_SIZE else b""
        except OSError:
            continue
        sizes[path in assets][name] = size
        found += _secrets(name, content)
    return Tree(Context(sizes[False], sizes[True]), tuple(found))


def _secrets(name: str, content: bytes) -> Iterator[secrets.Secret]:
    if named := secrets.by_name(name):
        yield named
    # A NUL byte near the start: nobody wrote this with an editor.
    elif b"\0" not in content[:1024]:
        yield from secrets.in_content(name, content)
