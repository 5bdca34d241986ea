"""How a base image comes about where no engine or registry has it: from official images, or bootstrapped without any."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit import process
from layerdoit.engine.images import PREFIX
from layerdoit.errors import EngineError
from layerdoit.workspace.toolchain import Toolchain, installed

if TYPE_CHECKING:
    from layerdoit.config import Base

OS_REPOSITORY = "layerdoit-os"
# Part of an OS image's key: what mmdebstrap is asked for.
OS_PACKAGES = "ca-certificates"


@dataclass(frozen=True)
class Origin:
    """Where a base image starts: `method` is `image` or `bootstrap`; `words` say it to a person."""

    method: str
    os_image: str
    rust_image: str | None
    sysroot: Path | None
    channel: str
    words: str


def origin(base: Base, toolchain: Toolchain, layer: str, root: Path) -> Origin:
    """Decide, and have ready, what a builder (`base`) or a `runtime` image is built from."""
    version = toolchain.release or toolchain.channel
    rust_image = base.image or f"rust:{version}-slim-{base.suite}"
    os_image = base.runtime_image or f"debian:{base.suite}-slim"
    wanted = rust_image if layer == "base" else os_image
    refusal = None
    if base.builder != "bootstrap":
        from layerdoit.engine import registry

        refusal = registry.pull_parent(wanted)
        if refusal is None:
            return Origin("image", os_image, rust_image, None, version, f"from {wanted}")
        if base.builder == "image":
            raise EngineError(
                f"the image {wanted} cannot be had: {refusal}",
                hint="docker login, or base.builder: bootstrap to build without any image registry",
            )
    why = f" ({wanted} cannot be had: {refusal})" if refusal else ""
    own_os = bootstrap_os(base.suite)
    if layer == "runtime":
        return Origin("bootstrap", own_os, None, None, version, f"bootstrapped with mmdebstrap{why}")
    sysroot = installed(toolchain, root)
    if sysroot is None:
        raise EngineError(
            f"Rust {version} is not installed on this machine, and {wanted} cannot be had",
            hint=f"rustup toolchain install {toolchain.channel}, or name another one: TOOLCHAIN=… or `toolchain:` in layerdoit.yaml",
        )
    words = f"bootstrapped with mmdebstrap and this machine's Rust {version}{why}"
    return Origin("bootstrap", own_os, None, sysroot, version, words)


def bootstrap_os(suite: str) -> str:
    """The tag of a minimal Debian image, made with mmdebstrap if the engine lacks it. It is shared by all projects."""
    from layerdoit.engine.registry import client

    key = hashlib.sha256(f"mmdebstrap minbase {OS_PACKAGES} {suite}".encode()).hexdigest()
    name = f"{OS_REPOSITORY}:{suite}-{key[:12]}"
    engine = client()
    from docker.errors import ImageNotFound

    try:
        engine.images.get(name)
    except ImageNotFound:
        with tempfile.TemporaryDirectory(prefix="layerdoit-os-") as folder:
            archive = Path(folder) / "os.tar"
            _mmdebstrap(suite, archive)
            repository, tag = name.split(":")
            changes = [f"LABEL {PREFIX}layer=os {PREFIX}key={key} {PREFIX}project={OS_REPOSITORY}"]
            engine.api.import_image_from_file(str(archive), repository=repository, tag=tag, changes=changes)
    return name


def _mmdebstrap(suite: str, archive: Path) -> None:
    argv = ["mmdebstrap", "--variant=minbase", f"--include={OS_PACKAGES}", suite, str(archive)]
    try:
        process.capture(argv)
    except process.ProgramMissing as error:
        raise EngineError(
            "no image registry can be reached, and mmdebstrap, which builds an OS image without one, is not installed",
            hint="apt-get install mmdebstrap (Debian or Ubuntu), or docker login to a registry",
        ) from error
    except process.CommandFailed as error:
        raise EngineError(
            f"mmdebstrap could not build a {suite} system: {error.stderr.strip().splitlines()[-1] if error.stderr.strip() else error}",
            hint="check base.suite and this machine's apt mirror",
        ) from error
