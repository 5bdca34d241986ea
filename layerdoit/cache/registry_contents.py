"""What a repository of a registry holds: each manifest with its tags, what it is, whose, how old, how large."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from layerdoit.cache.registry_policy import FAMILIES, Family, Stored, Whose
from layerdoit.core import side_by_side
from layerdoit.core.platform import described_platform
from layerdoit.core.units import instant
from layerdoit.engine.images import PREFIX, fits, label
from layerdoit.engine.registry_access import POOL
from layerdoit.layers.key import ARTEFACTS, IMAGES, ORDER, TAG_DIGITS

if TYPE_CHECKING:
    from layerdoit.engine.registry_api import Manifest, RegistryApi
    from layerdoit.project.project import Project

T = TypeVar("T")
U = TypeVar("U")
Labels = Mapping[str, str]

_KEYED: Final = re.compile(rf"({'|'.join(ORDER)})-[0-9a-f]{{{TAG_DIGITS}}}")
_ATTACHED: Final = re.compile(r"sha256-([0-9a-f]{64})(?:\.\w+)?")
"""A tag of cosign (`.sig`, `.att`, `.sbom`), or the one that stands for a list of referrers."""
_CREATED: Final = "org.opencontainers.image.created"


class Contents(NamedTuple):
    """One repository as it was read. `tags`: the digest that each stood for."""

    repository: str
    stored: tuple[Stored, ...] = ()
    tags: Mapping[str, str] = {}


class _Config(NamedTuple):
    """What an image's configuration says of it."""

    labels: Labels
    created: int
    platform: str = ""


def read(api: RegistryApi, whose: Callable[[Labels], Whose], now: float, also: Iterable[str] = ()) -> Contents:
    """Read a repository, many manifests at a time. What is removed meanwhile is not there.

    `also`: digests of manifests that may be there without a tag.
    """
    tags = api.tags()
    named = {tag: found for tag, found in zip(tags, each(tags, api.manifest), strict=True) if found is not None}
    manifests = {found.digest: found for found in named.values()}
    wanted = [*_children(manifests.values()), *also]
    while new := [digest for digest in wanted if digest not in manifests]:
        found = [one for one in each(new, api.manifest) if one is not None]
        manifests |= {one.digest: one for one in found}
        wanted = _children(found)
    configs = dict(zip(manifests, each(list(manifests.values()), partial(_config, api)), strict=True))
    by_digest: dict[str, list[str]] = {}
    for tag, manifest in named.items():
        by_digest.setdefault(manifest.digest, []).append(tag)
    # From the leaves up: an index is what it lists.
    known: dict[str, Stored] = {}
    for digest in sorted(manifests, key=lambda digest: manifests[digest].is_index):
        _known(digest, manifests, configs, known, whose)
    stored = tuple(_tagged(one, tuple(by_digest.get(one.digest, ())), now) for one in known.values())
    return Contents(api.repository, stored, {tag: found.digest for tag, found in named.items()})


def with_attached(api: RegistryApi, contents: Contents, digests: Iterable[str]) -> Contents:
    """The same with what the registry itself says is attached to some manifests, and to that in turn."""
    stored = {one.digest: one for one in contents.stored}
    todo = [digest for digest in digests if digest in stored]
    if todo and api.told_referrers(todo[0]) is None:
        # There it is tags that say so, and all of those were read.
        return contents
    while todo:
        found = {
            one.digest: subject
            for subject, several in zip(todo, each(todo, api.referrers), strict=True)
            for one in several
        }
        stored |= {name: replace(stored[name], subject=found[name]) for name in found if _joins(stored.get(name))}
        new = [name for name in found if name not in stored]
        for manifest in each(new, api.manifest):
            if manifest is not None:
                blobs = {one.digest: one.size for one in manifest.blobs} | {manifest.digest: manifest.size}
                stored[manifest.digest] = Stored(
                    manifest.digest, subject=found[manifest.digest], blobs=blobs, whose="nobody"
                )
        todo = [name for name in new if name in stored]
    return contents._replace(stored=tuple(stored.values()))


def _joins(one: Stored | None) -> bool:
    """Whether what refers to something has no place of its own yet."""
    return one is not None and not one.subject and not one.families and not one.strange


def each(items: Sequence[T], ask: Callable[[T], U]) -> list[U]:
    """The answers about several things, asked side by side. The first error comes out."""
    if not items:
        return []

    def some(first: int) -> list[U]:
        return [ask(item) for item in items[first::POOL]]

    jobs = {str(first): partial(some, first) for first in range(min(POOL, len(items)))}
    ended = side_by_side.all_of(jobs, in_turns=False)
    found: dict[int, U] = {}
    for first, one in enumerate(ended.values()):
        if one.error is not None:
            raise one.error
        found |= dict(zip(range(first, len(items), POOL), one.result or (), strict=True))
    return [found[place] for place in range(len(items))]


def whose_in(project: Project) -> Callable[[Labels], Whose]:
    """Tells by labels whether something is this project's."""

    def told(labels: Labels) -> Whose:
        name = label(labels, "project")
        if not name:
            return "nobody"
        return "ours" if name == project.name and project.owner.owns(labels) else "theirs"

    return told


def family_of(tag: str, labels: Labels) -> Family | None:
    """What a tag is a name for; None for one that is no layer's, whatever it looks like."""
    keyed = _KEYED.fullmatch(tag)
    if keyed is None:
        return "artefacts" if label(labels, "layer") == ARTEFACTS else "versions"
    if not fits(f":{tag}", labels):
        return None
    families: tuple[Family, ...] = ("base", "deps", "app")
    return next(name for name in families if keyed[1] in IMAGES[name])


# --- inside ----------------------------------------------------------------------------------------------------------


def _children(manifests: Iterable[Manifest]) -> list[str]:
    return list(dict.fromkeys(child.digest for one in manifests for child in one.children))


def _config(api: RegistryApi, manifest: Manifest) -> _Config:
    """Labels and platform of an image; of anything else, what its annotations say."""
    annotations = {str(name): str(value) for name, value in (manifest.json.get("annotations") or {}).items()}
    labels = {name: value for name, value in annotations.items() if name.startswith(PREFIX)}
    created = instant(annotations.get(_CREATED, ""))
    config = manifest.config
    if config is None or not config.media_type.endswith(("image.config.v1+json", "container.image.v1+json")):
        return _Config(labels, created)
    try:
        said = json.loads(api.blob(config.digest))
        labels |= {str(name): str(value) for name, value in ((said.get("config") or {}).get("Labels") or {}).items()}
        return _Config(labels, instant(str(said.get("created") or "")) or created, described_platform(said))
    except (ValueError, AttributeError):
        return _Config(labels, created)


def _known(
    digest: str,
    manifests: Mapping[str, Manifest],
    configs: Mapping[str, _Config],
    known: dict[str, Stored],
    whose: Callable[[Labels], Whose],
) -> Stored | None:
    """A manifest, after those that it lists; None where the registry has it no more."""
    manifest, found = manifests.get(digest), known.get(digest)
    if manifest is None or found is not None:
        return found
    parts = [one for child in manifest.children if (one := _known(child.digest, manifests, configs, known, whose))]
    config = configs[digest]
    labels = config.labels or next((one.labels for one in parts if one.labels), {})
    of = {one.whose for one in parts} | {whose(labels)} if parts else {whose(labels)}
    owner: Whose = "theirs" if "theirs" in of else "ours" if "ours" in of else "nobody"
    platforms = {config.platform} if config.platform else {name for one in parts for name in one.platforms}
    known[digest] = Stored(
        digest,
        made=float(instant(label(labels, "built")) or config.created or max((one.made for one in parts), default=0)),
        children=tuple(one.digest for one in parts),
        subject=manifest.subject,
        blobs={one.digest: one.size for one in manifest.blobs} | {digest: manifest.size},
        whose=owner,
        labels=labels,
        platforms=tuple(sorted(platforms - {"unknown/unknown"})),
        config=manifest.config.digest if manifest.config else "",
    )
    return known[digest]


def _tagged(one: Stored, tags: tuple[str, ...], now: float) -> Stored:
    """With its tags and what they say. What does not say when it was made is taken to be new."""
    one = replace(one, tags=tags, made=one.made or now)
    names = [tag for tag in tags if not _ATTACHED.fullmatch(tag)]
    attached = [match[1] for tag in tags if (match := _ATTACHED.fullmatch(tag))]
    if attached and not names:
        # It may say itself what it is attached to; its tag says so, too.
        return replace(one, subject=one.subject or f"sha256:{attached[0]}", strange=len(set(attached)) > 1)
    found = {tag: family_of(tag, one.labels) if one.whose == "ours" else None for tag in names}
    known = tuple(family for family in FAMILIES if family in found.values())
    # Versions for one platform and for several are versions of the same.
    on = one.platforms if not one.children else ()
    group = " ".join((*(label(one.labels, name) for name in ("layer", "component", "variant")), *on))
    return replace(one, families=known, strange=None in found.values() or bool(attached), group=group)
