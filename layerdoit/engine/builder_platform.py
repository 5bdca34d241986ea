"""Which driver and platform a builder has, by what `docker buildx inspect` says."""

from __future__ import annotations

import re
from dataclasses import dataclass

from layerdoit.core.errors import EngineError
from layerdoit.engine.buildx_fields import field


@dataclass(frozen=True)
class Described:
    """A builder, as `docker buildx inspect` prints it. `platform`: its native one, listed first."""

    driver: str
    platform: str
    platforms: tuple[str, ...] = ()


def described(name: str, text: str) -> Described:
    """Read the output of `docker buildx inspect NAME`. EngineError where it names no platform."""
    platforms = field(text, "Platforms")
    if not platforms:
        raise EngineError(
            f"builder {name} does not report the platforms that it builds for",
            hint=f"docker buildx inspect --bootstrap {name} shows why it does not start",
        )
    named = [one.strip().rstrip("*") for one in platforms.split(",")]
    # `linux/amd64/v2` is a variant that every amd64 image runs on; of ARM the variant is another instruction set.
    first = re.sub(r"^(linux/amd64)/v\d+$", r"\1", named[0])
    return Described(field(text, "Driver"), first, tuple(dict.fromkeys((first, *named))))
