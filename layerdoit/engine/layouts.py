"""Images as folders (OCI image layouts): how a builder that does not see the engine's images gets one of them.

    user's cache/layouts/<image id>/    index.json, oci-layout, blobs/sha256/…; made.json: whose it is

A folder is whole or not there, and stays as long as its image. Blobs that several images have are hard links.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tarfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from layerdoit.core import user_folder
from layerdoit.core.doing import Doing, tell
from layerdoit.core.errors import EngineError
from layerdoit.core.files import machine_lock, read_json, write, write_json
from layerdoit.engine.images import label, labels_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from layerdoit.engine.images import Images

BLOBS: Final = "blobs/sha256"
_MADE: Final = "made.json"
_NEW: Final = "new-"
_PIECE: Final = 1 << 20
_IDLE: Final = 7 * 86_400
"""Seconds: another engine of the user may have the image, so that it is used still."""


class Layout(NamedTuple):
    """A whole image in a folder. `digest`: that of its manifest."""

    folder: Path
    digest: str

    @property
    def context(self) -> str:
        """As the value of `--build-context`."""
        return f"oci-layout://{self.folder}@{self.digest}"


class Parts(NamedTuple):
    """What an image in a folder consists of, as names in BLOBS. `diffs`: the digests of its layers, unpacked."""

    config: str
    layers: tuple[str, ...]
    diffs: tuple[str, ...]


def home() -> Path:
    """Where they are."""
    return user_folder.cache() / "layouts"


def of(image: str) -> Layout | None:
    """That of an image, by its id; None where there is none."""
    folder = home() / image.removeprefix("sha256:")
    digest = _digest(folder)
    if digest:
        os.utime(folder)
    return Layout(folder, digest) if digest else None


def _digest(folder: Path) -> str:
    found = read_json(folder / "index.json").get("manifests") or [{}]
    return str(found[0].get("digest") or "")


def parts(folder: Path) -> Parts:
    """Read the manifest of the only image in a folder."""
    manifest = read_json(folder / BLOBS / _digest(folder).removeprefix("sha256:"))
    config = str(manifest["config"]["digest"]).removeprefix("sha256:")
    layers = tuple(str(one["digest"]).removeprefix("sha256:") for one in manifest["layers"])
    diffs = read_json(folder / BLOBS / config)["rootfs"]["diff_ids"]
    return Parts(config, layers, tuple(map(str, diffs)))


@contextlib.contextmanager
def fresh(above: Iterable[str]) -> Iterator[Path]:
    """A folder for a new image, which has the blobs of some images already, by their ids: a builder sends the others.

    It is gone at the end, unless it was kept.
    """
    _sweep_new()
    folder = home() / f"{_NEW}{os.getpid()}-{os.urandom(4).hex()}"
    (folder / BLOBS).mkdir(parents=True)
    try:
        for image in above:
            for blob in (home() / image.removeprefix("sha256:") / BLOBS).glob("*"):
                _link(blob, folder / BLOBS / blob.name)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep(folder: Path, described: Mapping[str, Any]) -> None:
    """Keep a fresh folder as that of an image, as the engine describes it."""
    used = {_digest(folder).removeprefix("sha256:"), *parts(folder)[:1], *parts(folder).layers}
    for blob in (folder / BLOBS).glob("*"):
        if blob.name not in used:
            blob.unlink()
    _put(folder, described)


def _put(folder: Path, described: Mapping[str, Any]) -> None:
    _sign(folder, described)
    place = home() / str(described["Id"]).removeprefix("sha256:")
    # An unfinished one, which holds blobs only, gives way.
    with contextlib.suppress(OSError):
        if not (place / "index.json").is_file():
            shutil.rmtree(place, ignore_errors=True)
        folder.rename(place)


def lend(folder: Path, described: Mapping[str, Any], names: Iterable[str]) -> None:
    """Keep blobs of a fresh folder for the next one above an image that has none, or others."""
    place = home() / str(described["Id"]).removeprefix("sha256:")
    (place / BLOBS).mkdir(parents=True, exist_ok=True)
    for name in names:
        _link(folder / BLOBS / name, place / BLOBS / name)
    if not (place / _MADE).exists():
        _sign(place, described)


def _sign(folder: Path, described: Mapping[str, Any]) -> None:
    write_json(folder / _MADE, {"project": label(labels_of(described), "project")})


def ensure(described: Mapping[str, Any], reference: str) -> Layout:
    """That of an image, saved from the engine where it is not there yet. `described`: by the engine."""
    image = str(described["Id"])
    if (found := of(image)) is not None:
        return found
    home().mkdir(parents=True, exist_ok=True)
    with machine_lock(f"layout-{image.removeprefix('sha256:')[:12]}"):
        if of(image) is None:
            tell(Doing(f"handing {reference} over to the builder"))
            with fresh(()) as folder:
                _save(image, folder)
                # An engine before 25 writes no layout. With containerd's store it may be an index of several platforms.
                if _digest(folder):
                    _put(folder, described)
        found = of(image)
    if found is None:
        raise EngineError(
            f"the engine does not save {reference} in a form that another builder reads",
            hint="update the engine to 25 or later, share the layer by a registry (registry.push), or build inside the "
            "engine (BUILDER=default)",
        )
    return found


def _save(image: str, folder: Path) -> None:
    """Have the engine pack an image, and unpack that; what another image has already is not written again."""
    import urllib3

    from layerdoit.engine import api_version
    from layerdoit.engine.api import client, endpoint

    known = {path.name: path for path in home().glob(f"*/{BLOBS}/*")}
    try:
        with client() as engine:
            url = f"{engine.api.base_url}/v{api_version.spoken(endpoint())}/images/{image}/get"
            with engine.api.get(url, stream=True) as answer:
                answer.raise_for_status()
                with tarfile.open(fileobj=answer.raw, mode="r|") as packed:
                    for member in packed:
                        _unpack(packed.extractfile(member) if member.isreg() else None, member.name, folder, known)
    except (urllib3.exceptions.HTTPError, tarfile.TarError) as error:
        raise EngineError(f"what the engine sent of {image} is broken: {error}") from error


def _unpack(content: IO[bytes] | None, name: str, folder: Path, known: Mapping[str, Path]) -> None:
    if content is None:
        return
    if name.startswith(f"{BLOBS}/"):
        place = folder / BLOBS / os.path.basename(name)
        if place.name in known and _link(known[place.name], place):
            return
        with open(place, "wb") as file:
            shutil.copyfileobj(content, file, _PIECE)
    elif name in ("index.json", "oci-layout"):
        write(folder / name, content.read())


def _link(source: Path, place: Path) -> bool:
    with contextlib.suppress(FileExistsError, FileNotFoundError):
        os.link(source, place)
    return place.exists()


# --- into the engine -------------------------------------------------------------------------------------------------


def load(folder: Path, tags: Iterable[str], there: int) -> None:
    """Have the engine load the image of a folder. `there`: how many of its layers it has, as those of another image.

    An engine loads an image without the layers that it has; one that does not (containerd's store) gets all of it.
    """
    from docker.errors import APIError, ImageLoadError
    from requests import RequestException

    from layerdoit.engine.api import client

    names = list(tags)
    tell(Doing("loading the image into the engine"))
    with client() as engine:
        for left_out in dict.fromkeys((there, 0)):
            try:
                engine.images.load(_packed(folder, names, left_out))  # type: ignore[arg-type]  # requests takes pieces
                break
            # One that refuses may hang up before it has read everything.
            except (APIError, ImageLoadError, RequestException) as error:
                if not left_out:
                    raise EngineError(f"the engine does not load what the builder made: {error}") from error


def _packed(folder: Path, tags: list[str], left_out: int) -> Iterator[bytes]:
    """An image as `docker load` reads it, without the lowest layers, piece by piece."""
    image = parts(folder)
    manifest = {
        "Config": f"{BLOBS}/{image.config}",
        "RepoTags": tags,
        "Layers": [f"{BLOBS}/{layer}" for layer in image.layers],
    }
    yield from _member("manifest.json", io.BytesIO(json.dumps([manifest]).encode()))
    for name in dict.fromkeys((image.config, *image.layers[left_out:])):
        with open(folder / BLOBS / name, "rb") as file:
            yield from _member(f"{BLOBS}/{name}", file)
    yield tarfile.NUL * 2 * tarfile.BLOCKSIZE


def _member(name: str, content: IO[bytes]) -> Iterator[bytes]:
    """A file of an archive: its head, and whole blocks."""
    head = tarfile.TarInfo(name)
    head.size = content.seek(0, os.SEEK_END)
    content.seek(0)
    yield head.tobuf(tarfile.PAX_FORMAT)
    yield from iter(lambda: content.read(_PIECE), b"")
    # Sent in chunks, an empty one would be the last.
    if fill := -head.size % tarfile.BLOCKSIZE:
        yield tarfile.NUL * fill


# --- how much, and until when ----------------------------------------------------------------------------------------


def size(project: str) -> int:
    """Bytes of the folders of a project's images, each blob once."""
    found = {}
    for folder in home().glob("*"):
        if read_json(folder / _MADE).get("project") == project:
            for blob in (folder / BLOBS).glob("*"):
                found[blob.name] = blob.lstat().st_size
    return sum(found.values())


def sweep(images: Images, project: str) -> None:
    """Remove the folders of a project's images that are no longer on the engine; others' after a week of no use."""
    for folder in home().glob("*"):
        with contextlib.suppress(OSError):
            ours = read_json(folder / _MADE).get("project") == project
            idle = time.time() - folder.stat().st_mtime > _IDLE
            if (ours or idle) and images.inspect(f"sha256:{folder.name}") is None:
                shutil.rmtree(folder, ignore_errors=True)


def _sweep_new() -> None:
    """Remove what killed runs left."""
    for folder in home().glob(f"{_NEW}*"):
        process = folder.name.removeprefix(_NEW).partition("-")[0]
        if not os.path.exists(f"/proc/{process}") and os.path.isdir("/proc/self"):
            shutil.rmtree(folder, ignore_errors=True)
