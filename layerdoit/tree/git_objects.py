"""git's pack and index files, written so that equal contents give equal bytes on every machine.

Formats: gitformat-pack(5), gitformat-index(5). Nothing is compressed: the bytes would depend on the version of zlib.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

_KINDS: Final = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
_STORED: Final = 0xFFFF
_FAR: Final = 1 << 31
_EXTENDED, _ASSUMED, _SKIPPED = 1 << 14, 1 << 15, 1 << 14


class Object(NamedTuple):
    """An object of a repository. `name`: its id, in bytes."""

    name: bytes
    kind: str
    content: bytes


class Tracked(NamedTuple):
    """An entry of the index. `skipped`: not in the work tree, and that is no change; `assumed`: taken as unchanged."""

    path: bytes
    mode: int
    name: bytes
    stage: int = 0
    skipped: bool = False
    assumed: bool = False


def pack(objects: Iterable[Object], form: str) -> tuple[bytes, bytes]:
    """A pack and its index. `form`: the hash of the repository, `sha1` or `sha256`."""
    ordered = sorted(objects)
    parts = [b"PACK" + struct.pack(">II", 2, len(ordered))]
    at, offsets, sums = len(parts[0]), list[int](), list[int]()
    for one in ordered:
        part = _header(_KINDS[one.kind], len(one.content)) + _uncompressed(one.content)
        offsets.append(at)
        sums.append(zlib.crc32(part))
        parts.append(part)
        at += len(part)
    body = b"".join(parts)
    trailer = hashlib.new(form, body).digest()
    return body + trailer, _pack_index([one.name for one in ordered], sums, offsets, trailer, form)


def loose(one: Object) -> tuple[str, bytes]:
    """A single object as a file: its path below `objects`, and the content."""
    name = one.name.hex()
    return f"{name[:2]}/{name[2:]}", _uncompressed(f"{one.kind} {len(one.content)}\0".encode() + one.content)


def _header(kind: int, size: int) -> bytes:
    first, size = (kind << 4) | (size & 15), size >> 4
    found = bytearray()
    while size:
        found.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    return bytes((*found, first))


def _uncompressed(data: bytes) -> bytes:
    """A zlib stream that holds data as it is (RFC 1951, 3.2.4)."""
    chunks = [data[at : at + _STORED] for at in range(0, len(data), _STORED)] or [b""]
    blocks = (
        struct.pack("<BHH", number == len(chunks), len(chunk), len(chunk) ^ _STORED) + chunk
        for number, chunk in enumerate(chunks, 1)
    )
    return b"\x78\x01" + b"".join(blocks) + struct.pack(">I", zlib.adler32(data))


def _pack_index(
    names: Sequence[bytes], sums: Sequence[int], offsets: Sequence[int], trailer: bytes, form: str
) -> bytes:
    counts = [0] * 256
    for name in names:
        counts[name[0]] += 1
    fan, total = [], 0
    for count in counts:
        total += count
        fan.append(total)
    far = [offset for offset in offsets if offset >= _FAR]
    places = {offset: _FAR | number for number, offset in enumerate(far)}
    body = b"\xfftOc" + struct.pack(">I256I", 2, *fan) + b"".join(names)
    body += struct.pack(f">{len(sums)}I", *sums)
    body += struct.pack(f">{len(offsets)}I", *(places.get(offset, offset) for offset in offsets))
    body += struct.pack(f">{len(far)}Q", *far) + trailer
    return body + hashlib.new(form, body).digest()


def index(entries: Iterable[Tracked], form: str) -> bytes:
    """An index that knows nothing of the files' times, so that whoever compares looks at their contents."""
    ordered = sorted(entries, key=lambda one: (one.path, one.stage))
    version = 3 if any(one.skipped for one in ordered) else 2
    body = b"DIRC" + struct.pack(">II", version, len(ordered)) + b"".join(_rows(ordered))
    return body + hashlib.new(form, body).digest()


def _rows(entries: Iterable[Tracked]) -> Iterator[bytes]:
    for one in entries:
        flags = min(len(one.path), 0xFFF) | (one.stage << 12)
        flags |= _ASSUMED if one.assumed else 0
        flags |= _EXTENDED if one.skipped else 0
        row = struct.pack(">10I", 0, 0, 0, 0, 0, 0, one.mode, 0, 0, 0) + one.name + struct.pack(">H", flags)
        row += struct.pack(">H", _SKIPPED) if one.skipped else b""
        row += one.path
        yield row + bytes(8 - len(row) % 8)
