"""Whose an image, container or mount is: projects of one name are told apart by marks.

A mark is `root:<first commit>`, `remote:<address>`, both with `//<folder in the repository>`, or `folder:<id>`,
`path:<digest>`. What bears no marks was made before there were any: its project's name alone says whose it is.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from layerdoit.config import repository_name
from layerdoit.core.errors import LayerdoitError
from layerdoit.engine.images import label

LABEL: Final = "marks"
FOLDER: Final = "folder"
"""The label of a container that says which folder it was deployed from; images travel, and bear none."""

_OF_GIT: Final = ("root:", "remote:")
_PLACE: Final = "path:"
_FOLDER: Final = "folder:"


@dataclass(frozen=True)
class Owner:
    """A project on the engine, besides its name. `marks`: the most lasting first; without any, the name decides.

    `folder`: where it is. `holds`: whether its checkout has a folder of that path, '' for the top.
    `drawn`: the digest that ids of its mounts bear.
    """

    marks: tuple[str, ...] = ()
    folder: str = ""
    holds: Callable[[str], bool] = field(default=lambda _: True, compare=False)
    drawn: str = ""

    @property
    def text(self) -> str:
        """The marks as a label holds them."""
        return " ".join(self.marks)

    @property
    def words(self) -> str:
        """Its folder and origin, for people."""
        return described(self.folder, self.marks)

    def as_json(self) -> dict[str, Any]:
        """The documented form."""
        return {"folder": self.folder, "origin": _origin(self.marks), "marks": list(self.marks)}

    def owns(self, labels: Mapping[str, str]) -> bool:
        """Whether something with these labels, of a project of this name, is this one's."""
        return self.is_of(label(labels, LABEL))

    def is_of(self, text: str) -> bool:
        """Whether marks, as a label holds them, are this project's."""
        if not text or not self.marks:
            return True
        theirs, ours = set(text.split()), set(self.marks)
        both_in_git = all(any(mark.startswith(_OF_GIT) for mark in marks) for marks in (theirs, ours))
        # A path is the same project's until another repository stands there.
        shared = {mark for mark in theirs & ours if not (both_in_git and mark.startswith(_PLACE))}
        return bool(shared) or any(self._moved(mark) for mark in theirs)

    def made_here(self, labels: Mapping[str, str]) -> bool:
        """Whether this very folder of this machine made something with these labels."""
        theirs = set(label(labels, LABEL).split())
        return any(mark in theirs for mark in self.marks if mark.startswith(_PLACE))

    def made_elsewhere(self, labels: Mapping[str, str]) -> bool:
        """Whether another folder of this project did, such as another clone; not the same folder by another path."""
        theirs = set(label(labels, LABEL).split())
        placed = any(mark.startswith(_PLACE) for mark in theirs)
        return placed and not any(mark in theirs for mark in self.marks if mark.startswith((_PLACE, _FOLDER)))

    def _moved(self, mark: str) -> bool:
        """Whether it is of this repository, and its folder there is no more: the folder was renamed."""
        repository, _, inside = mark.partition("//")
        mine = {own.partition("//")[0] for own in self.marks if own.startswith(_OF_GIT)}
        return repository in mine and not self.holds(unquote(inside))

    def draws(self, digest: str) -> bool:
        """Whether a mount with that digest in its id is this project's."""
        return digest in {self.drawn, *map(digest_of, self.marks)}


ANYONE: Final = Owner()
"""Goes by the name alone."""


def digest_of(mark: str) -> str:
    """Eight hexadecimal digits for a mark."""
    return hashlib.sha256(mark.encode()).hexdigest()[:8]


def refused(name: str, what: str, ours: Owner, theirs: Mapping[str, str], where: str | None = None) -> LayerdoitError:
    """The error for what another project of this name has. `theirs`: its labels."""
    other = words_of(theirs) or "another folder"
    if (project := label(theirs, "project")) not in ("", name):
        return LayerdoitError(
            f"{what} belongs to the project {project}: {other}; this one is {name}: {ours.words}",
            where=where,
            hint="set image.repository or image.tags of one of the two to another value",
        )
    return LayerdoitError(
        f"{what} belongs to another project of the name {name}: {other}; this one is {ours.words}",
        where=where,
        hint=f'write "project: {_another(name, ours)}", or another name, into layerdoit.yaml of one of the two',
    )


def _another(name: str, ours: Owner) -> str:
    """A name that tells the project from its namesake: with its folder, or the folder's folder."""
    folder, parent = os.path.basename(ours.folder), os.path.basename(os.path.dirname(ours.folder))
    words = [word for word in (folder, parent) if word and repository_name(word) != name]
    return repository_name(f"{words[0]}-{name}" if words else f"{name}-2")


def words_of(labels: Mapping[str, str]) -> str:
    """Folder and origin of what bears these labels, as far as they say."""
    return described(label(labels, FOLDER), label(labels, LABEL).split())


def described(folder: str, marks: Sequence[str]) -> str:
    """A project by where it is and where it comes from; '' where nothing says."""
    origin = _origin(marks)
    return f"{folder} ({origin})" if folder and origin else folder or origin


def _origin(marks: Sequence[str]) -> str:
    """Where a project comes from, by the mark that tells people most."""
    for start, words in (
        ("remote:", ""),
        ("root:", "git repository with the first commit "),
        ("folder:", "folder id "),
    ):
        for mark in marks:
            if mark.startswith(start):
                value, _, inside = mark.removeprefix(start).partition("//")
                short = value if start == "remote:" else value[:8]
                return f"{words}{short}{f', folder {unquote(inside)}' if inside else ''}"
    return ""
