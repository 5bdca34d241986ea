"""The settings of a service that serves a page: nginx is its program, so what the top says of programs is not meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from layerdoit.config.reading import merged

PORT: Final = 8080
"""Where it listens unless the settings say otherwise: whoever is not root may."""

_WITHOUT_BROTLI: Final = ("buster", "bullseye", "focal", "jammy")
_OF_PROGRAMS: Final[Mapping[str, tuple[str, ...]]] = {
    "image": ("entrypoint", "cmd", "env", "assets", "workdir", "smoke", "check_libraries", "stop_signal", "expose"),
    "deploy": ("args", "env", "env_file", "secrets", "volumes", "health", "port"),
}

_ASKS: Final = frozenset(("path", "tcp", "command", "log", "platform"))
"""The settings of `deploy.health` that say what is asked."""


def packages(suite: str) -> tuple[str, ...]:
    """The Debian packages that the runtime image of a page has."""
    return ("nginx", "brotli", *(("libnginx-mod-http-brotli-static",) if has_brotli(suite) else ()))


def has_brotli(suite: str) -> bool:
    """Whether a suite has the module of nginx that serves brotli forms."""
    return suite not in _WITHOUT_BROTLI


def common(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the settings at the top say of a page, too."""
    return {path: _without(value, _OF_PROGRAMS.get(path, ())) for path, value in values.items() if path != "build"}


def _without(value: Any, names: tuple[str, ...]) -> Any:
    return {name: one for name, one in value.items() if name not in names} if names else value


def completed(values: dict[str, Any], suite: str) -> dict[str, Any]:
    """The settings, with what a page has unless they say otherwise: packages, a port, a question after its health."""
    asked = values.get("deploy", {}).get("health", {})
    health = {} if _ASKS.intersection(asked) else {"path": "/"}
    found = merged({"deploy": {"port": PORT, "health": health}}, values)
    base = found.get("base", {})
    more = dict.fromkeys((*base.get("runtime_packages", ()), *packages(suite)))
    return {**found, "base": {**base, "runtime_packages": tuple(more)}}
