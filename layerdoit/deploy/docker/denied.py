"""A service that may not write where it wants to: which folder, and whose it is."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Final

from layerdoit.deploy.docker.case import Case, Cause
from layerdoit.dockerfile.folders import is_root

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings

_DENIED: Final = re.compile(
    r"permission denied|operation not permitted|\bEACCES\b|os error 13\b|readonly database|unable to open database",
    re.IGNORECASE,
)
_PATH: Final = re.compile(r"(?<![\w.:/])/(?!/)[\w.@%+/-]*[\w/]")


def cause(case: Case) -> Cause | None:
    """What to do about the last line of a log that says so; None where none does, or the service runs as root."""
    line = next((line for line in reversed(case.lines) if _DENIED.search(line)), None)
    if line is None or is_root(case.settings.image.user):
        return None
    return Cause("", _advice(line, case.settings), "image.user")


def _advice(line: str, settings: DeploySettings) -> str:
    user = settings.image.user
    path = next((found[0] for found in _PATH.finditer(line)), "")
    runs = f"the service runs as {user} (image.user), which may not write "
    volumes = [volume.split(":")[:2] for volume in settings.volumes]
    for source, target in volumes:
        if path and _within(path, target):
            return runs + f"to {target}: {_of_volume(source)}, or set image.user: root"
    if path and not _within(path, settings.image.workdir):
        return (
            runs
            + f"{path}: have it write to {settings.image.workdir} (image.workdir) or a volume, or set image.user: root"
        )
    own = [settings.image.workdir, *(target for source, target in volumes if not source.startswith("/"))]
    bound = [source for source, _ in volumes if source.startswith("/")]
    more = f"; {', '.join(bound)} of this machine keeps its owner (chown)" if bound else ""
    return runs + f"{path or 'there'}: it may write to {', '.join(own)}{more}; or set image.user: root"


def _within(path: str, folder: str) -> bool:
    return f"{posixpath.normpath(path)}/".startswith(f"{posixpath.normpath(folder).rstrip('/')}/")


def _of_volume(source: str) -> str:
    if source.startswith("/"):
        return f"{source} of this machine keeps its owner: give it to that user (chown)"
    kept = f"the volume {source} keeps the owner that it was made with: an empty one takes that of the image's folder"
    return f"{kept} (docker volume rm {source}, which deletes its content)"
