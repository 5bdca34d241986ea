"""How an image for a platform comes about, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["native", "cross", "emulated"]


@dataclass(frozen=True)
class Way:
    """`platform`: what the image is for; `build_platform`: what compiles runs on.

    `builder`: the buildx builder, None for that of the configuration; `why`: in words.
    """

    platform: str
    kind: Kind
    builder: str | None
    build_platform: str
    why: str
