"""Whom an existing image runs as, and what that means for its folders: ours runs as a user who is not root.

items(found, project) -> working directory, user, volumes
remarks(found)
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from layerdoit.dockerfile.folders import closed
from layerdoit.init.items import Item
from layerdoit.init.places import OURS, reachable

if TYPE_CHECKING:
    from layerdoit.init.found import Found


def items(found: Found, project: str) -> Iterator[Item]:
    """What of it is a setting. A volume has the project's name in front: two services do not share their data."""
    for hint in found.hints:
        if hint.kind == "user":
            name = hint.value.partition(":")[0]
            if name != "app":
                yield Item("image.user", name, hint.origin, active=name not in ("root", "0"))
        elif hint.kind == "root":
            yield Item("image.user", "root", f"{hint.origin}, where it is not set", active=False)
        elif hint.kind == "workdir" and hint.value.rstrip("/") and not closed([posixpath.normpath(hint.value)]):
            yield Item("image.workdir", hint.value, hint.origin)
    taken: set[str] = set()
    for item in (*_mounts(found, project), *_volumes(found, project), *_made(found, project)):
        target = posixpath.normpath(str(item.value).split(":")[1])
        # Two volumes cannot be mounted at one place.
        if item.active and target in taken:
            continue
        taken |= {target} if item.active else set()
        yield item


def _mounts(found: Found, project: str) -> Iterator[Item]:
    """What a compose file mounts."""
    for hint in found.hints:
        if hint.kind == "mount":
            source, target, *options = hint.value.split(":")
            named = source if source.startswith((".", "/", "~")) else f"{project}-{source}"
            yield Item("deploy.volumes", ":".join((named, reachable(target), *options)), hint.origin, active=hint.sure)


def _volumes(found: Found, project: str) -> Iterator[Item]:
    for hint in found.hints:
        if hint.kind == "volume" and hint.value.startswith("/") and "$" not in hint.value:
            name = re.sub(r"[^\w.-]+", "-", hint.value.strip("/")) or "data"
            yield Item("deploy.volumes", f"{project}-{name}:{reachable(hint.value)}", hint.origin)


def _made(found: Found, project: str) -> Iterator[Item]:
    """Folders that a RUN made for the program: a volume belongs to the user, and outlives containers."""
    taken = [hint.value for hint in found.hints if hint.kind in ("volume", "workdir")]
    taken += [hint.value.rpartition(":")[2] for hint in found.hints if hint.kind == "asset"]
    for hint in found.hints:
        if hint.kind == "folder" and not any(f"{path.rstrip('/')}/".startswith(f"{hint.value}/") for path in taken):
            name = re.sub(r"[^\w.-]+", "-", hint.value.strip("/"))
            volume = f"{project}-{name}:{reachable(hint.value)}"
            yield Item("deploy.volumes", volume, f"{hint.origin}, a folder that it made", active=hint.sure)


def remarks(found: Found) -> Iterator[str]:
    """That it ran as root, and which folders it had that only root may enter."""
    for hint in found.hints:
        if hint.kind == "root" or (hint.kind == "user" and hint.value.partition(":")[0] in ("root", "0")):
            yield (
                f"the image runs as root ({hint.where}), ours as app, to whom the working directory and the volumes "
                "belong; image.user: root, if the service needs more"
            )
            break
    private = [hint for hint in found.hints if hint.kind == "workdir" and closed([posixpath.normpath(hint.value)])]
    for hint in private:
        yield f"only root may enter {hint.value} ({hint.where}): the working directory is {OURS}"
