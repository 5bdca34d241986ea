"""Which cargo profile inherits from which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from layerdoit.cargo.manifest import Workspace

_BUILT_IN: Final = {"test": "dev", "bench": "release"}


def chain(ws: Workspace, profile: str) -> list[str]:
    """A profile and those it inherits from, itself first. The manifest takes precedence over cargo's configuration."""
    tables = [table for ws_table in (ws.manifest, ws.config) if isinstance(table := ws_table.get("profile"), dict)]
    found: list[str] = []
    name: str | None = "dev" if profile == "debug" else profile
    while name is not None and name not in found:
        found.append(name)
        settings = [table[name] for table in tables if isinstance(table.get(name), dict)]
        above = next((item["inherits"] for item in settings if "inherits" in item), _BUILT_IN.get(name))
        # Anything but a name is for cargo to refuse.
        name = above if isinstance(above, str) else None
    return found
