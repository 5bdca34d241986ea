"""Which of the images and mounts that bear a project's name are its own, and which another project's of that name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit.cache.model import Namesake
from layerdoit.core.console import warn
from layerdoit.core.errors import LayerdoitError
from layerdoit.engine.handle import Engine
from layerdoit.engine.mounts import checkout_of, of_project, this_host
from layerdoit.engine.ownership import LABEL, Owner, described, digest_of
from layerdoit.project import identity
from layerdoit.project.checkouts import is_gone

if TYPE_CHECKING:
    from layerdoit.engine.images import Image
    from layerdoit.engine.mounts import Mount
    from layerdoit.engine.removal import Deployment
    from layerdoit.project.checkouts import Checkout
    from layerdoit.project.project import Project


def images(owner: Owner, named: Iterable[Image]) -> tuple[list[Image], list[Image]]:
    """Ours, and others'."""
    ours: list[Image] = []
    theirs: list[Image] = []
    for image in named:
        (ours if owner.owns(image.labels) else theirs).append(image)
    return ours, theirs


def lent(ours: Iterable[Image], theirs: Iterable[Image], current: Iterable[tuple[str, str]]) -> list[Image]:
    """Those of others' that this tree asks for, or ours were made from: a key names contents, whoever made them.

    `current`: layers and keys.
    """
    wanted = set(current)
    for image in ours:
        parents = {name: image.label(name) for name in ("runtime", "deps", "parent")}
        wanted |= {("runtime", parents["runtime"]), ("deps", parents["deps"])}
        wanted |= {("deps", parents["parent"]), ("base", parents["parent"])}
    return [image for image in theirs if image.keyed_tag and (image.label("layer"), image.label("key")) in wanted]


def listed(project: Project, engine: Engine) -> tuple[Mount, ...]:
    """The project's mounts on each builder that it builds on: a cache is the project's, whatever platform is asked for.

    What a builder that does not answer has is not known, and said so.
    """
    own = engine if engine.way is None else Engine(project.config.builder)
    found: dict[str, Mount] = {}
    for builder in dict.fromkeys((engine.builder, own.builder, *project.config.builders.values())):
        try:
            found |= {one.record: one for one in of_project(project.name, builder)}
        except LayerdoitError as error:
            if builder == engine.builder:
                raise
            warn(f"what builder {builder} holds of {project.name} is not known: {str(error).splitlines()[0]}")
    return tuple(sorted(found.values(), key=lambda mount: (-mount.size, mount.record)))


def mounts(project: Project, listed: Iterable[Mount]) -> tuple[tuple[Mount, ...], tuple[Mount, ...]]:
    """Ours, and others'."""
    own, here, host = project.owner, checkout_of(project.root), this_host()

    @cache
    def same(path: str) -> bool | None:
        found = identity.at(Path(path))
        return None if found is None else own.is_of(found.text)

    def is_ours(mount: Mount) -> bool:
        if mount.checkout == here or own.draws(mount.drawn):
            return True
        known = mount.path and host and mount.host == host and checkout_of(Path(mount.path)) == mount.checkout
        told = same(mount.path) if known else None
        # Where nothing says, the name counts for what was made before ids said whose they are.
        return not mount.drawn if told is None else told

    found = {mount: is_ours(mount) for mount in listed}
    return tuple(one for one in found if found[one]), tuple(one for one in found if not found[one])


def namesakes(theirs: Collection[Image], mounts: Collection[Mount]) -> tuple[Namesake, ...]:
    """The other projects: what shares the most lasting mark is one."""
    counted = Counter(image.label(LABEL).split()[0] for image in theirs)
    placed = {mark: [mount for mount in mounts if mount.drawn == digest_of(mark)] for mark in counted}
    found = [
        Namesake(described(next((one.path for one in placed[mark] if one.path), ""), [mark]), number, len(placed[mark]))
        for mark, number in sorted(counted.items())
    ]
    known = {mount for several in placed.values() for mount in several}
    left = Counter(mount.path or f"checkout {mount.checkout}" for mount in mounts if mount not in known)
    return (*found, *(Namesake(place, mounts=number) for place, number in sorted(left.items())))


def left(project: Project, places: Iterable[Checkout]) -> tuple[Deployment, ...]:
    """Containers of ours that a folder of this machine deployed, and that folder is gone.

    Not where a checkout that is there has the same deployment: it replaces the container, or takes it down.
    """
    from layerdoit.deploy.settings import deployment_name, settings_of
    from layerdoit.engine import removal
    from layerdoit.engine.api import endpoint

    if not this_host() or not endpoint().startswith("unix:"):
        return ()
    trees = [place.name for place in places if place.state in ("this", "there")]
    live = {settings_of(one).name for one in project.images}
    live |= {deployment_name(one, name) for one in project.images for name in trees}
    return tuple(
        one
        for one in removal.deployments(project.name)
        if one.folder
        and one.deployment not in live
        and is_gone(one.folder)
        and identity.place(Path(one.folder)) in one.marks.split()
        and project.owner.is_of(one.marks)
    )
