"""What cargo has downloaded on this machine, of crates.io: archives of crates, and what the index says of them.

    give(packages, folder)    # into `folder`, as it is below $CARGO_HOME/registry

An archive counts where its digest is the one that Cargo.lock has: cargo itself looks at that only when it downloads.
The entries of the index are believed, as cargo here believes them.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from typing import TYPE_CHECKING, Final

from layerdoit.cargo.lock import CRATES_IO
from layerdoit.core import user_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from layerdoit.cargo.lock import LockPackage

_FOLDERS: Final = "index.crates.io-*"
"""What cargo calls the folders of crates.io (sparse, since 1.68); the end depends on its version."""


def give(packages: Iterable[LockPackage], folder: Path) -> None:
    """Put the archives and index entries of packages into a new folder.

    Only the cargo of the build knows how it calls crates.io's folder, so those of all cargos here are given. What
    cannot be read is left out.
    """
    registry = user_folder.cargo() / "registry"
    wanted = [package for package in packages if package.source == CRATES_IO and package.checksum]
    for index in sorted(registry.glob(f"index/{_FOLDERS}")) if wanted else ():
        # Without it, cargo asks for the address of all else.
        _give(registry, f"index/{index.name}/config.json", folder)
        for package in wanted:
            _give(registry, f"index/{index.name}/.cache/{entry_of(package.name)}", folder)
            archive = f"cache/{index.name}/{package.name}-{package.version}.crate"
            _give(registry, archive, folder, package.checksum)


def _give(registry: Path, path: str, folder: Path, checksum: str | None = None) -> None:
    # A second name of a link would be a link, which leads nowhere in the build.
    here, there = (registry / path).resolve(), folder / path
    there.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        try:
            # A second name takes no room, as long as the build context stays.
            there.hardlink_to(here)
        except OSError:
            shutil.copyfile(here, there)
        if not _is_right(there, checksum):
            there.unlink()


def _is_right(path: Path, checksum: str | None) -> bool:
    try:
        content = path.read_bytes()
    except OSError:
        # It would stop the build. Where cargo cannot read it either, it downloads.
        return False
    return checksum is None or hashlib.sha256(content).hexdigest() == checksum


def entry_of(name: str) -> str:
    """Where an index keeps a crate (The Cargo Book, Registry Index): `se/rd/serde`, `3/s/syn`."""
    name = name.lower()
    if len(name) < 3:
        return f"{len(name)}/{name}"
    return f"3/{name[0]}/{name}" if len(name) == 3 else f"{name[:2]}/{name[2:4]}/{name}"
