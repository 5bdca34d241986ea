"""The volume with the programs of a watch, when a container of another image is to have it.

The engine copies what an image has into a volume that is empty, and into no other: without this, the old programs would
run in the new container.
"""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from layerdoit.engine import sdk
from layerdoit.engine.api import connect, endpoint

_TIMEOUT: Final = 60


class Replaced:
    """What a volume had, until one of the two is called. `image`: any one that is here."""

    def __init__(self, volume: str, image: str, folder: str, packed: IO[bytes]) -> None:
        self._volume, self._image, self._folder = volume, image, folder
        self._packed = packed

    def put_back(self) -> None:
        """The volume has it again."""
        with self._packed, _made(self._image, f"{self._volume}:{self._folder}:nocopy") as target:
            _unpack(target, self._folder, self._packed)

    def forget(self) -> None:
        """Nobody wants it back."""
        self._packed.close()


def renewed(volume: str, image: str, folder: str) -> Replaced | None:
    """Have a volume hold the programs of an image that is here; None for a volume that is not there yet.

    `folder`: where images have their programs. Whoever runs a program goes on with the one that runs: files are
    replaced, not written to.
    """
    if connect().get(f"/volumes/{volume}") is None:
        return None
    with _made(image, "") as source:
        new = _packed(source, folder)
    with new, _made(image, f"{volume}:{folder}:nocopy") as target:
        old = _packed(target, folder)
        _unpack(target, folder, new)
    return Replaced(volume, image, folder, old)


@contextmanager
def _made(image: str, bind: str) -> Iterator[str]:
    """Meanwhile there is a container of the image, which is never started."""
    host = endpoint()
    with sdk.asking(host):
        api = _api()
        config = api.create_host_config(binds=[bind] if bind else [], network_mode="none")
        made = str(api.create_container(image, ["-"], host_config=config)["Id"])
    try:
        yield made
    finally:
        with sdk.asking(host):
            _api().remove_container(made, force=True, v=True)


def _packed(container: str, folder: str) -> IO[bytes]:
    """A tar archive of the folder, at its begin. It may be hundreds of megabytes."""
    spooled = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with sdk.asking(endpoint()):
        for piece in _api().get_archive(container, folder)[0]:
            spooled.write(piece)
    spooled.seek(0)
    return spooled


def _unpack(container: str, folder: str, packed: IO[bytes]) -> None:
    with sdk.asking(endpoint()):
        _api().put_archive(container, posixpath.dirname(folder), packed)


def _api() -> Any:
    return sdk.low_level(endpoint(), _TIMEOUT)
