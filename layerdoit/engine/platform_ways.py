"""How an image for a platform is built: natively, by cross-compilation, or under emulation.

choose(platform, engine, config) -> Way
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.core.errors import EngineError
from layerdoit.engine.platform_way import Way

if TYPE_CHECKING:
    from layerdoit.config import Config
    from layerdoit.engine.handle import Engine


def choose(platform: str, engine: Engine, config: Config) -> Way:
    """The way to an image for a platform. EngineError where there is none."""
    native = engine.platform
    if platform == native:
        return Way(platform, "native", None, native, f"builder {engine.builder} is of this platform")
    raise EngineError(
        f"nothing here can build for {platform}: builder {engine.builder} builds for {native}",
        where=config.where.get("platforms"),
        hint="use a builder of that platform (BUILDER=…)",
    )
