"""What happens while a watch goes on, as values: for the screen, for plain lines, for `--json`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "watching",  # files, folders: what is watched
    "changed",  # paths: what differs from what serves, the first few; count
    "compiling",  # done, total: crates; a turn for an edit
    "said",  # a line of an ordinary build
    "building",  # why: a turn for more: layers, then a new workshop
    "serving",  # key, url, seconds (since the change was seen), how: compiled | restarted | assets | built | unchanged
    "failed",  # stage: configuration | compile | start | health | build | assets | image
    "following",  # key: the image is being built
    "followed",  # key, image, seconds
    "log",  # a line of the service
    "tests",  # state: began | passed | failed
    "warning",
    "cancelled",  # a newer change ended a turn
    "stopped",
]
"""Each with what `facts` hold of it."""


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    `project`: as it is typed (`api`, `worker:api`), '' for the only one, or for all. `text`: for people, perhaps
    several lines, in rustc's own colours where the compiler speaks; `facts`: by name, what JSON can hold. `at`: seconds
    since 1970.
    """

    kind: Kind
    project: str = ""
    text: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    at: float = field(default_factory=time.time)
