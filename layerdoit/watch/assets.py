"""Assets of a tree as a container has them: which differ from those of another tree, and those as an archive."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import posixpath
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit.core.errors import ContextDiffers

if TYPE_CHECKING:
    from layerdoit.project.inputs import Inputs
    from layerdoit.tree.index import Entry


@dataclass(frozen=True)
class Change:
    """What is copied into a container, and what goes. `placed`: path in the image -> file here, and what it holds."""

    placed: Mapping[str, tuple[Path, Entry]] = field(default_factory=dict)
    gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.placed or self.gone)

    def archive(self) -> bytes:
        """The files as a tar archive for the root of the container, as an image has them. ContextDiffers."""
        spooled = io.BytesIO()
        moved = []
        with tarfile.open(fileobj=spooled, mode="w") as tar:
            for place, (path, entry) in self.placed.items():
                member = tarfile.TarInfo(place.lstrip("/"))
                with contextlib.suppress(OSError):
                    member.mtime = int(path.lstat().st_mtime)
                content = _content(path, entry)
                if content is None:
                    moved.append(str(path))
                elif entry.kind == "l":
                    member.type, member.linkname, member.mode = tarfile.SYMTYPE, os.fsdecode(content), 0o777
                    tar.addfile(member)
                else:
                    member.size, member.mode = len(content), 0o755 if entry.kind == "x" else 0o644
                    tar.addfile(member, io.BytesIO(content))
        if moved:
            raise ContextDiffers.of(moved)
        return spooled.getvalue()


def of(inputs: Inputs) -> dict[str, tuple[Path, Entry]]:
    """The files that are copied into an image after compilation, by their paths there."""
    paths, sources = inputs.placed
    found: dict[str, tuple[Path, Entry]] = {}
    for name, place in paths:
        for path, entry in sources.entries.items():
            host = sources.host_path(path)
            if path == name:
                target = posixpath.join(place, posixpath.basename(path)) if place.endswith("/") else place
                found[target] = (host, entry)
            elif path.startswith(f"{name}/") or name in (".", ""):
                inside = path[len(name) + 1 :] if name not in (".", "") else path
                found[posixpath.join(place, inside)] = (host, entry)
    return found


def between(old: Mapping[str, tuple[Path, Entry]], new: Mapping[str, tuple[Path, Entry]]) -> Change:
    """What turns the assets of one tree into those of another."""
    placed = {place: found for place, found in new.items() if place not in old or old[place][1] != found[1]}
    return Change(placed, tuple(sorted(old.keys() - new.keys())))


def _content(path: Path, entry: Entry) -> bytes | None:
    """What a file holds; None where that is not what was read."""
    try:
        found = os.fsencode(os.readlink(path)) if entry.kind == "l" else path.read_bytes()
    except OSError:
        return None
    return found if hashlib.sha256(found).hexdigest() == entry.digest else None
