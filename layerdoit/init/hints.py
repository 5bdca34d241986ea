"""Facts that existing files tell of an image, each with its origin: the file and line that says so.

Kinds and values: `apt-build`, `apt-run` (a Debian package), `apk` (one of Alpine whose Debian name is not known),
`port`, `publish` (a port of the host), `user`, `workdir`, `entrypoint` (the program's name), `script` (the path in the
image of a script that is run in its place), `cmd` and `args` (JSON list), `env`, `build-env` and `deploy-env`
(`NAME=value`), `label` (`name=value`), `asset` (`path in the project:path in the image`), `health` (an HTTP path),
`health-command`, `health-timeout`, `stop-signal`, `stop-grace`, `volume` (a path), `folder` (one that it makes),
`mount` (`source:target[:ro]`), `network`, `isolated` (no), `base-image`, `arg` (a build argument), `features` (comma
list), `default-features` (no), `all-features` (yes), `package`, `bin`, `profile`, `target`, `root` (nobody else runs
it), `provider` and `compose-service` (where it may be deployed), `beside` (another service of a compose file; `why`:
the folder that it is built from), `front-end` (a package, or `package/binary`, that browsers run), `note` (a sentence:
what has no counterpart, and what to do), `note-beside` (one on other services, which may be needs of services).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple


class Hint(NamedTuple):
    """One fact; `where` is `file:line`. `why`: more of a reason; not `sure`: a person must say whether it is meant."""

    kind: str
    value: str
    where: str
    why: str = ""
    sure: bool = True

    @property
    def origin(self) -> str:
        """As a reason beside a setting."""
        return f"from {self.where}" + (f", {self.why}" if self.why else "")


def note(where: str, text: str) -> Hint:
    """What has no counterpart, and what to do."""
    return Hint("note", text, where)


def _none(_: str) -> list[str]:
    return []


class Files(NamedTuple):
    """What of the words in existing files the project has. `programs`: its binaries; empty where they are not known."""

    exists: Callable[[str], bool]
    matching: Callable[[str], list[str]] = _none
    """The paths that a pattern such as `config/*.toml` matches."""
    text: Callable[[str], str | None] = lambda _: None
    programs: frozenset[str] = frozenset()
    names: Callable[[str], bool] = lambda _: False
    """Whether a Rust source holds a word."""
    starts: Callable[[str], bool] = lambda _: False
    """Whether a Rust source starts a program."""

    def is_folder(self, path: str) -> bool:
        return self.exists(f"{path}/.")


def files_of(paths: Iterable[str], programs: Iterable[str] = ()) -> Files:
    """These paths and no other; folders have a `/.` besides."""
    import fnmatch

    there = frozenset(paths)
    return Files(
        lambda path: path in there,
        lambda pattern: sorted(path for path in there if fnmatch.fnmatchcase(path, pattern)),
        lambda _: None,
        frozenset(programs),
    )
