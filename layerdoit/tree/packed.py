"""Fast storage of our own values on disk. A file that is broken or of another version counts as missing."""

from __future__ import annotations

import marshal
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Packed:
    """One kind of file. Its header has the kind, the names of its fields and the Python that wrote it.

    Another Python may marshal differently, and other fields mean another version of this code.
    """

    def __init__(self, kind: str, fields: Iterable[str]) -> None:
        self._magic = f"layerdoit {kind}: {','.join(fields)}; {sys.implementation.cache_tag}\n".encode()

    def pack(self, value: Any) -> bytes:
        """The content of a file."""
        body = marshal.dumps(value)
        return self._magic + zlib.crc32(body).to_bytes(4, "big") + body

    def read(self, path: Path) -> Any:
        """The value in a file, or None."""
        try:
            blob = path.read_bytes()
        except OSError:
            return None
        start = len(self._magic) + 4
        checked = int.from_bytes(blob[start - 4 : start], "big")
        if not blob.startswith(self._magic) or len(blob) <= start or zlib.crc32(blob[start:]) != checked:
            return None
        return marshal.loads(blob[start:])
