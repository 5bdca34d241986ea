"""A project's cache mounts in BuildKit: found by their exact mount id, removed by the id of their record."""

from __future__ import annotations

import calendar
import contextlib
import hashlib
import itertools
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from layerdoit.core import process
from layerdoit.core.console import warn
from layerdoit.core.units import at_least, bytes_of, count_text
from layerdoit.engine.buildx_fields import field
from layerdoit.engine.buildx_program import buildx

_HEAD: Final = re.compile(r"^ID:\s+(\w+)\n(?:Parents?:.*\n)?Created at:", re.MULTILINE)
# A description holds the whole command, lines and all: it ends where the last "Usage count" of its record begins.
_DESCRIPTION: Final = re.compile(r"^Description:[ \t]+(.*)\nUsage count:", re.MULTILINE | re.DOTALL)
_LISTINGS: Final = 100
_PAUSE: Final = 0.1
"""Seconds. Ten are given to another process to have mounts measured: 150,000 files took 0.6 on a small machine."""
_ATTEMPTS: Final = 20
_MOUNT: Final = re.compile(r'cached mount \S+ from exec .* with id "/?([^"]*)"', re.DOTALL)


class Mount(NamedTuple):
    """One record of a mount. `size`: bytes. `checkout`: digest of its path. `cook`: the chain of deps images it fits.

    `used`: the latest possible time of its last use, in seconds since 1970, because buildx rounds. `host` and `path`:
    where the checkout was when the mount was made; '' if the id does not say. `drawn`: whose it is
    (`Owner.drawn`); '' for one that an earlier version made. `builder`: that has it.
    """

    record: str
    id: str
    checkout: str
    variant: str
    size: int
    used: float
    in_use: bool
    cook: str = ""
    host: str = ""
    path: str = ""
    drawn: str = ""
    builder: str = ""


# --- ids -------------------------------------------------------------------------------------------------------------


def identity(project: str, root: Path, variant: str, cook: str) -> str:
    """The id of a checkout's private target mount, as in labels: project, checkout, profile, target, cook.

    Images of one chain share the `cook`, its 12 hexadecimal digits: what was compiled against one fits the others.
    """
    return f"layerdoit/{project}/{checkout_of(root)}/{variant}/{cook}"


def placed(mount: str, root: Path, drawn: str = "") -> str:
    """The id that BuildKit gets: it also names the machine and path of the checkout, and whose it is (`drawn`).

    So the mount itself tells when its checkout is gone, and whether it is another project's of the same name. Labels
    travel with pushed images, so they hold no path.
    """
    host, whose = this_host(), f".{drawn}" if drawn else ""
    return f"{mount}@{host}{whose}{quote(str(root))}" if host or whose else mount


def checkout_of(root: Path) -> str:
    """Eight hexadecimal digits for the path of a checkout."""
    return hashlib.sha256(str(root).encode()).hexdigest()[:8]


def folder_of(mount: str, records: Iterable[Mount]) -> str:
    """Where the checkout is, or was, that a mount belongs to; '' where no record says. `mount`: its id in a label."""
    checkout = "/".join(mount.split("/")[:3])
    return next((one.path for one in records if one.path and one.id.startswith(f"{checkout}/")), "") if mount else ""


def this_host() -> str:
    """Eight hexadecimal digits for this machine, '' if it has no lasting name.

    A container has none, unless LAYERDOIT_MACHINE gives one: paths there are not the host's, and a name that
    changes would make every mount a new one.
    """
    name = os.environ.get("LAYERDOIT_MACHINE", "")
    if not name and not any(os.path.exists(path) for path in ("/.dockerenv", "/run/.containerenv")):
        with contextlib.suppress(OSError, ValueError):
            name = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    return hashlib.sha256(name.encode()).hexdigest()[:8] if name else ""


# --- records ---------------------------------------------------------------------------------------------------------


def of_project(project: str, builder: str) -> tuple[Mount, ...]:
    """The records of this project's app mounts on a builder, for all checkouts, largest first.

    While BuildKit measures mounts for another process, it lists them as something else: they are waited for.
    """
    for _ in range(_LISTINGS):
        listing = process.capture_quick(question(project, builder)).decode(errors="replace")
        hidden = sum(1 for _ in _ours(listing, project, being_measured=True))
        if not hidden:
            break
        time.sleep(_PAUSE)
    else:
        warn(f"{count_text(hidden, 'mount')} of {project} cannot be seen: another process has BuildKit measure them")
    found = (one._replace(builder=builder) for one in parse(listing, project, time.time()))
    return tuple(sorted(found, key=lambda mount: (-mount.size, mount.record)))


def question(project: str, builder: str) -> list[str]:
    """The command whose output `parse` reads: what a mount of this project, or of one named alike, describes.

    buildx knows no filter for descriptions before 0.15; but it hands the value of `id` on to BuildKit as it is, and a
    comma begins another condition there (containerd's filters).
    """
    # A coarse sieve: BuildKit reads an escaped character in its own way, and `parse` looks closely.
    alike = re.sub(r"[^a-z0-9_-]", ".", project)
    named = f"id=|.|,description~=|layerdoit/{alike}/|"
    return [*buildx(), "du", "--verbose", "--filter", named, "--builder", builder]


def prune(mount: Mount, builder: str) -> bool:
    """Remove one record; False if a build uses it, or it is gone. What another process has measured is waited for."""
    # Its whole id, because the filter matches prefixes.
    command = [*buildx(), "prune", "--force", "--filter", f"id={mount.record}", "--builder", builder]
    for _ in range(_ATTEMPTS):
        if mount.record in process.capture(command).stdout:
            return True
        there = {one.record: one for one in of_project(mount.id.split("/")[1], builder)}
        if mount.record not in there or there[mount.record].in_use:
            break
    return False


def parse(listing: str, project: str, now: float) -> Iterator[Mount]:
    """This project's mounts in the output of `docker buildx du --verbose`, printed at `now`.

    The whole id must be `layerdoit/<project>/<checkout>/<profile>/<target>/<cook>`, with or without
    `@<host>.<whose>/<path>`: `app2` or `app/api` is not `app`.
    """
    for record, mount, owned, facts in _ours(listing, project):
        used = _used(field(facts, "Last used"), field(facts, "Created at"), now)
        size = bytes_of(field(facts, "Size")) or 0
        busy = field(facts, "Reclaimable") == "false"
        cook, host, drawn, path = (part or "" for part in owned.groups()[2:])
        yield Mount(record, mount, owned[1], owned[2], size, used, busy, cook, host, unquote(path), drawn)


def _ours(listing: str, project: str, *, being_measured: bool = False) -> Iterator[tuple[str, str, re.Match[str], str]]:
    """Record, mount id, its parts and the other facts of this project's mounts.

    `being_measured`: instead, the snapshots that BuildKit takes of mounts to measure them. As long as it does, each is
    listed in place of its mount, with the mount's description, as an ordinary record in use (seen with 26.1).
    """
    chain = r"(?:/([0-9a-f]{12})(?:~\d+)?)?"
    place = r"(?:@(?:([0-9a-f]{8})(?=[./]))?(?:\.([0-9a-f]{8}))?(/.*)?)?"
    ours = re.compile(rf"layerdoit/{re.escape(project)}/([0-9a-f]{{8}})/([^/@]+/[^/@]+){chain}{place}")
    for record, text in records(listing):
        described = _DESCRIPTION.search(text)
        mount = _MOUNT.fullmatch(described[1]) if described else None
        owned = ours.fullmatch(mount[1]) if mount else None
        if described is None or mount is None or owned is None:
            continue
        facts = text[: described.start()] + text[described.end(1) :]
        snapshot = field(facts, "Type") != "exec.cachemount"
        if snapshot == being_measured and (not snapshot or field(facts, "Reclaimable") == "false"):
            yield record, mount[1], owned, facts


def _used(last: str, created: str, now: float) -> float:
    """The latest possible time of the last use; for a mount that was never used, when it was made."""
    if last:
        return now - (at_least(last) or 0.0)
    try:
        return calendar.timegm(time.strptime(created[:19], "%Y-%m-%d %H:%M:%S"))
    except ValueError:
        return now


def records(listing: str) -> Iterator[tuple[str, str]]:
    """Id and text of each record in the output of `docker buildx du --verbose`; nothing for an empty cache."""
    heads = list(_HEAD.finditer(listing))
    for head, following in itertools.zip_longest(heads, heads[1:]):
        yield head[1], listing[head.start() : following.start() if following else len(listing)]
