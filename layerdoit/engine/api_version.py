"""The version of the engine's API that is spoken: the one that this code is written for, or the nearest there is.

An engine has a lowest version (1.44 since Docker 29) and a highest one, and names it when it refuses another. So an
engine that knows ours is not asked first.
"""

from __future__ import annotations

import re
from typing import Final

WRITTEN_FOR: Final = "1.41"
"""That of Docker 20.10: https://docs.docker.com/reference/api/engine/"""

_REFUSED: Final = rb"client version \S+ is too (?:old|new)\b.*?API version is (\d+\.\d+)"
_agreed: dict[str, str] = {}


def known(host: str) -> str | None:
    """The version that an engine has agreed to in this process; None before it was asked."""
    return _agreed.get(host)


def spoken(host: str) -> str:
    """The version to ask an engine in."""
    return _agreed.get(host, WRITTEN_FOR)


def agreed(host: str, status: int, body: bytes) -> bool:
    """Note what an engine's answer says of the version that it was asked in; False: ask again, in another one."""
    refused = re.search(_REFUSED, body, re.DOTALL) if status == 400 else None
    other = refused[1].decode() if refused else spoken(host)
    again = other != spoken(host)
    _agreed[host] = other
    return not again
