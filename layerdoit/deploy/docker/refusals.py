"""What the engine refuses to start, in the words of the settings that asked for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.engine.container import Refused


class _Cause(NamedTuple):
    pattern: str
    setting: str
    hint: str


_VOLUMES: Final = "name:/path for a volume; ./folder:/path, ~/folder:/path or /folder:/path for one of this machine"
_CAUSES: Final = (
    _Cause(r"not a directory.*trying to mount a directory|mount a directory onto a file", "deploy.volumes",
           "a folder goes where the image has a folder, a file where it has a file or nothing"),
    _Cause(r"creating mount source path", "deploy.volumes",
           "make the folder, or name one that the engine may make; an engine elsewhere has other folders"),
    _Cause(r"volume|mount|bind source|invalid mode|^create \S+:", "deploy.volumes", _VOLUMES),
    _Cause(r"cannot assign requested address|invalid (host ?)?ip", "deploy.bind",
           "name an address of the engine's machine: 127.0.0.1, or 0.0.0.0 for all of them"),
    _Cause(r"network", "deploy.network", "docker network ls lists the networks; docker network create makes one"),
    _Cause(r"memory limit|memory\b.*(allowed|limit)", "deploy.memory", "give it more: 6MB is the least"),
    _Cause(r"range of cpus|cpus?\b.*available", "deploy.cpus", "docker info says how many processors there are"),
    _Cause(r"find user|no matching entries in passwd|find group", "image.user",
           "name a user of the runtime image, or a number"),
    _Cause(r"container name", "deploy.name", "a name has letters, digits and _ . -"),
    _Cause(r"environment", "deploy.env", "a variable needs a name"),
)  # fmt: skip
# What runc and the engine put before the reason.
_WRAPPING: Final = re.compile(
    r"^(failed to create task for container|failed to create shim task|OCI runtime create failed|runc create failed"
    r"|unable to start container process|error during container init): "
)


def explained(error: Refused, settings: DeploySettings) -> Refused:
    """Say which setting is refused, and where it stands."""
    text = error.text
    while shorter := _WRAPPING.sub("", text):
        if shorter == text:
            break
        text = shorter
    for cause in _CAUSES:
        if re.search(cause.pattern, text, re.IGNORECASE):
            where = settings.where.get(cause.setting)
            return error.reworded(what=f"the engine refuses {cause.setting}: {text}", where=where, hint=cause.hint)
    return error
