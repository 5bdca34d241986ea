"""Which Node a component is built with: the one that a version file names, else this machine's."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final, NamedTuple

from layerdoit.core import files
from layerdoit.core.errors import ProcessError
from layerdoit.node.folder_names import joined

FILES: Final = (".node-version", ".nvmrc")
_VERSION: Final = re.compile(r"v?(\d+(?:\.\d+){0,2})")
_ASK: Final = (
    "console.log(JSON.stringify({path: process.execPath, version: process.versions.node, "
    "shared: Boolean(process.config.variables.node_shared)}))"
)


class Wanted(NamedTuple):
    """A version that a file names: `20`, `20.11.1`; '' where none does. `source`: the file."""

    version: str
    source: str


class Installed(NamedTuple):
    """This machine's Node. `program`: the file; `npm`: the folder of its npm; None where they cannot be copied."""

    version: str
    program: Path | None
    npm: Path | None


def wanted(folders: Collection[str], names: Collection[str], host: Callable[[str], Path]) -> Wanted:
    """The version that the nearest file names. A name such as `lts/iron` is no version: it changes by itself."""
    for folder in folders:
        for name in FILES:
            path = joined(folder, name)
            if path in names and (found := _VERSION.fullmatch(host(path).read_text("utf-8", "replace").strip())):
                return Wanted(found[1], path)
    return Wanted("", "")


def installed(cwd: Path, note: Path) -> Installed | None:
    """This machine's Node, None without one. `note`: keeps the answer while the program is the same."""
    program = shutil.which("node")
    if program is None:
        return None
    found = os.stat(program)
    mark = [program, found.st_mtime_ns, found.st_size, found.st_ino, str(cwd) if _shim(program) else ""]
    known = files.read_json(note)
    if known.get("mark") != mark:
        from layerdoit.core.process import capture

        try:
            said = json.loads(capture([program, "-e", _ASK], cwd=cwd).stdout)
        except (ProcessError, ValueError):
            return None
        known = {"mark": mark, **said}
        files.write_json(note, known)
    path = Path(known["path"])
    npm = path.parent.parent / "lib/node_modules/npm"
    usable = not known["shared"] and (npm / "bin/npm-cli.js").is_file()
    return Installed(known["version"], path if usable else None, npm if usable else None)


def _shim(program: str) -> bool:
    """Whether it may be a small program that chooses a Node by the folder that it is called in."""
    return os.path.getsize(os.path.realpath(program)) < 10_000_000


def fits(version: str, asked: str) -> bool:
    """Whether `20.11.1` is `20`."""
    return version == asked or version.startswith(f"{asked}.")
