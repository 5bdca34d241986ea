"""Variables of a container that a file has, such as a `.env` that git ignores: `NAME=value`, a line each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from layerdoit.core.errors import ConfigError

_LINE: Final = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_][\w.]*)\s*=\s*(?P<value>.*)")
_QUOTED: Final = re.compile(r"'(?P<plain>[^']*)'|\"(?P<escaped>(?:[^\"\\]|\\.)*)\"")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*$")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}


def read(root: Path, name: str, where: str | None, setting: str = "deploy.env_file") -> Mapping[str, str]:
    """The variables of a file that is named relative to the project. `where`: of the setting that names it."""
    try:
        text = (root / name).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        hint = f"write the file, a line NAME=value for each variable, or remove {setting} ({name})"
        raise ConfigError(f'{setting}: "{name}" cannot be read: {why}', where=where, hint=hint) from error
    return dict(_variables(text, name))


def _variables(text: str, name: str) -> list[tuple[str, str]]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        written = line.strip()
        if not written or written.startswith("#"):
            continue
        match = _LINE.fullmatch(written)
        if match is None:
            raise ConfigError("this is no line NAME=value", where=f"{name}:{number}", hint="correct it, or remove it")
        found.append((match["name"], _value(match["value"])))
    return found


def _value(written: str) -> str:
    """Without quotes, or without a comment behind it."""
    quoted = _QUOTED.match(written)
    if quoted is None or not re.fullmatch(r"\s*(#.*)?", written[quoted.end() :]):
        return _COMMENT.sub("", written).strip()
    if quoted["plain"] is not None:
        return quoted["plain"]
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), quoted["escaped"])
