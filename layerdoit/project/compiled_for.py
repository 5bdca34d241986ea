"""How cargo and the builder are told that they compile for another platform: target, variables, Debian packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.core.platform import platform_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layerdoit.cargo.cross import Packages
    from layerdoit.config import Config
    from layerdoit.core.platform import Platform
    from layerdoit.engine.platform_way import Way


def target(config: Config, way: Way | None) -> str | None:
    """The target triple; None for the builder's own."""
    found = platform_of(way.platform) if way is not None else None
    if way is None or found is None:
        return config.target
    from layerdoit.cargo import cross

    return cross.target(config.target, found) or (found.triple() if way.linker else None)


def env(config: Config, way: Way | None) -> Mapping[str, str]:
    """Variables of cargo: those of cross-compilation, and the configured ones."""
    found, triple = _crossed(way), target(config, way)
    if found is None or triple is None:
        return config.env
    from layerdoit.cargo import cross

    return {**cross.variables(found, triple), **config.env}


def packages(config: Config, way: Way | None) -> Packages:
    """Debian packages of the builder."""
    from layerdoit.cargo import cross

    found = _crossed(way)
    return cross.Packages(config.base.packages) if found is None else cross.packages(config.base.packages, found)


def _crossed(way: Way | None) -> Platform | None:
    return platform_of(way.platform) if way is not None and way.linker else None
