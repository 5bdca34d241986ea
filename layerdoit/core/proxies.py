"""Proxies of this machine, which programs inside a build need as well."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Final

_NAMES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "FTP_PROXY", "ALL_PROXY")


def found(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that name proxies, in both ways of writing."""
    names = (name for proxy in _NAMES for name in (proxy, proxy.lower()))
    return {name: environment[name] for name in names if environment.get(name)}


def script(proxies: Mapping[str, str]) -> str:
    """Lines of shell that export them."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in proxies.items())
