"""How cargo and the builder are told that they compile for another platform: target, variables, packages, linker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.core.errors import ConfigError
from layerdoit.core.platform import architecture, glibc_of, platform_of

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
        # Nothing but zig links for another glibc than the builder's.
        return glibc_of(config.target)[0] if config.target else config.target
    from layerdoit.cargo import cross

    return cross.target(config.target, found) or (found.triple() if way.linker else None)


def env(config: Config, way: Way | None) -> Mapping[str, str]:
    """Variables of cargo: those of cross-compilation, and the configured ones."""
    found, triple = _crossed(way), target(config, way)
    if way is None or found is None or triple is None:
        return config.env
    from layerdoit.cargo import cross

    return {**cross.variables(found, triple, way.linker), **config.env}


def packages(config: Config, way: Way | None) -> Packages:
    """Debian packages of the builder."""
    from layerdoit.cargo import cross

    found = _crossed(way)
    if way is None or found is None:
        return cross.Packages(config.base.packages)
    return cross.packages(config.base.packages, found, way.linker)


def linked(config: Config, way: Way | None) -> str:
    """The target as zig links for it, `aarch64-unknown-linux-gnu.2.41`; '' where something else links.

    ConfigError where nobody knows the glibc of the runtime image.
    """
    triple = target(config, way)
    if way is None or way.linker != "zig" or triple is None:
        return ""
    from layerdoit.cargo import cross, suite

    image = config.base.runtime_image
    of = suite.of_image(image) if image else config.base.suite
    if found := cross.linked(config.target, triple, suite.GLIBC.get(of or "")):
        return found
    raise ConfigError(
        f"cross: zig links for a version of glibc, and that of {image or of} is not known",
        where=config.where.get("base.runtime_image" if image else "base.suite") or config.where.get("cross"),
        hint=f"name it: target: {triple}.2.31 (or what `ldd --version` says in that image)",
    )


def linker(config: Config, way: Way | None) -> str:
    """What links, as a key has it: version and target of zig; '' for gcc, which is one of the packages.

    ConfigError where this machine has no zig to hand over.
    """
    target_of_zig = linked(config, way)
    if way is None or not target_of_zig:
        return ""
    from layerdoit.cargo import zig

    native = platform_of(way.native)
    if not zig.runs_in_containers() or native is None or native.rust != architecture():
        raise ConfigError(
            f"cross: zig hands this machine's zig over to the builder, which is of {way.native}, and could not run it",
            where=config.where.get("cross"),
            hint="use cross: gcc",
        )
    return f"{zig.installed(config.where.get('cross')).words}, for {target_of_zig}"


def _crossed(way: Way | None) -> Platform | None:
    return platform_of(way.platform) if way is not None and way.linker else None
