"""The volumes of a watch: made before containers that mount them, filled, and removed when no container uses them."""

from __future__ import annotations

import contextlib
import io
import tarfile
import time
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from layerdoit.engine import sdk
from layerdoit.engine.api import connect, endpoint
from layerdoit.engine.images import PREFIX, label
from layerdoit.engine.ownership import FOLDER, LABEL, Owner

LIVE: Final = "live"
"""The label that says of which watch a volume is, and of a container `<watch>/<token>`."""
YOUNG: Final = 60.0
"""Seconds in which a volume that no container uses may be one for which a container is just being created."""
_TIMEOUT: Final = 60


class File(NamedTuple):
    """What is put into a volume. `path`: below its root; `content`: None for a folder."""

    path: str
    content: bytes | None
    mode: int = 0o644


def ensure(names: Iterable[str], project: str, owner: Owner, watch: str) -> None:
    """Have these volumes, empty where they are new, before a container names them: the engine would not label them."""
    host = endpoint()
    labels = {"project": project, LABEL: owner.text, FOLDER: owner.folder, LIVE: watch}
    with sdk.asking(host):
        api = sdk.low_level(host, _TIMEOUT)
        for name in names:
            # The engine answers with the one that is there.
            api.create_volume(name, labels={PREFIX + key: value for key, value in labels.items()})


def sweep(project: str, owner: Owner, over: Collection[str] = (), going: str = "") -> tuple[str, ...]:
    """Remove the volumes of this project's watches that no container uses, running or not; their names.

    `over`: watches that are known to be over. Of others, young ones stay, and all of `going`.
    """
    asked = {"dangling": ["true"], "label": [f"{PREFIX}project={project}", PREFIX + LIVE]}
    gone = []
    for one in (connect().get("/volumes", {"filters": asked}) or {}).get("Volumes") or ():
        labels = one.get("Labels") or {}
        watch = of_watch(labels)
        if owner.owns(labels) and watch != going and (watch in over or _old(one)):
            gone.append(str(one["Name"]))
    return tuple(name for name in gone if _removed(name))


def _old(volume: Mapping[str, Any]) -> bool:
    # The engine writes it in its own time zone.
    written = str(volume.get("CreatedAt") or "").replace("Z", "+00:00")
    with contextlib.suppress(ValueError):
        # One of the future was made before a clock was set back.
        return not 0 <= time.time() - datetime.fromisoformat(written).timestamp() < YOUNG
    return True


def _removed(name: str) -> bool:
    from docker.errors import APIError, NotFound

    host = endpoint()
    with sdk.asking(host):
        try:
            sdk.low_level(host, _TIMEOUT).remove_volume(name)
        except NotFound:
            return False
        except APIError as error:
            # Somebody has created a container with it meanwhile.
            if error.status_code != 409:
                raise
            return False
    return True


def fill(container: str, folder: str, files: Iterable[File]) -> None:
    """Put files and folders where a container, running or not, has a volume; `folder`: where it is mounted.

    A file that is there is replaced by a new one: who has it open keeps what it was.
    """
    host = endpoint()
    with sdk.asking(host):
        # Where it has no other place to write to, a volume is one all the same.
        sdk.low_level(host, _TIMEOUT).put_archive(container, folder, packed("", files))


def packed(folder: str, files: Iterable[File]) -> bytes:
    """A tar archive of files, for the root of a container that has the folder."""
    spooled = io.BytesIO()
    with tarfile.open(fileobj=spooled, mode="w") as tar:
        for file in files:
            member = tarfile.TarInfo(f"{folder}/{file.path}".strip("/"))
            member.mode, member.mtime = file.mode, int(time.time())
            if file.content is None:
                member.type = tarfile.DIRTYPE
                tar.addfile(member)
            else:
                member.size = len(file.content)
                tar.addfile(member, io.BytesIO(file.content))
    return spooled.getvalue()


def of_watch(labels: Mapping[str, str]) -> str:
    """The watch that a container or a volume is of, by its labels; '' for none."""
    return label(labels, LIVE).partition("/")[0]
