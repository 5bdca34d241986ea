"""Which commands of a build have begun: while the engine starts one, it must not be told to cancel.

BuildKit before May 2026 does not end a command whose build is cancelled at that moment (moby/buildkit, 87627f011): it
runs on to its end, and whoever needs the same mount waits. A command that has printed something is ended.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

_STARTS: Final = 1.0
"""Seconds in which the engine has started the command of a step, unless the step waits for a mount."""
_UNTOLD: Final = 0.5
"""Seconds in which BuildKit has told what the steps are."""


@dataclass
class _Command:
    """`began`: when its step did; None before that, and after its end."""

    began: float | None = None
    has_printed: bool = False
    has_ended: bool = False


class Commands:
    """Those of one build, each by the digest of its step."""

    def __init__(self) -> None:
        self._all: dict[str, _Command] = {}

    def follow(self, digest: str, *, is_running: bool, has_ended: bool) -> None:
        """What an event says of one. A step that BuildKit runs for several builds may begin and end more than once."""
        one = self._all.setdefault(digest, _Command())
        one.has_ended = has_ended
        if not is_running:
            one.began, one.has_printed = None, False
        elif one.began is None:
            one.began = time.monotonic()

    def is_silent(self, digest: str) -> bool:
        """Whether its step has begun, and it has printed nothing."""
        one = self._all.get(digest)
        return one is not None and one.began is not None and not one.has_printed

    def printed(self, digest: str) -> None:
        """It has printed something."""
        if digest in self._all:
            self._all[digest].has_printed = True

    def is_starting(self, waited: float) -> bool:
        """Whether the engine may be starting one, `waited` seconds after somebody asked first."""
        if not self._all:
            return waited < _UNTOLD
        running = [one for one in self._all.values() if one.began is not None]
        if not running:
            # As far as is told: a build beside this one may have begun a step that is also ours.
            return any(not one.has_ended for one in self._all.values())
        now = time.monotonic()
        return any(not one.has_printed and now - (one.began or 0) < _STARTS for one in running)
