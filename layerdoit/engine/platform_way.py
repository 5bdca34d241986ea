"""How an image for a platform comes about, as a value."""

from __future__ import annotations

from typing import Final, Literal

from layerdoit.core.frozen import Frozen

Kind = Literal["native", "cross", "emulated"]

REGISTER: Final = (
    "register QEMU on the engine's machine (Debian: apt-get install qemu-user-static binfmt-support), so that "
    "`docker buildx inspect` lists the platform"
)
"""What makes programs of another platform run."""


class Way(Frozen):
    """`platform`: what the image is for; `native`: the builder's own platform; `why`: in words.

    `builder`: the buildx builder, None for that of the configuration; `linker`: what links, '' where nothing is
    cross-compiled; `runs`: whether programs of the platform can run in a build;
    `elsewhere`: whether the platform is another one than that of images for which none is named.
    """

    platform: str
    kind: Kind
    builder: str | None
    native: str
    why: str
    linker: str = ""
    runs: bool = True
    elsewhere: bool = False

    @property
    def words(self) -> str:
        """The platform and the way to it, in a line."""
        return f"{self.platform}: {self.why}"

    @property
    def build_platform(self) -> str:
        """What compiles runs on."""
        return self.native if self.kind == "cross" else self.platform

    @property
    def foreign(self) -> bool:
        """Whether the image is for another platform than the builder's."""
        return self.platform != self.native
