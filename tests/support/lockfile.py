"""Cargo.lock, as cargo writes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

CRATES_IO: Final = "registry+https://github.com/rust-lang/crates.io-index"


def entry(name: str, version: str = "0.1.0", needs: Iterable[str] = (), *, source: str = "", checksum: str = "") -> str:
    """Write one package. Without a source it is one of the workspace."""
    lines = ["[[package]]", f'name = "{name}"', f'version = "{version}"']
    lines += [f'source = "{source}"'] if source else []
    lines += [f'checksum = "{checksum}"'] if checksum else []
    needed = [f' "{need}",' for need in sorted(needs)]
    lines += ["dependencies = [", *needed, "]"] if needed else []
    return "\n".join(lines) + "\n"


def external(name: str, version: str, checksum: str, needs: Iterable[str] = ()) -> str:
    """Write one package of crates.io."""
    return entry(name, version, needs, source=CRATES_IO, checksum=checksum)


def lockfile(*entries: str, version: int = 4) -> str:
    """Write the whole file."""
    return "\n".join([f"version = {version}\n", *sorted(entries)])
