"""The build context on disk: an exact copy of the files that a scan saw.

A changed file gets a modification time later than any that its path had before, because BuildKit does not send a file
whose size and time it knows. Files come into place by a rename, and what the record says of a file is believed only
while its stat data are those of the record: an interrupted run costs a new hash, never a wrong context.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from layerdoit.core.errors import WorkspaceError
from layerdoit.core.files import write
from layerdoit.tree.entries import Signature, read_entry, signature
from layerdoit.tree.index import Entry
from layerdoit.tree.packed import Packed
from layerdoit.tree.sources import Sources

_TICK_NS = 1_000_000
_CHUNK = 1 << 20


class _Staged(NamedTuple):
    kind: str
    digest: str
    signature: Signature


_FORMAT = Packed("staged", _Staged._fields)


class _Record(NamedTuple):
    clock: int  # the latest modification time ever given to a staged file
    files: Mapping[str, _Staged]


def stage(sources: Sources, dest: Path, *, tree: Path | None = None) -> frozenset[str]:
    """Make `dest` equal to `sources`; return the paths whose content changed since the scan, if any.

    `tree`: where to write the listing that the container checks; it exists only while `dest` is exact.
    """
    try:
        return _stage(sources, dest, tree)
    except OSError as error:
        reason = error.strerror or str(error)
        raise WorkspaceError(f"cannot write the build context: {reason}", where=str(error.filename or dest)) from error


def tree_text(entries: Mapping[str, Entry]) -> bytes:
    """One line per entry, sorted by bytes; `sed -n 's/^[fx] //p'` makes it input for `sha256sum --check`."""
    lines = [
        b"%s %s  %s\n" % (entries[path].kind.encode(), entries[path].digest.encode(), os.fsencode(path))
        for path in sorted(entries, key=os.fsencode)
    ]
    return b"".join(lines)


def _stage(sources: Sources, dest: Path, tree: Path | None) -> frozenset[str]:
    os.makedirs(dest, exist_ok=True)
    entries, record_file = sources.entries, _beside(dest, ".staged")
    record = _load(record_file)
    have, folders = _walk(str(dest))
    files = _kept(entries, record, str(dest), have)
    missing = [path for path in entries if path not in files]
    surplus = [path for path in have if path not in entries]
    needed = _parents(entries)
    stale = [folder for folder in folders if folder not in needed]
    newest = max((found[1] for found in have.values()), default=0)
    stamp = max(time.time_ns(), record.clock + _TICK_NS, newest + _TICK_NS)
    text = tree_text(entries)
    if not (missing or surplus or stale) and files == record.files and (tree is None or _read(tree) == text):
        return frozenset()
    if tree is not None:
        _unlink(tree)
    # From here on the record speaks only of files that stay untouched.
    _save(record_file, _Record(stamp, files))
    _remove(str(dest), surplus, stale)
    moved = _copy_all(sources, dest, missing, files, stamp)
    _save(record_file, _Record(stamp, files))
    if not moved and tree is not None:
        _replace(tree, text, stamp)
    return moved


def _beside(dest: Path, suffix: str) -> Path:
    return dest.with_name(dest.name + suffix)


def _walk(dest: str) -> tuple[dict[str, Signature], list[str]]:
    """What is in the context now: everything but folders, with stat data; and the folders, parents first."""
    have: dict[str, Signature] = {}
    folders: list[str] = []
    stack = [""]
    while stack:
        folder = stack.pop()
        with os.scandir(f"{dest}/{folder}") as found:
            for entry in found:
                path = folder + entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                    stack.append(path + "/")
                else:
                    have[path] = signature(entry.stat(follow_symlinks=False))
    return have, folders


def _kept(
    entries: Mapping[str, Entry], record: _Record, dest: str, have: Mapping[str, Signature]
) -> dict[str, _Staged]:
    """The staged files that are right already, by the record, or else by their content."""
    kept = {}
    for path, found in have.items():
        entry, staged = entries.get(path), record.files.get(path)
        if entry is None:
            continue
        if staged is None or staged.signature != found:
            seen = read_entry(f"{dest}/{path}", 0)
            staged = _Staged(seen.kind, seen.digest.hex(), found)
        if staged.kind == entry.kind and staged.digest == entry.digest:
            kept[path] = staged
    return kept


def _parents(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        while (path := path.rpartition("/")[0]) and path not in found:
            found.add(path)
    return found


def _remove(dest: str, surplus: Sequence[str], stale: Sequence[str]) -> None:
    for path in surplus:
        os.unlink(f"{dest}/{path}")
    for folder in sorted(stale, key=len, reverse=True):
        os.rmdir(f"{dest}/{folder}")


def _copy_all(
    sources: Sources, dest: Path, missing: Sequence[str], files: dict[str, _Staged], stamp: int
) -> frozenset[str]:
    """Copy missing files into place and add them to `files`."""
    temporary, moved, made = str(_beside(dest, ".tmp")), set(), {""}
    for path in missing:
        entry, target = sources.entries[path], f"{dest}/{path}"
        _unlink(temporary)
        if not _copy(str(sources.host_path(path)), temporary, entry):
            moved.add(path)
            continue
        parent = path.rpartition("/")[0]
        if parent not in made:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            made.add(parent)
        os.utime(temporary, ns=(stamp, stamp), follow_symlinks=False)
        os.replace(temporary, target)
        files[path] = _Staged(entry.kind, entry.digest, signature(os.lstat(target)))
    _unlink(temporary)
    return frozenset(moved)


def content(host: str, entry: Entry) -> bytes | None:
    """What is in one file, or where a link leads; None if the host's file is no longer the one that was scanned."""
    read = bytearray()
    if entry.kind == "l":
        link = _link(host, entry)
        return None if link is None else os.fsencode(link)
    return bytes(read) if _same(host, entry, read.extend) else None


def _copy(host: str, temporary: str, entry: Entry) -> bool:
    """Copy one file; False if the host's file is no longer the one that was scanned."""
    if entry.kind == "l":
        link = _link(host, entry)
        if link is not None:
            os.symlink(link, temporary)
        return link is not None
    with open(temporary, "wb", buffering=0) as target:
        os.fchmod(target.fileno(), 0o755 if entry.kind == "x" else 0o644)
        return _same(host, entry, lambda chunk: _write_fully(target.fileno(), chunk))


def _link(host: str, entry: Entry) -> str | None:
    try:
        link = os.readlink(host)
    except OSError:
        return None
    return link if hashlib.sha256(os.fsencode(link)).hexdigest() == entry.digest else None


def _same(host: str, entry: Entry, taken: Callable[[bytes], object]) -> bool:
    """Hand on what is in a file, in pieces; whether that was what the scan saw."""
    try:
        descriptor = os.open(host, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode) or ("x" if mode & stat.S_IXUSR else "f") != entry.kind:
        os.close(descriptor)
        return False
    with open(descriptor, "rb", buffering=0) as source:
        seen = hashlib.sha256()
        while chunk := source.read(_CHUNK):
            seen.update(chunk)
            taken(chunk)
    return seen.hexdigest() == entry.digest


def _write_fully(descriptor: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _unlink(path: str | Path) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except IsADirectoryError:
        shutil.rmtree(path)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _replace(path: Path, content: bytes, stamp: int) -> None:
    os.makedirs(path.parent, exist_ok=True)
    write(path, content, stamp=stamp)


def _load(path: Path) -> _Record:
    """The record, or an empty one if it is missing or damaged; then every staged file is hashed again."""
    found = _FORMAT.read(path)
    if found is None:
        return _Record(0, {})
    clock, staged = found
    return _Record(clock, {path: _Staged(*values) for path, values in staged.items()})


def _save(path: Path, record: _Record) -> None:
    values = (record.clock, {path: tuple(staged) for path, staged in record.files.items()})
    _replace(path, _FORMAT.pack(values), record.clock)
