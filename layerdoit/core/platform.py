"""The machine's architecture, by its names in Rust and in Docker."""

from __future__ import annotations

import os
from typing import Final

_DOCKER: Final = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7": "arm", "riscv64gc": "riscv64"}


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
