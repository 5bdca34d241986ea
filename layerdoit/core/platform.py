"""The machine's architecture, by its names in Rust and in Docker; the platforms that images can be for."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

_DOCKER: Final = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7": "arm", "riscv64gc": "riscv64"}
_GLIBC: Final = r"(.+-gnu(?:eabi(?:hf)?)?)\.(\d+\.\d+)"


class Platform(NamedTuple):
    """One platform, by its names.

    `name`: Docker's; `rust`: the first word of a triple; `debian`: the architecture of packages; `gnu`: what the names
    of the C compiler begin with; `machine`: what readelf calls it.
    """

    name: str
    rust: str
    debian: str
    gnu: str
    machine: str

    @property
    def word(self) -> str:
        """Its name in a word: `arm64`, `arm-v7`."""
        return self.name.removeprefix("linux/").replace("/", "-")

    @property
    def folder(self) -> str:
        """Debian's folder of libraries."""
        return "i386-linux-gnu" if self.debian == "i386" else self.gnu

    def triple(self, library: str = "gnu") -> str:
        """The target of Rust with the C library `gnu` or `musl`."""
        return f"{self.rust}-unknown-linux-{library}{'eabihf' if self.rust == 'armv7' else ''}"


PLATFORMS: Final = (
    Platform("linux/amd64", "x86_64", "amd64", "x86_64-linux-gnu", "Advanced Micro Devices X86-64"),
    Platform("linux/arm64", "aarch64", "arm64", "aarch64-linux-gnu", "AArch64"),
    Platform("linux/arm/v7", "armv7", "armhf", "arm-linux-gnueabihf", "ARM"),
    Platform("linux/386", "i686", "i386", "i686-linux-gnu", "Intel 80386"),
    Platform("linux/ppc64le", "powerpc64le", "ppc64el", "powerpc64le-linux-gnu", "PowerPC64"),
    Platform("linux/riscv64", "riscv64gc", "riscv64", "riscv64-linux-gnu", "RISC-V"),
    Platform("linux/s390x", "s390x", "s390x", "s390x-linux-gnu", "IBM S/390"),
)
"""Those that Debian and Rust both know."""


def platform_of(name: str) -> Platform | None:
    """The platform of a name, with or without `linux/` and the variant that its images have by default."""
    plain = name if name.startswith("linux/") else f"linux/{name}"
    plain = {"linux/arm64/v8": "linux/arm64", "linux/arm": "linux/arm/v7"}.get(plain, plain)
    return next((one for one in PLATFORMS if one.name == plain), None)


def described_platform(told: Mapping[str, Any]) -> str:
    """What an image is for, as the engine (`Os`) or a registry (`os`) describes it; '' where that does not say."""
    words = [str(told.get(name.capitalize()) or told.get(name) or "") for name in ("os", "architecture", "variant")]
    if not all(words[:2]):
        return ""
    name = "/".join(filter(None, words))
    known = platform_of(name)
    return known.name if known is not None else name


def alike(one: str, other: str) -> bool:
    """Whether an image for one platform is one for the other: the same system and architecture. '' is any."""
    return not one or not other or one.split("/")[:2] == other.split("/")[:2]


def glibc_of(target: str) -> tuple[str, str]:
    """The triple of a target, and the version of glibc that it names: `aarch64-unknown-linux-gnu.2.36`; '' for none."""
    found = re.fullmatch(_GLIBC, target)
    return (found[1], found[2]) if found else (target, "")


def architecture() -> str:
    """The first word of a Rust triple: `x86_64`, `aarch64`."""
    machine = os.uname().machine
    return {"arm64": "aarch64", "amd64": "x86_64"}.get(machine, machine)


def docker_name(machine: str) -> str:
    """Docker's name for a Rust architecture: `amd64` for `x86_64`."""
    return _DOCKER.get(machine, machine)


def container_triple() -> str:
    """The triple of a Linux container on this machine."""
    return f"{architecture()}-unknown-linux-gnu"


def host_triple() -> str:
    """The triple of this machine itself."""
    return f"{architecture()}-apple-darwin" if os.uname().sysname == "Darwin" else container_triple()
