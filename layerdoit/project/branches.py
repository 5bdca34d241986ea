"""App images of git branches: which branch each was made on, and whether the repository still has it.

A label says on which branch, and machine, an image was first built. A checkout that finds it again on another branch
notes that in its state folder, which only ever keeps an image. What cannot be told is never gone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from layerdoit.core.state import FOLDER, State
from layerdoit.core.units import instant
from layerdoit.engine.images import PREFIX
from layerdoit.engine.mounts import checkout_of, this_host

if TYPE_CHECKING:
    from layerdoit.engine.images import Image, Images
    from layerdoit.layers.key import Spec
    from layerdoit.project.project import Project

_FILE: Final = "branches.json"
_NOTED: Final = 500
# No branch can be called so: a detached HEAD, or none that can be told.
_NONE: Final = "?"
AGAIN: Final = 60
"""Seconds between a build's last step and its last tag. A tag that came later is of somebody who found the image."""


# --- what builds write -----------------------------------------------------------------------------------------------


def labels(project: Project) -> Mapping[str, str]:
    """Of an app image that is built now; none is keyed. By them, what a worktree or branch left is known as ours.

    The machine is the one whose branches are meant: images travel.
    """
    branch, machine = _branch(project), this_host()
    of_branch = {"branch": branch, "machine": machine} if branch and machine else {}
    return {**({"worktree": project.worktree} if project.worktree else {}), **of_branch}


def note(project: Project, key: str) -> None:
    """The present branch asks for an app image that was there already."""
    if project.checkout is None:
        return
    branch = _branch(project) or _NONE

    def change(known: dict[str, str]) -> Mapping[str, str]:
        names = {*filter(None, known.pop(key, "").split("\n")), branch}
        return dict([*known.items(), (key, "\n".join(sorted(names)))][-_NOTED:])

    project.state.change_note(_FILE, change)


def note_request(project: Project, images: Images, app: Spec) -> None:
    """The present branch asks for an app image that is there and has its tags, as after a fast-forward.

    Who asked last is kept: a run with nothing to do, on the same branch, need not come here (`State.asked_last`).
    """
    built_on = images.labels([app.tag]).get(app.tag, {}).get(PREFIX + "branch", "")
    if built_on not in ("", _branch(project)):
        note(project, app.key)
    project.state.note_asked(app.key, _branch(project))


def _branch(project: Project) -> str:
    return project.checkout.branch if project.checkout else ""


# --- what collections read -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Branches:
    """What can be told of branches. `checkouts`: digests of this repository's; `has`: None where it cannot be told.

    `noted`: by key, the branches that asked for an app image again.
    """

    machine: str
    checkouts: Collection[str]
    has: Callable[[str], bool | None]
    noted: Mapping[str, Collection[str]]

    def gone(self, image: Image, checkout: str, tagged: int) -> bool:
        """Whether only branches that are no more asked for an image. `tagged`: of its last tag, s since 1970."""
        branch, key = image.label("branch"), image.label("key")
        if not branch or not self.machine or image.label("machine") != self.machine or checkout not in self.checkouts:
            return False
        noted = self.noted.get(key, ())
        if not noted and tagged > max(image.created, instant(image.label("built"))) + AGAIN:
            return False
        return all(self.has(name) is False for name in (branch, *noted))


def load(project: Project, images: Iterable[Image]) -> Branches:
    """Read the repository and the notes of its checkouts, where an image says that it has a branch."""
    own = project.checkout
    if own is None or not any(image.label("branch") for image in images):
        return Branches("", (), lambda _: None, {})
    from layerdoit.project.checkouts import of_repository

    roots = {project.root, *of_repository(project.root)}
    noted: dict[str, set[str]] = {}
    for root in roots:
        for key, names in State(root / FOLDER).note(_FILE).items():
            noted.setdefault(key, set()).update(names.split("\n"))
    digests = {checkout_of(root) for root in roots}
    return Branches(this_host(), digests, functools.cache(lambda name: None if name == _NONE else own.has(name)), noted)
