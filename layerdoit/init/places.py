"""Places in an existing image, and where they are in ours."""

from __future__ import annotations

import posixpath
from typing import Final

from layerdoit.config import Image
from layerdoit.dockerfile.folders import closed

OURS: Final = Image().workdir
"""Our working directory."""


def reachable(path: str) -> str:
    """Of a path in root's own folder, the same below our working directory."""
    plain = posixpath.normpath(path)
    return OURS + plain.removeprefix("/root") if closed([plain]) else path
