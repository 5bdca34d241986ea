"""What each layer of an image weighs, from the history of its steps: a step that only says something makes none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

_SAYS_ONLY: Final = (
    r"(?:/bin/sh -c #\(nop\)\s+)?"
    r"(?:CMD|ENTRYPOINT|USER|ARG|ENV|LABEL|EXPOSE|VOLUME|STOPSIGNAL|HEALTHCHECK|SHELL|MAINTAINER|ONBUILD)\b"
)


class Made(NamedTuple):
    """One step of an image's history: what made it, and its bytes."""

    by: str
    size: int


def of(history: Sequence[Made], layers: int) -> tuple[int, ...]:
    """Bytes of each of so many layers, the lowest first; () where steps and layers cannot be brought together.

    `history`: the last step first.
    """
    steps = [step for step in reversed(history) if step.size or not re.match(_SAYS_ONLY, step.by)]
    if len(steps) != layers:
        steps = [step for step in steps if step.size]
    return tuple(step.size for step in steps) if len(steps) == layers else ()
