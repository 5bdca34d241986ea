"""Which crates are compiled for the target, by the word of the host's cargo (`cargo tree --target`), where it knows.

    compiled(root, ws, lock, selection, options) -> Graph | None

Cargo.lock is of all platforms. What an external crate depends on for another one stands in its manifest, which cargo
has where it ever downloaded it. None without cargo, or where it has not: then the lock file has to do.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Final

from layerdoit.cargo.selection import package_ids
from layerdoit.core import process
from layerdoit.core.errors import ProcessError
from layerdoit.core.platform import container_triple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from layerdoit.cargo.lock import Lock
    from layerdoit.cargo.manifest import Workspace
    from layerdoit.cargo.native import Need
    from layerdoit.cargo.options import Options
    from layerdoit.cargo.selection import Selection

Graph = frozenset[tuple[str, str]]
"""Name and version of each crate."""

_SECONDS: Final = 10.0
_CRATE = re.compile(r"(\S+) v(\S+)")


def compiled(root: Path, ws: Workspace, lock: Lock, selection: Selection, options: Options) -> Graph | None:
    """Everything that a build of the selection compiles."""
    if shutil.which("cargo") is None:
        return None
    triple = options.target or container_triple()
    # Asking must not download a toolchain, nor a crate.
    command = ["env", "RUSTUP_AUTO_INSTALL=0", "cargo", "tree", "--locked", "--offline", "--target", triple]
    command += ["-e", "normal,build", "--prefix", "none", "-f", "{p}"]
    command += [word for name in package_ids(ws, lock, selection, stubbed=None) for word in ("-p", name)]
    command += [word for setting in options.settings() if _of_features(setting.name) for word in setting.words]
    try:
        told = process.capture(command, cwd=root, seconds=_SECONDS).stdout
    except ProcessError:
        return None
    return frozenset((found[1], found[2]) for line in told.splitlines() if (found := _CRATE.match(line)))


def _of_features(setting: str) -> bool:
    return setting in ("option features", "option all-features", "option default-features")


def kept(needs: Iterable[Need], graph: Graph | None) -> tuple[Need, ...]:
    """The needs of crates that are compiled; all of them where that is not known."""
    return tuple(need for need in needs if graph is None or (need.crate, need.version) in graph)


def known(crates: Iterable[str], graph: Graph | None) -> tuple[str, ...]:
    """Those of the crates that are compiled; all of them where that is not known."""
    names = None if graph is None else {name for name, _ in graph}
    return tuple(crate for crate in crates if names is None or crate in names)
