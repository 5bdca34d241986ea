"""The file of `doit cache_save`: a plain tar of two members, what is known of a target mount and its packed files.

What it says of itself is read, and its length checked, without unpacking anything. The packed files have their digest.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tarfile
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from layerdoit.core.errors import LayerdoitError
from layerdoit.core.files import temporary
from layerdoit.core.units import size_text

FORMAT: Final = 1
"""Goes up when an older version would get a newer file wrong."""
HEAD: Final = "layerdoit-artefacts.json"
PACKED: Final = "packed"
"""Name of the member; load.sh takes it out by this name."""
_LONGEST: Final = 1 << 16


class Facts(NamedTuple):
    """What a file says of itself.

    `cook`: the chain of deps images that it fits; `deps`: the key of the one it was saved beside; `packer`: the program
    that packed it; `digest`: of the packed files; `unpacked`: their bytes.
    """

    project: str
    variant: str
    platform: str
    toolchain: str
    cook: str
    deps: str
    packer: str
    digest: str
    files: int
    unpacked: int
    commit: str = ""
    branch: str = ""
    saved: str = ""


class NotSaved(LayerdoitError):
    """A file that is none of ours, or no longer whole."""

    exit_code = 2
    next_step = "doit cache_save FILE, where the workspace was compiled, makes such a file"


def write(path: Path, facts: Facts, packed: Path) -> int:
    """Make the file, all of it or nothing; its bytes."""
    part = temporary(path)
    try:
        with open(part, "wb") as stream:
            with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
                head = json.dumps({"format": FORMAT, **facts._asdict()}, indent=1).encode()
                _add(archive, HEAD, BytesIO(head), len(head))
                with open(packed, "rb") as source:
                    _add(archive, PACKED, source, packed.stat().st_size)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    return path.stat().st_size


def _add(archive: tarfile.TarFile, name: str, source: IO[bytes], size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o644
    archive.addfile(member, source)


def read(path: Path) -> Facts:
    """What a file says of itself. `NotSaved` where it is none of ours, or is cut off."""
    where = str(path)
    try:
        with open(path, "rb") as stream:
            return _facts(stream, where, path.stat().st_size)
    except FileNotFoundError:
        raise NotSaved("there is no such file", where=where) from None
    except IsADirectoryError:
        raise NotSaved("this is a folder, not a file", where=where) from None


def _facts(stream: IO[bytes], where: str, size: int) -> Facts:
    foreign = NotSaved("this is no file that doit cache_save made", where=where)
    if size == 0:
        raise NotSaved("the file is empty", where=where)
    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            head = archive.next()
            if head is None or head.name != HEAD or not head.isreg() or head.size > _LONGEST:
                raise foreign
            opened = archive.extractfile(head)
            said = json.loads(opened.read()) if opened else None
            found = _understood(said, foreign, where)
            packed = archive.next()
    except (tarfile.TarError, ValueError, EOFError):
        raise foreign from None
    end = packed.offset_data + packed.size if packed is not None and packed.name == PACKED else None
    if end is None or end > size:
        whole = f" of {size_text(end)}" if end else ""
        hint = "fetch it again, or save it again: doit cache_save FILE"
        raise NotSaved(f"the file is cut off after {size_text(size)}{whole}", where=where, hint=hint)
    return found


def _understood(said: Any, foreign: NotSaved, where: str) -> Facts:
    if not isinstance(said, dict) or not isinstance(said.get("format"), int):
        raise foreign
    if said["format"] > FORMAT:
        hint = "use that version of layerdoit here, too; or save it again with this one"
        raise NotSaved("a newer layerdoit made this file", where=where, hint=hint)
    try:
        numbers = {name: int(said[name]) for name in ("files", "unpacked")}
        found: dict[str, Any] = {name: str(said[name]) for name in Facts._fields}
        return Facts(**{**found, **numbers})
    except (KeyError, TypeError, ValueError):
        raise foreign from None


def copied(source: Path, target: Path) -> None:
    """Have a file in another place too, without copying it where the file system can."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
