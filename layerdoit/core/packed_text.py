"""Text that a script inside a build sends in its log: gzip and base64, in pieces."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable
from typing import Final

_GZIP: Final = zlib.MAX_WBITS | 16


def unpack(parts: Iterable[str]) -> str | None:
    """The text; None where there is none, or it cannot be read. Bytes that are no UTF-8 are surrogates."""
    try:
        packed = base64.b64decode("".join(parts), validate=True)
        return zlib.decompress(packed, _GZIP).decode("utf-8", "surrogateescape")
    except (binascii.Error, zlib.error, ValueError):
        return None
