"""How an image for a platform is built: natively, by cross-compilation, or under emulation.

choose(platform, engine, config, compiles=…) -> Way
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.config import builders_section
from layerdoit.core.errors import EngineError
from layerdoit.engine.handle import Engine
from layerdoit.engine.platform_way import REGISTER, Way

if TYPE_CHECKING:
    from layerdoit.config import Config


def choose(platform: str, engine: Engine, config: Config, *, compiles: bool) -> Way:
    """The way to an image for a platform. EngineError where there is none.

    `compiles`: whether cargo compiles anything of the project.
    """
    native = engine.native
    if config.cross in ("auto", "never") and (named := builders_section.native(config.builders, platform)) is not None:
        return _of_builder(platform, named, engine, config)
    if platform == native:
        return Way(platform, "native", None, native, f"builder {engine.builder} is of this platform")
    runs = platform in engine.platforms
    emulated = f"builder {engine.builder} runs programs of {platform}"
    if config.cross == "never":
        if runs:
            # Nobody sees there what compilers read: so nothing is known to be as it was.
            costs = ", where each build compiles all crates anew" if compiles else ""
            why = f"cross: never; {emulated} by emulation{costs}"
            return Way(platform, "emulated", None, native, why, elsewhere=True)
        raise _none(platform, engine, config)
    without = emulated if runs else f"builder {engine.builder} runs no programs of {platform}"
    if not compiles:
        return Way(platform, "cross", None, native, f"nothing is compiled; {without}", "", runs, True)
    linker = "gcc" if config.cross == "auto" else config.cross
    return Way(
        platform, "cross", None, native, f"cross-compiled on {native} with {linker}; {without}", linker, runs, True
    )


def _of_builder(platform: str, name: str, engine: Engine, config: Config) -> Way:
    """A builder that the configuration names for the platform."""
    if Engine(name).native != platform:
        raise EngineError(
            f"builders: {name} builds for {Engine(name).native}, and is named for {platform}",
            where=config.where.get("builders"),
            hint="name a builder that runs on that platform; docker buildx ls lists them",
        )
    why = f"builder {name} is of this platform"
    return Way(platform, "native", name, platform, why, elsewhere=platform != engine.native)


def _none(platform: str, engine: Engine, config: Config) -> EngineError:
    return EngineError(
        f"nothing here can build for {platform}: builder {engine.builder} builds for {engine.native}, and "
        "`cross: never` forbids to cross-compile",
        where=config.where.get("cross"),
        hint=f"{REGISTER}; or remove the setting",
    )
