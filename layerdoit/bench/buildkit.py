"""The engine's part: builds of peers, files of images, and the removal of images, containers and BuildKit's records."""

from __future__ import annotations

import calendar
import contextlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from layerdoit.bench.running import ask
from layerdoit.build.host_secrets import Secrets
from layerdoit.engine import buildx, buildx_program, mounts
from layerdoit.engine.api import builder_name, connect
from layerdoit.engine.images import PREFIX

LABEL: Final = PREFIX + "bench"
"""The label of what a session makes besides layerdoit's own images, which carry its name as their project."""
_PROJECT: Final = PREFIX + "project"
_PARENTS: Final = re.compile(r"^Parents?:\s+(.*)$", re.MULTILINE)
_CREATED: Final = re.compile(r"^Created at:\s+(\S+ \d\d:\d\d:\d\d)", re.MULTILINE)
# An image's layers, as BuildKit refers to them while something is built on them.
_OF_AN_IMAGE: Final = "from local"
_DESCRIPTION: Final = re.compile(r"^Description:[ \t]+(.*?)\nUsage count:", re.MULTILINE | re.DOTALL)
_PRUNE_PASSES: Final = 8
_AT_ONCE: Final = 100


@dataclass(frozen=True)
class Record:
    """One entry of BuildKit's cache: a layer or a mount. `created`: seconds since 1970."""

    id: str
    parents: tuple[str, ...]
    description: str
    created: float = 0.0


# --- builds ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Build:
    """One `docker buildx build` of a peer; `session`: the value of its label."""

    dockerfile: Path
    context: Path
    tag: str
    args: Mapping[str, str]
    secrets: Secrets
    scratch: str
    iidfile: Path | None = None

    def argv(self) -> list[str]:
        """The command as people type it; its flags are those of layerdoit's own builds, but for the progress."""
        ours = buildx.Build(
            "peer",
            self.dockerfile,
            self.context,
            [self.tag],
            {LABEL: self.scratch},
            {**self.args, **self.secrets.args},
            secrets=self.secrets.files,
            values=self.secrets.values,
        )
        to = ["--iidfile", str(self.iidfile)] if self.iidfile else []
        return ["docker", "buildx", "build", *ours.flags("plain"), *to, str(self.context)]

    def environment(self) -> dict[str, str]:
        """Secrets that are no files."""
        return buildx.secret_environment(self.secrets.values)


@contextlib.contextmanager
def contents(image: str, paths: Iterable[str], folder: Path, scratch: str) -> Iterator[Path]:
    """Files of an image, copied out of a container that never starts: path `/a/b` becomes `<folder>/a/b`."""
    container = ask(["docker", "create", "--label", f"{LABEL}={scratch}", image, "none"]).strip()
    target = Path(tempfile.mkdtemp(dir=folder))
    try:
        for path in paths:
            place = target / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            ask(["docker", "cp", f"{container}:{path}", str(place)], check=False)
        yield target
    finally:
        ask(["docker", "rm", "--force", container], check=False)
        shutil.rmtree(target, ignore_errors=True)


# --- cleaning --------------------------------------------------------------------------------------------------------


def images_of(scratch: str, *layers: str) -> list[str]:
    """Ids of a session's images: all, or those of some of layerdoit's layers."""
    if not layers:
        return list(dict.fromkeys([*_images(LABEL, scratch), *_images(_PROJECT, scratch)]))
    return [image for layer in layers for image in _images(_PROJECT, scratch, f"{PREFIX}layer={layer}")]


def _images(label: str, value: str, *more: str) -> list[str]:
    answer = connect().get("/images/json", {"filters": {"label": [f"{label}={value}", *more]}})
    return [item["Id"] for item in answer or ()]


def tags_of(scratch: str) -> list[str]:
    """The tags in a session's repositories: of its own images, and of the base images that it borrowed.

    A session that has several projects names them `<scratch>-<word>`.
    """
    own = (f"{scratch}:", f"{scratch}-")
    answer = connect().get("/images/json", {"filters": {"reference": [f"{start}*" for start in own]}})
    return [tag for item in answer or () for tag in item.get("RepoTags") or () if tag.startswith(own)]


def remove_images(images: Iterable[str]) -> None:
    """Remove images that a session made: tags, or ids with all their tags."""
    every = list(dict.fromkeys(images))
    for first in range(0, len(every), _AT_ONCE):
        ask(["docker", "image", "rm", "--force", *every[first : first + _AT_ONCE]], check=False)


def remove_containers(scratch: str) -> None:
    """Remove the containers and networks that a session made."""
    for label in (LABEL, _PROJECT):
        wanted = ["--quiet", "--filter", f"label={label}={scratch}"]
        for container in ask(["docker", "ps", "--all", *wanted]).split():
            ask(["docker", "rm", "--force", "--volumes", container], check=False)
        for network in ask(["docker", "network", "ls", *wanted]).split():
            ask(["docker", "network", "rm", network], check=False)


def remove_volumes(scratch: str) -> int:
    """Remove the volumes that a session made; the number of those that stay because a container is just going."""
    wanted = ["docker", "volume", "ls", "--quiet", "--filter", f"label={_PROJECT}={scratch}"]
    for volume in ask(wanted).split():
        ask(["docker", "volume", "rm", volume], check=False)
    return len(ask(wanted).split())


def names() -> set[str]:
    """Labels and tags of all images and containers that may name a session."""
    found: set[str] = set()
    for path, query in (("/images/json", {}), ("/containers/json", {"all": True})):
        for item in connect().get(path, query) or ():
            given = item.get("Labels") or {}
            found.update(given[name] for name in (LABEL, _PROJECT) if name in given)
            found.update(item.get("RepoTags") or ())
    return found


def records() -> list[Record]:
    """BuildKit's cache, as it is now."""
    return parsed(ask([*buildx_program.buildx(), "du", "--verbose", "--builder", builder_name()]))


def parsed(listing: str) -> list[Record]:
    """The records in the output of `docker buildx du --verbose`."""
    found = []
    for identity, text in mounts.records(listing):
        above = _PARENTS.search(text)
        described = _DESCRIPTION.search(text)
        parents = tuple(re.findall(r"\w+", above[1])) if above else ()
        found.append(Record(identity, parents, described[1].strip() if described else "", _created(text)))
    return found


def _created(text: str) -> float:
    found = _CREATED.search(text)
    return calendar.timegm(time.strptime(found[1], "%Y-%m-%d %H:%M:%S")) if found else 0.0


def owned(found: Iterable[Record], marker: str, project: str, began: float) -> list[str]:
    """Ids of the records that a benchmark made, children before parents. `began`: when, in seconds since 1970.

    They hold `marker` (unique to the benchmark) in their command, or are mounts of its own layerdoit project, or stand
    on one of these; or they came since then and are layers of an image on which nothing else stands.
    """
    every = list(found)
    mount = f'with id "/layerdoit/{project}/'
    ours = {record.id for record in every if marker in record.description or mount in record.description}
    while more := {record.id for record in every if record.id not in ours and ours.intersection(record.parents)}:
        ours |= more
    others = {parent for record in every if record.id not in ours for parent in record.parents}
    above = {parent for record in every if record.id in ours for parent in record.parents} - ours - others
    fresh = {record.id: record for record in every if record.created >= began and record.description == _OF_AN_IMAGE}
    while more := above & fresh.keys():
        ours |= more
        others = {parent for record in every if record.id not in ours for parent in record.parents}
        above = {parent for record in more for parent in fresh[record].parents} - ours - others
    parents = {record.id: ours.intersection(record.parents) for record in every if record.id in ours}

    def depth(record: str) -> int:
        return 1 + max((depth(parent) for parent in parents[record]), default=0)

    return sorted(ours, key=lambda record: (-depth(record), record))


def prune(marker: str, project: str, began: float) -> int:
    """Remove the benchmark's records one by one; the number of those that stay because something uses them."""
    tried: list[str] = []
    for _ in range(_PRUNE_PASSES):
        wanted = owned(records(), marker, project, began)
        if not wanted or wanted == tried:
            return len(wanted)
        tried = wanted
        for record in wanted:
            ask(
                [*buildx_program.buildx(), "prune", "--force", "--builder", builder_name(), "--filter", f"id={record}"],
                check=False,
            )
    return len(owned(records(), marker, project, began))
