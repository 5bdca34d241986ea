"""Files of git LFS of which only the pointer is here: three lines of text where a picture or a model should be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_BEGINS: Final = b"version https://git-lfs.github.com/spec/v1\n"
_FILTER: Final = b"filter=lfs"
# A pointer is smaller than this, by its specification.
_MOST: Final = 1024
ADVICE: Final = "git lfs pull"


def pointers(root: Path, names: Iterable[str]) -> Iterator[str]:
    """Those of the files, relative to a folder, that are pointers. Without git LFS no file is looked at."""
    names = list(names)
    if any(_FILTER in _head(root / name, None) for name in _attributes(root, names)):
        yield from (name for name in names if _is_pointer(root / name))


def _attributes(root: Path, names: Iterable[str]) -> Iterator[str]:
    yield from (name for name in names if name.rpartition("/")[2] == ".gitattributes")
    for folder in (root, *root.parents):
        yield str(folder / ".gitattributes")
        if (folder / ".git").exists():
            yield str(folder / ".git/info/attributes")
            return


def _is_pointer(path: Path) -> bool:
    try:
        return path.lstat().st_size < _MOST and _head(path, len(_BEGINS)) == _BEGINS
    except OSError:
        return False


def _head(path: Path, most: int | None) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError:
        return b""
