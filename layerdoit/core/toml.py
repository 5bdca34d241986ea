"""The one reader of TOML, as cargo reads it: TOML 1.1, a byte order mark is skipped; errors name `file:line`.

    loads(text) -> dict                   # ValueError when it does not parse
    parse(text, where) -> dict            # WorkspaceError(where="file:line") when it does not
    read_text(path) -> str; read(path) -> dict

Python's own reader knows TOML 1.0; what it refuses is read again by tomli, which is imported only then.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from layerdoit.core import merge_conflict
from layerdoit.core.errors import WorkspaceError

if TYPE_CHECKING:
    from pathlib import Path

_MARK = "\ufeff"
_PLACE = r"\s*\(at (?:line (\d+), column \d+|end of document)\)$"


def loads(text: str) -> dict[str, Any]:
    """The tables of a TOML text; ValueError with the line at its end when it is none."""
    import tomllib  # here: a run with nothing to do reads no TOML

    text = text.removeprefix(_MARK).replace("\r\n", "\n")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("Nested too deeply (at end of document)") from None
    except ValueError as error:
        try:
            import tomli
        except ImportError:  # installed before it was required
            raise error from None
    found: dict[str, Any] = tomli.loads(text)
    return found


def parse(text: str, where: str) -> dict[str, Any]:
    """Parse TOML; a syntax error names the line of `where`."""
    try:
        return loads(text)
    except ValueError as error:
        if conflict := merge_conflict.line_of(text):
            hint = merge_conflict.next_step(where)
            raise WorkspaceError(merge_conflict.WHAT, where=f"{where}:{conflict}", hint=hint) from None
        message = str(error)
        found = re.search(_PLACE, message)
        line = (found and found[1]) or str(max(1, len(text.splitlines())))
        what = message[: found.start()] if found else message
        raise WorkspaceError(f"this is not valid TOML: {what}", where=f"{where}:{line}", hint="fix that line") from None


def read_text(path: Path) -> str:
    """Read a text file without its byte order mark; an error names the line that is not UTF-8."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8").removeprefix(_MARK)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise WorkspaceError("this file is not UTF-8", where=f"{path}:{line}", hint="save it as UTF-8") from None


def read(path: Path) -> dict[str, Any]:
    """The TOML file at `path`."""
    return parse(read_text(path), str(path))
