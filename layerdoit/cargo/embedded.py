"""Which files Rust sources name for the compiler to read: in macros that embed files, and in build scripts."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_TEXT = r'"(?P<{}>(?:[^"\\\n]|\\.)+)"'
# Relative to the file in which it stands.
_OF_THE_FILE = re.compile(r"(?:\binclude(?:_str|_bytes)?!\s*[({]|#\[path\s*=)\s*" + _TEXT.format("path"))
# Relative to the folder of the package.
_OF_THE_PACKAGE = re.compile(
    r"\binclude(?:_str|_bytes)?!\s*[({]\s*concat!\s*\(\s*env!\s*\(\s*\"CARGO_MANIFEST_DIR\"\s*\)\s*,\s*"
    + _TEXT.format("joined")
    + r"|\b(?:include_dir|migrate|embed_migrations)!\s*[({]\s*(?:\w+\s*=\s*)?"
    + _TEXT.format("macro")
    + r"|#\[(?:folder|grammar|graphql\([^)\n]*?path)\s*=\s*"
    + _TEXT.format("attribute")
)
_LITERAL = re.compile(_TEXT.format("path"))
_COMMENT = re.compile(r"^[ \t]*//.*$", re.MULTILINE)
_MOST = 1 << 20


class Named(NamedTuple):
    """A path, relative to the workspace, and the `file:line` that names it."""

    path: str
    where: str


def named(root: Path, files: Iterable[str]) -> Iterator[Named]:
    """What the Rust sources among the files, relative to the workspace, name; it need not exist."""
    for file in files:
        if not file.endswith(".rs"):
            continue
        text = _text(root / file)
        code = _COMMENT.sub("", text)
        for path, at in _paths(root, file, code):
            where = f"{file}:{code.count(chr(10), 0, at) + 1}"
            yield Named(os.path.relpath(os.path.normpath(root / path), root), where)


def _paths(root: Path, file: str, code: str) -> Iterator[tuple[str, int]]:
    folder = posixpath.dirname(file)
    for match in _OF_THE_FILE.finditer(code):
        yield posixpath.join(folder, match["path"]), match.start()
    package = _package(root, folder)
    for match in _OF_THE_PACKAGE.finditer(code):
        path = next(filter(None, match.groups()))
        # Without a slash before it, the folder's name would only be made longer.
        if match["joined"] is None or path.startswith("/"):
            yield posixpath.join(package, _in_package(path)), match.start()
    if posixpath.basename(file) == "build.rs" and package == folder:
        for match in _LITERAL.finditer(code):
            path = match["path"].partition("rerun-if-changed=")[2] or match["path"]
            if ("/" in path or "." in path) and not path.startswith("/") and ".git" not in path.split("/"):
                yield posixpath.join(package, path), match.start()


def _in_package(path: str) -> str:
    return re.sub(r"^\$\{?CARGO_MANIFEST_DIR\}?", "", path).lstrip("/") or "."


@lru_cache(maxsize=4096)
def _package(root: Path, folder: str) -> str:
    while folder and not (root / folder / "Cargo.toml").is_file():
        folder = posixpath.dirname(folder)
    return folder


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
