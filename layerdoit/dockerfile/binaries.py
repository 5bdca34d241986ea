"""Which binaries have a layer of the app image to themselves, and in which order.

A layer is made, exported, pushed and pulled again when it changes, and with it every layer above: what changed last
lies on top, so that an edit of one binary costs that binary only (measured: 7 ms per MB that did not change).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

OWN: Final = 8
"""So many of the binaries that changed last have a layer each; an image holds at most 127 layers."""

_FROM: Final = "/layerdoit/out"
_TO: Final = "/usr/local/bin/"


def ordered(names: Iterable[str], recent: Sequence[str]) -> list[str]:
    """`names`, those that changed last at the end; `recent` as `moved_up` gives it."""
    rank = {name: place for place, name in enumerate(recent)}
    return sorted(names, key=lambda name: (rank.get(name, -1), name))


def copies(names: Sequence[str]) -> str:
    """The lines of a Dockerfile that bring the binaries into the app image, in this order."""
    if not names:
        # A check has none; without a copy BuildKit would not run the build at all.
        return f"COPY --from=build {_FROM}/ {_TO}\n"
    groups = [names[:-OWN], *([name] for name in names[-OWN:])]
    lines = (
        "COPY --from=build " + json.dumps([*(f"{_FROM}/{name}" for name in group), _TO]) for group in groups if group
    )
    return "".join(f"{line}\n" for line in lines)


def moved_up(recent: Sequence[str], changed: Sequence[str]) -> list[str]:
    """`recent` after a build that linked the binaries `changed`: these are its end now."""
    return [*(name for name in recent if name not in changed), *dict.fromkeys(changed)]
