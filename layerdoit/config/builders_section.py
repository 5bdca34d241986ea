"""Native builders of several platforms: by the platform, or its architecture alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.config.kinds import table, text
from layerdoit.config.values import NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

NATIVE = table(
    text("an architecture such as arm64, or a platform such as linux/arm64", r"(linux/)?[a-z0-9]+(/v\d)?"),
    NAME,
    "a mapping of architectures to builders, such as {arm64: NAME}",
)


def native(builders: Mapping[str, str], platform: str) -> str | None:
    """The builder that is configured for a platform, such as `linux/arm64`; None where none is."""
    for name in (platform, platform.removeprefix("linux/")):
        if name in builders:
            return builders[name]
    return None
