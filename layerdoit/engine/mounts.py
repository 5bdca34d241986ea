"""A project's cache mounts in BuildKit: found by their exact mount id, cleared by the id of their record.

`docker buildx prune` has no filter for mount ids (one for descriptions came with buildx 0.15); the listing shows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from layerdoit import process
from layerdoit.engine.api import builder_name

_HEAD: Final = re.compile(r"^ID:\s+(\w+)\n(?:Parents?:.*\n)?Created at:", re.MULTILINE)
# A description holds the whole command, lines and all: it ends where the last "Usage count" of its record begins.
_DESCRIPTION: Final = re.compile(r"^Description:[ \t]+(.*)\nUsage count:", re.MULTILINE | re.DOTALL)
_MOUNT: Final = re.compile(r'cached mount \S+ from exec .* with id "/?([^"]*)"', re.DOTALL)
_SIZE: Final = re.compile(r"([\d.]+) ?([kKMGTP]?i?)B")
_UNITS: Final = "kMGTP"


@dataclass(frozen=True)
class Mount:
    """One record of a mount, which has one for each of its seeds. `size`: bytes; `last_used`: in buildx's words."""

    record: str
    id: str
    checkout: str
    variant: str
    size: int
    last_used: str
    in_use: bool


def of_project(project: str, builder: str | None = None) -> tuple[Mount, ...]:
    """The records of this project's app mounts, of every checkout, largest first."""
    command = ["docker", "buildx", "du", "--verbose", "--filter", "type=exec.cachemount", *_on(builder)]
    found = parsed(process.capture(command).stdout, project)
    return tuple(sorted(found, key=lambda mount: (-mount.size, mount.record)))


def prune(record: str, builder: str | None = None) -> bool:
    """Clear one record; False when it is in use, or gone. The filter matches prefixes, so `record` is a whole id."""
    command = ["docker", "buildx", "prune", "--force", "--filter", f"id={record}", *_on(builder)]
    return record in process.capture(command).stdout


def parsed(listing: str, project: str) -> Iterator[Mount]:
    """This project's mounts in the output of `docker buildx du --verbose`.

    The whole id must be `layerdoit/<project>/<checkout>/<profile>/<target>`: `app2` or `app/api` is not `app`.
    """
    ours = re.compile(rf"layerdoit/{re.escape(project)}/([0-9a-f]{{8}})/([^/]+/[^/]+)")
    for record, text in _records(listing):
        described = _DESCRIPTION.search(text)
        mount = _MOUNT.fullmatch(described[1]) if described else None
        owned = ours.fullmatch(mount[1]) if mount else None
        if described is None or mount is None or owned is None:
            continue
        facts = text[: described.start()] + text[described.end(1) :]
        used = _fact(facts, "Last used")
        size = bytes_of(_fact(facts, "Size"))
        yield Mount(record, mount[1], owned[1], owned[2], size, used, _fact(facts, "Reclaimable") == "false")


def bytes_of(text: str) -> int:
    """`539.4MB` as a number of bytes; 0 for what is no size."""
    found = _SIZE.fullmatch(text)
    if found is None:
        return 0
    base = 1024 if found[2].endswith("i") else 1000
    power: int = _UNITS.index(found[2][0].replace("K", "k")) + 1 if found[2] else 0
    return round(float(found[1]) * float(base**power))


def _records(listing: str) -> Iterator[tuple[str, str]]:
    heads = list(_HEAD.finditer(listing))
    ends: Iterable[int] = [*(head.start() for head in heads[1:]), len(listing)]
    for head, end in zip(heads, ends, strict=True):
        yield head[1], listing[head.start() : end]


def _fact(text: str, name: str) -> str:
    found = re.search(rf"^{name}:[ \t]+(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


def _on(builder: str | None) -> list[str]:
    return ["--builder", builder or builder_name()]
