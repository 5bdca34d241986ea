"""The platforms that images are for: which there are, and how they are named."""

from __future__ import annotations

from layerdoit.config.kinds import Kind, Node, wrong
from layerdoit.core.platform import PLATFORMS, platform_of
from layerdoit.core.prose import suggestion


def _platform() -> Kind:
    names = [one.name for one in PLATFORMS]

    def parse(node: Node) -> str:
        found = platform_of(node.value) if isinstance(node.value, str) else None
        if found is None:
            hint = suggestion(node.value, names, "valid values") if isinstance(node.value, str) else None
            raise wrong(node, "a platform", hint=hint)
        return found.name

    # `arm64` will do.
    return Kind("a platform", parse, json={"type": "string", "pattern": r"^(?:(?:linux/)?[a-z0-9]+(?:/v\d)?)$"})


PLATFORM = _platform()
