"""Read files of an image without running it."""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from layerdoit.core.command_errors import CommandFailed
from layerdoit.core.process import capture_quick


class Inside(NamedTuple):
    """A container that was made to be read, and is never started."""

    container: str

    def files(self, path: str) -> Mapping[str, bytes]:
        """The file at a path, or those in the folder there, by their names in it; nothing where there is none."""
        try:
            packed = capture_quick(["docker", "cp", "--follow-link", f"{self.container}:{path}", "-"])
        except CommandFailed:
            return {}
        found = {}
        with tarfile.open(fileobj=io.BytesIO(packed)) as opened:
            for member in opened:
                content = opened.extractfile(member) if member.isreg() else None
                if content is not None:
                    found[member.name.partition("/")[2] or member.name] = content.read()
        return found


@contextlib.contextmanager
def opened(image: str) -> Iterator[Inside]:
    """Meanwhile there is a container of an image that is here."""
    # A container needs a command to be made of; this one is never run.
    made = capture_quick(["docker", "create", image, "none"]).decode().strip()
    try:
        yield Inside(made)
    finally:
        with contextlib.suppress(CommandFailed):
            capture_quick(["docker", "rm", "--force", "--volumes", made])
