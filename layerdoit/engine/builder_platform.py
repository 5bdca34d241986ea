"""Which driver and platform a builder has, by what `docker buildx inspect` says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from layerdoit.core.errors import EngineError
from layerdoit.engine.buildx_fields import field

# A name in place of an address is that of a docker context.
_HERE: Final = re.compile(r"unix://|tcp://(?:127\.|localhost\b|\[::1\])")


@dataclass(frozen=True)
class Described:
    """A builder, as `docker buildx inspect` prints it. `platform`: its native one, listed first.

    `near`: whether it is on this machine.
    """

    driver: str
    platform: str
    platforms: tuple[str, ...] = ()
    near: bool = False


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
    driver, endpoint = field(text, "Driver"), field(text, "Endpoint")
    near = driver != "kubernetes" and (not re.match(r"\w+://", endpoint) or bool(_HERE.match(endpoint)))
    return Described(driver, first, tuple(dict.fromkeys((first, *named))), near)
