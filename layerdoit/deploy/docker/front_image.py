"""The image of the front: haproxy of Debian, built here once for all projects, and never pulled from a registry."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from layerdoit.core.doing import Doing, tell
from layerdoit.core.errors import BuildError, DeployError
from layerdoit.core.files import machine_lock
from layerdoit.core.resources import dockerfile_dir
from layerdoit.core.state import State
from layerdoit.engine.images import PREFIX

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings

REPOSITORY: Final = "layerdoit-front"
SUITE: Final = "trixie"
_FILES: Final = ("Dockerfile.front", "front.cfg")


def reference() -> str:
    """The tag of the image; the recipe names it."""
    return f"{REPOSITORY}:{SUITE}-{_key()[:12]}"


def ensure(settings: DeploySettings) -> str:
    """The tag of the image, which is built if the engine lacks it."""
    from layerdoit.engine.api import client

    tag = reference()
    with client() as engine:
        if _has(engine, tag):
            return tag
        with machine_lock(tag.replace(":", "-")):
            if not _has(engine, tag):
                tell(Doing("making the image of the front, once on this machine"))
                _build(settings, tag, _system(engine, settings))
    return tag


def _key() -> str:
    read = [(dockerfile_dir() / name).read_bytes() for name in _FILES]
    return hashlib.sha256(b"\0".join([SUITE.encode(), *read])).hexdigest()


def _has(engine: Any, tag: str) -> bool:
    from docker.errors import ImageNotFound

    try:
        return bool(engine.images.get(tag))
    except ImageNotFound:
        return False


def _system(engine: Any, settings: DeploySettings) -> str:
    """A Debian that is here already: our own, the official one, or what this project runs on; else one is made."""
    from layerdoit.engine import broker

    official = f"debian:{SUITE}-slim"
    for own in _tags(engine, name=broker.OS_REPOSITORY):
        if own.startswith(f"{broker.OS_REPOSITORY}:{SUITE}-"):
            return own
    if _has(engine, official):
        return official
    base = settings.whole.base
    if base.suite == SUITE and base.runtime_image is None:
        labels = [f"{PREFIX}layer=runtime", f"{PREFIX}project={settings.project}"]
        for runtime in _tags(engine, filters={"label": labels}):
            return runtime
    return broker.bootstrap_os(SUITE)


def _tags(engine: Any, **asked: Any) -> list[str]:
    """The tags of the images that a listing finds.

    docker's `images.list` asks for each image by itself besides, and fails where one is gone by then.
    """
    return [tag for image in engine.api.images(**asked) for tag in image["RepoTags"] or () if tag != "<none>:<none>"]


def _build(settings: DeploySettings, tag: str, system: str) -> None:
    from layerdoit.engine import buildx

    with tempfile.TemporaryDirectory(prefix="layerdoit-front-") as folder:
        for name in _FILES:
            shutil.copy(dockerfile_dir() / name, folder)
        labels = {"layer": "front", "key": _key(), "project": REPOSITORY}
        build = buildx.Build(
            layer="front",
            dockerfile=Path(folder) / _FILES[0],
            context=Path(folder),
            tags=[tag],
            labels={PREFIX + name: value for name, value in labels.items()},
            args={"OS_IMAGE": system},
            secrets=_bundle(),
            values=_proxies(),
        )
        try:
            with State.open(settings.root).open_log("front") as log:
                buildx.run(build, log)
        except BuildError as error:
            what = f"the front for deploy.gap: none could not be built: {error.what}"
            raise DeployError(what, where=settings.where.get("deploy.gap"), hint=error.hint) from error


def _bundle() -> dict[str, Path]:
    """The certificates that this machine trusts instead of Debian's."""
    named = os.environ.get("SSL_CERT_FILE", "")
    return {"ca": Path(named)} if named and Path(named).is_file() else {}


def _proxies() -> dict[str, str]:
    from layerdoit.core import masking, proxies

    found = proxies.found(os.environ)
    for value in found.values():
        if "@" in value:
            masking.register_secret(value)
    return {"proxy": proxies.script(found)} if found else {}
