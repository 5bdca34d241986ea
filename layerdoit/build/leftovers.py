"""Journal of images and target mounts that builds replace; `sweep` removes them once nothing uses them.

They are noted before the build, in the state folder: what a killed run leaves, a later one removes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from layerdoit.engine.images import fits, labels_of
from layerdoit.engine.ownership import ANYONE

if TYPE_CHECKING:
    from layerdoit.core.state import State
    from layerdoit.engine.handle import Engine
    from layerdoit.engine.images import Images
    from layerdoit.engine.ownership import Owner

# "image <id>" and "mount <name>": left over. "use <plain name>" and "tried <plain name>": numbers of mounts;
# "by <plain name>": the run that tried it.
_FILE: Final = "renewal.json"
_OF_A_MOUNT: Final = ("use", "tried", "by")
Entries = Mapping[str, "str | None"]
"""What a change writes; None: no more."""


def replacing(state: State, images: Images, tag: str) -> None:
    """Note that a build is about to take this tag: the image that has it will have none.

    What somebody tagged so by hand was never this layer: it stays, without this tag.
    """
    described = images.inspect(tag)
    if described is not None and fits(tag, labels_of(described)):
        _change(state, lambda _: {f"image {described['Id']}": tag})


# --- target mounts ---------------------------------------------------------------------------------------------------


def mount(state: State, plain: str) -> str:
    """The mount in use. `plain`: its name by checkout, profile, target and chain of deps images."""
    return _numbered(plain, _number(state.note(_FILE), f"use {plain}"))


def new_mount(state: State, plain: str, run: str) -> str:
    """A mount that nothing has been compiled in yet, the same one for all builds of a run.

    Until `adopt` it counts as left over.
    """
    fresh = ""

    def change(known: Mapping[str, str]) -> Entries:
        nonlocal fresh
        used, tried = (_number(known, f"{word} {plain}") for word in ("use", "tried"))
        if known.get(f"by {plain}") == run:
            fresh = _numbered(plain, tried or used)
            return {}
        fresh = _numbered(plain, max(used, tried) + 1)
        return {f"mount {fresh}": "", f"tried {plain}": str(max(used, tried) + 1), f"by {plain}": run}

    _change(state, change)
    return fresh


def try_again(state: State) -> None:
    """A build of this run failed, and another one follows: nothing was compiled in its new mount, either."""
    _change(state, lambda known: dict.fromkeys(entry for entry in known if entry.startswith("by ")))


def adopt(state: State, fresh: str) -> None:
    """The build in the new mount went well: from now on it is the one in use."""
    plain, _, number = fresh.rpartition("~")

    def change(known: Mapping[str, str]) -> Entries:
        old = _numbered(plain, _number(known, f"use {plain}"))
        if old == fresh:
            return {}
        # Whose it is stays: a later build of this run compiles in it, too.
        return {f"mount {fresh}": None, f"tried {plain}": None, f"mount {old}": "", f"use {plain}": number}

    _change(state, change)


def drop_mount(state: State, plain: str) -> None:
    """No image is left that the mount in use fits."""
    gone = dict.fromkeys(f"{word} {plain}" for word in _OF_A_MOUNT)
    _change(state, lambda known: {f"mount {_numbered(plain, _number(known, f'use {plain}'))}": "", **gone})


# --- sweeping --------------------------------------------------------------------------------------------------------


def sweep(state: State, engine: Engine, project: str, owner: Callable[[], Owner] = lambda: ANYONE) -> None:
    """Remove what builds of a project left over. What is in use stays, and a later run tries again."""
    if not any(entry.startswith(("image ", "mount ")) for entry in state.note(_FILE)):
        return
    # A build that goes on in this checkout sweeps by itself; one that a killed run left behind is ended.
    with contextlib.suppress(BlockingIOError), state.locked(wait=False):
        known = state.note(_FILE)
        images = _images_removed(engine, project, owner(), known)
        gone = dict.fromkeys((*images, *_mounts_removed(engine, project, known)))
        _change(state, lambda _: gone)


def _images_removed(engine: Engine, project: str, owner: Owner, known: Mapping[str, str]) -> Iterator[str]:
    from layerdoit.engine import removal

    for entry in known:
        kind, _, image = entry.partition(" ")
        if kind == "image":
            described = engine.images.inspect(image)
            # One that has a tag, still or again, was not replaced.
            if described is None or described.get("RepoTags") or not removal.remove_untagged(project, image, owner):
                yield entry


def _mounts_removed(engine: Engine, project: str, known: Mapping[str, str]) -> Iterator[str]:
    names = {entry.partition(" ")[2] for entry in known if entry.startswith("mount ")}
    if not names:
        return
    found = [(mount.id.partition("@")[0], mount) for mount in engine.mounts(project)]
    busy = {name for name, mount in found if name in names and not engine.prune(mount)}
    yield from (f"mount {name}" for name in names - busy)


# --- the file --------------------------------------------------------------------------------------------------------


def _numbered(plain: str, number: int) -> str:
    return f"{plain}~{number}" if number else plain


def _number(known: Mapping[str, str], entry: str) -> int:
    text = known.get(entry, "")
    return int(text) if text.isdecimal() else 0


def _change(state: State, change: Callable[[Mapping[str, str]], Entries]) -> None:
    """All of a change at once: a kill leaves the one state or the other."""

    def changed(known: Mapping[str, str]) -> Mapping[str, str]:
        entries = {**known, **change(known)}
        return {name: value for name, value in sorted(entries.items()) if value is not None}

    state.change_note(_FILE, changed)
