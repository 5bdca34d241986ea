"""Which binaries get their own layer in the app image, and in which order.

A layer is made, exported, pushed and pulled again when it changes, and with it every layer above: what changed last
lies on top, so that an edit of one binary costs that binary only (measured: 7 ms per MB that did not change).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

OWN: Final = 8
"""How many of the binaries that changed last get a layer each; an image has at most 127 layers."""

_FROM: Final = "/layerdoit/out"
_TO: Final = "/usr/local/bin/"


def ordered(names: Iterable[str], recent: Sequence[str]) -> list[str]:
    """Sort `names` with the most recently changed last; `recent`: the result of `promote`."""
    rank = {name: place for place, name in enumerate(recent)}
    return sorted(names, key=lambda name: (rank.get(name, -1), name))


def copies(names: Sequence[str]) -> str:
    """The Dockerfile lines that copy the binaries into the app image, in this order."""
    if not names:
        # A check has none; without a copy BuildKit would not run the build at all.
        return f"COPY --from=build {_FROM}/ {_TO}\n"
    groups = [names[:-OWN], *([name] for name in names[-OWN:])]
    lines = (
        "COPY --from=build " + json.dumps([*(f"{_FROM}/{name}" for name in group), _TO]) for group in groups if group
    )
    return "".join(f"{line}\n" for line in lines)


def promote(recent: Sequence[str], changed: Sequence[str]) -> list[str]:
    """Move the binaries that a build linked, `changed`, to the end of `recent`."""
    return [*(name for name in recent if name not in changed), *dict.fromkeys(changed)]
