"""Base images for another platform than the builder's: what they start from, and this machine's toolchain for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from layerdoit.core.errors import EngineError
from layerdoit.core.platform import platform_of
from layerdoit.engine.platform_way import REGISTER

if TYPE_CHECKING:
    from collections.abc import Callable

    from layerdoit.config import Base
    from layerdoit.engine.handle import Engine
    from layerdoit.engine.registry_answers import Refusal

UNPACKED: Final = "its packages are unpacked, and their scripts not run"


def runtime_image(image: str, engine: Engine) -> str:
    """The configured image, where it has the platform, and where packages can be installed in it."""
    refusal = engine.offers_for(image, engine.platform)
    if refusal is not None:
        raise _lacking(f"base.runtime_image names {image}, which", engine.platform, refusal, "base.runtime_image")
    if engine.way is not None and not engine.way.runs:
        raise EngineError(
            f"base.runtime_image: the image {image} is for {engine.platform}, and builder {engine.builder} runs no "
            "programs of this platform, so that nothing can be installed in it",
            hint=f"{REGISTER}; or remove base.runtime_image: a Debian system (base.suite) is unpacked without",
        )
    return image


def builder_image(image: str, engine: Engine) -> str:
    """The configured image to build on, where it has the platform."""
    refusal = engine.offers_for(image, engine.platform)
    if refusal is not None:
        raise _lacking(f"base.image names {image}, which", engine.platform, refusal, "base.image")
    return image


def _lacking(what: str, platform: str, refusal: Refusal, setting: str) -> EngineError:
    return EngineError(
        f"{what} is not available for {platform}: {refusal}",
        hint=f"name an image that has this platform, or remove {setting}",
    )


def to_unpack(base: Base, engine: Engine) -> bool:
    """Whether a runtime image is made of unpacked packages: nothing here runs its programs, or there is no image to
    start from, and to make one under emulation takes minutes."""
    if engine.way is None or engine.way.kind != "cross":
        return False
    if not engine.way.runs:
        return True
    return base.builder != "image" and (base.builder == "bootstrap" or _refused(base, engine) is not None)


def _refused(base: Base, engine: Engine) -> Refusal | None:
    return engine.offers_for(f"debian:{base.suite}-slim", engine.platform)


def system(base: Base, engine: Engine, made_here: Callable[[str, str], str]) -> tuple[str, str, str]:
    """Method, image and words for a system of the engine's platform, whose programs run in builds."""
    image, platform = f"debian:{base.suite}-slim", engine.platform
    refusal = None
    if base.builder != "bootstrap":
        refusal = engine.offers_for(image, platform)
        if refusal is None:
            return "image", image, f"from {image} for {platform}"
        if base.builder == "image":
            raise _lacking(f"the image {image}", platform, refusal, "base.builder: image")
    because = f" ({image} is not available for {platform}: {refusal})" if refusal else ""
    return "bootstrap", made_here(base.suite, platform), f"bootstrapped with mmdebstrap for {platform}{because}"


def sysroot(channel: str, version: str, platform: str) -> Path:
    """A toolchain of rustup that runs on a platform, as a copy of it can be used under emulation."""
    found = platform_of(platform)
    triple = found.triple() if found is not None else platform
    home = Path(os.environ.get("RUSTUP_HOME") or Path.home() / ".rustup") / "toolchains"
    for name in (f"{channel}-{triple}", f"{version}-{triple}"):
        if (home / name / "bin/rustc").exists():
            return home / name
    raise EngineError(
        f"Rust {version} for {platform} is not installed on this machine",
        hint=f"rustup toolchain install --profile minimal --force-non-host {version}-{triple}; or let it be "
        "cross-compiled (cross: auto)",
    )
