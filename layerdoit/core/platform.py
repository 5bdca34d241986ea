"""The machine's architecture, by its names in Rust and in Docker; the platforms that images can be for."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

_DOCKER: Final = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7": "arm", "riscv64gc": "riscv64"}


class Platform(NamedTuple):
    """One platform, by its names.

    `name`: Docker's; `rust`: the first word of a triple; `elf`: number of the machine, in the header of a program.
    """

    name: str
    rust: str
    elf: int

    @property
    def triple(self) -> str:
        """The target of Rust with the C library of Debian."""
        return self.with_library("gnu")

    def with_library(self, library: str) -> str:
        """The target of Rust with `gnu` or `musl`."""
        return f"{self.rust}-unknown-linux-{library}{'eabihf' if self.rust == 'armv7' else ''}"


PLATFORMS: Final = (
    Platform("linux/amd64", "x86_64", 62),
    Platform("linux/arm64", "aarch64", 183),
    Platform("linux/arm/v7", "armv7", 40),
    Platform("linux/386", "i686", 3),
    Platform("linux/ppc64le", "powerpc64le", 21),
    Platform("linux/riscv64", "riscv64gc", 243),
    Platform("linux/s390x", "s390x", 22),
)
"""Those that Debian and Rust both know."""


def platform_of(name: str) -> Platform | None:
    """The platform of a name, with or without `linux/` and the variant that its images have by default."""
    plain = name if name.startswith("linux/") else f"linux/{name}"
    plain = {"linux/arm64/v8": "linux/arm64", "linux/arm": "linux/arm/v7"}.get(plain, plain)
    return next((one for one in PLATFORMS if one.name == plain), None)


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
