"""What the answers of git about files stand on: names and kinds of what is in folders, and the files that say rules.

Its answers follow from nothing else: which files it tracks (its index), what is there, and what it is to ignore.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

from layerdoit.core.errors import ProcessError
from layerdoit.core.process import capture_quick
from layerdoit.tree import git
from layerdoit.tree.entries import RACY_NS
from layerdoit.tree.index import filesystem_time

_RULES: Final = (".git", ".gitignore", "index", "config", "config.worktree", "exclude", "ignore")
"""Names of files with rules, in any folder."""
_CONFIGURED: Final = ("config", "--list", "--show-origin", "-z")
_SYSTEM: Final = "/etc/gitconfig"

Stat = tuple[int, ...]


class Unknown(Exception):
    """It cannot be said what they stand on."""


class Standing:
    """A state of folders and files, and whether they are in it still.

    A folder with the times of before has the entries of before, if they were old enough when they were looked at; else
    the entries are compared. Of a file with rules, only the same stat data count, old enough as well.
    """

    def __init__(self, folders: Iterable[str], tops: Collection[str], clock: Path | None) -> None:
        """`folders`: all of those whose entries count; `tops`: the repositories' folders. Raises `Unknown`.

        `clock`: a file beside which one may be written, to see what time the file system has.
        """
        self._clock = clock
        self._folders = sorted(_with_those_above(folders))
        # Between the two: what is changed from now on is another state.
        configured = _configuration(tops)
        self._rules: dict[str, Stat] = {path: _stat(path) for path in configured}
        if configured != _configuration(tops):
            raise Unknown
        self._stats: dict[str, Stat] = {}
        self._entries: dict[str, frozenset[tuple[str, int]]] = {}
        self._files: dict[str, Stat] = {}
        self._young = True

    def take(self) -> bool:
        """Take it as it is now. False where it cannot be said any more what they stand on."""
        if any(_stat(path) != known for path, known in self._rules.items()):
            return False
        now = filesystem_time(self._clock)
        self._stats = {folder: _trusted(_stat(folder), now) for folder in self._folders}
        self._entries = {folder: _entries(folder) for folder in self._folders}
        files = [os.path.join(folder, name) for folder in self._folders for name in _RULES]
        self._files = {path: _stat(path) for path in files if os.path.lexists(path)}
        every = (*self._files.values(), *self._rules.values())
        self._young = not all(_trusted(found, now) for found in every if found)
        return True

    def holds(self) -> bool:
        """Whether it is as it was taken, for certain."""
        if self._young or not self._stats:
            return False
        files = (*self._files.items(), *self._rules.items())
        if any(_stat(path) != known for path, known in files):
            return False
        found = {folder: _stat(folder) for folder in self._folders}
        changed = [folder for folder, now in found.items() if now != self._stats[folder]]
        if changed:
            now = filesystem_time(self._clock)
            if any(_entries(folder) != self._entries[folder] for folder in changed):
                return False
            self._stats |= {folder: _trusted(found[folder], now) for folder in changed}
        return True


def _with_those_above(folders: Iterable[str]) -> set[str]:
    """And the folders above them, up to the top of the repository: what they say to ignore counts below, too."""
    found = set(folders)
    todo = list(found)
    while todo:
        folder = todo.pop()
        above = os.path.dirname(folder)
        if above not in found and not git.is_top(folder):
            found.add(above)
            todo.append(above)
    return found


def _stat(path: str) -> Stat:
    try:
        found = os.lstat(path)
    except OSError:
        return ()
    if stat.S_ISLNK(found.st_mode):
        # What it leads to may be changed elsewhere.
        return (*_numbers(found), *_followed(path))
    return _numbers(found)


def _followed(path: str) -> Stat:
    try:
        return _numbers(os.stat(path))
    except OSError:
        return ()


def _numbers(found: os.stat_result) -> Stat:
    of_folder = stat.S_ISDIR(found.st_mode)
    size = 0 if of_folder else found.st_size
    return found.st_mtime_ns, found.st_ctime_ns, size, found.st_ino, found.st_dev, found.st_mode


def _trusted(found: Stat, now: int) -> Stat:
    """The same; nothing that equals it where it is too young: another change may leave the same times."""
    return found if not found or max(found[:2]) + RACY_NS < now else ()


def _entries(folder: str) -> frozenset[tuple[str, int]]:
    try:
        with os.scandir(folder) as found:
            return frozenset((one.name, _kind(one)) for one in found)
    except OSError:
        return frozenset()


def _kind(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return 1
    return 2 if entry.is_dir(follow_symlinks=False) else 3 if entry.is_file(follow_symlinks=False) else 4


# --- the configuration of git ----------------------------------------------------------------------------------------


def _configuration(tops: Collection[str]) -> set[str]:
    """The files that it is read from, or would be if they were there, and those that it names."""
    home = os.path.expanduser("~")
    own = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    found = {
        _SYSTEM,
        os.path.join(home, ".gitconfig"),
        *(os.path.join(own, "git", one) for one in ("config", "ignore")),
    }
    for top in tops:
        try:
            said = os.fsdecode(capture_quick(git.command(*_CONFIGURED), top))
        except ProcessError:
            raise Unknown from None
        found.update(_named(said.split("\0"), top))
    return found


def _named(words: list[str], top: str) -> Iterator[str]:
    for origin, setting in zip(words[::2], words[1::2], strict=False):
        file = os.path.join(top, origin.removeprefix("file:")) if origin.startswith("file:") else ""
        if file:
            yield file
        key, _, value = setting.partition("\n")
        if key == "core.excludesfile" or (key.startswith(("include.", "includeif.")) and key.endswith(".path")):
            if value.startswith(("%", "~")) and not value.startswith("~/"):
                raise Unknown
            yield os.path.join(os.path.dirname(file) if key != "core.excludesfile" else top, os.path.expanduser(value))
