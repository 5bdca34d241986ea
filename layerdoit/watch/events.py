"""What happens while a watch goes on, as values: for the screen, for plain lines, for `--json`.

Words for them are made in `event_words.py` from `facts`, by the kind. What is not known is left out. `key`: a layer's;
`seconds`: since the change was seen.

    preparing  what serves is built; the workshop compiles it once more, and an edit waits for that
    watching   that is done. files, folders: how many; polling: true where all are looked at, as the system tells of no
               changes
    changed    paths: what differs from what serves, the first few, as they are shown; count: of all of them
    compiling  an edit compiles. done, total: crates; crates: names of those that compile now
    building   a turn for more: layers, then a workshop. why: in words (`Cargo.lock changed`); layer: `deps`;
               words, done, total, unit: as of `core/doing.py:Doing`. Later events of the turn need not repeat `why`
    serving    how: `compiled`, `restarted`, `assets` (copied in), `built` (the layers) or `unchanged`; key; url, of one
               that has a port; seconds: not at the start of the watch; crates: how many were compiled; layers: names
               of those that were built; image: its tag, where an image's programs serve; without one, what serves is
               ahead of its image (with `unchanged`: if it was). Of several services: service, its name;
               of: how many there are
    failed     stage: `configuration`, `compile`, `start`, `health`, `assets`, `build` or `deploy` (a turn for more),
               `image` (that which follows) or `ended` (what served, while nothing was done with it; code: its exit
               code); serves: whether what was there before serves on, if that changed; seconds.
               text: the error in full, with the last lines of its log where it is the program's
    following  the image of what serves is built. key
    followed   it has taken the container's place. key; image: its tag; url, if it changed; seconds: what that took
    log        text: a line of the service; service: as of `serving`
    tests      state: `began`, `passed` or `failed`; seconds; passed, failed: how many tests.
               text: what the tests said, if one failed
    warning    text: ours, or the compiler's; by: `rustc` where it is the compiler's, `cargo` where cargo's
               own; crate: that it is of.
               Those of an edit that does not compile come before `failed`
    cancelled  a newer change ended a turn, or the image that followed
    stopped    the watch ends. serves: whether the service stays; url. Without a project: of all
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "preparing",
    "watching",
    "changed",
    "compiling",
    "building",
    "serving",
    "failed",
    "following",
    "followed",
    "log",
    "tests",
    "warning",
    "cancelled",
    "stopped",
]


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
