"""One image that is published: looked for in the registry, pushed by its key, joined over platforms, given its tags.

Until `move` nothing that people see has changed: before, there are only manifests that nobody has a name for but keys.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from layerdoit.build import release_push
from layerdoit.core.errors import LayerdoitError, PublishError
from layerdoit.core.prose import listed
from layerdoit.engine.images import label
from layerdoit.engine.registry_api import digest_of
from layerdoit.publish import tagged
from layerdoit.publish.tag_families import wanted

if TYPE_CHECKING:
    from layerdoit.engine.images import Images
    from layerdoit.engine.registry_api import Manifest, RegistryApi
    from layerdoit.layers.key import Spec
    from layerdoit.project.project import Project
    from layerdoit.publish.tag_families import Facts, Tags
    from layerdoit.publish.tagged import There


@dataclass(frozen=True)
class Target:
    """What is to be published. `specs`: the image of each platform; `images`: those of the engine."""

    project: Project
    repository: str
    templates: tuple[str, ...]
    facts: Facts
    specs: Mapping[str, Spec]
    images: Images

    @property
    def keys(self) -> Mapping[str, str]:
        """The key of the image for each platform."""
        return {platform: spec.key for platform, spec in self.specs.items()}

    def is_same(self, there: There) -> bool:
        """Whether something in the registry was made from the same inputs, for the same platforms."""
        return dict(there.keys) == dict(self.keys)


class Standing(NamedTuple):
    """What the registry has. `digest`: of what is published or was pushed before, '' if unknown.

    `overwrites`: what the user agreed to overwrite, by tag; `lacking`: tags that stand for something else, or nothing.
    """

    api: RegistryApi
    tags: Tags
    digest: str
    overwrites: Mapping[str, There]
    lacking: tuple[str, ...]
    remarks: tuple[str, ...] = ()


class Sent(NamedTuple):
    """What is in the registry now. `children`: digests by platform; `bytes`: that were sent."""

    digest: str
    children: Mapping[str, str]
    bytes: int = 0
    seconds: float = 0.0


# --- before anything is built ----------------------------------------------------------------------------------------


def examine(target: Target, *, force: bool) -> Standing:
    """What there is to do. PublishError where a tag belongs to something else."""
    from layerdoit.engine.registry_api import RegistryApi

    api = RegistryApi.of(target.repository)
    there = api.tags()
    tags = wanted(target.templates, target.facts, there)
    if not tags.all:
        what = f"there is no tag to give to {target.repository}: {'; '.join(tags.remarks)}"
        where = target.project.config.where.get("publish.tags")
        raise PublishError(what, where=where, hint="add a tag without that name to publish.tags, such as {branch}")
    digest, overwrites = "", dict[str, "There"]()
    for name in tags.fixed:
        found = tagged.look(api, name) if name in there else None
        if found is None:
            continue
        if target.is_same(found):
            digest = digest or found.digest
        elif force:
            overwrites[name] = found
        else:
            raise taken(target, name, found)
    if overwrites:
        digest = ""
    remarks, before = list(tags.remarks), _pushed_before(target, api)
    if digest and before and before != digest:
        names = f"{target.repository}:{tags.fixed[0]}"
        remarks.append(f"{names} stays what was published: another build of the same inputs ({digest[:19]})")
    digest = digest or before
    at = {name: api.digest(name) if name in there else "" for name in tags.all}
    lacking = tuple(name for name in tags.all if not digest or at[name] != digest)
    for name in lacking:
        if at[name] and name not in overwrites and not force:
            _refuse_others(target, api, name)
    return Standing(api, tags, digest, overwrites, lacking, tuple(remarks))


def taken(target: Target, name: str, found: There) -> PublishError:
    """The error for a version that another image has."""
    reference = f"{target.repository}:{name}"
    ours = any(found.keys.values())
    differs = sorted(set(found.keys) ^ set(target.keys))
    why = f"it is for {listed(sorted(found.keys))}" if ours and differs else "it was made from something else"
    return PublishError(
        f"{reference} is published already, as another image ({found.words}): {why}",
        hint=f"publish another version (VERSION=…, or the one in Cargo.toml), or overwrite {name}: --force",
    )


def _refuse_others(target: Target, api: RegistryApi, name: str) -> None:
    found = tagged.look(api, name)
    whose = label(found.labels, "project") if found is not None else ""
    if found is None or not whose:
        return
    project = target.project
    if whose != project.name or not project.owner.owns(found.labels):
        raise PublishError(
            f"{target.repository}:{name} is an image of the project {whose} ({found.words}), and this one is "
            f"{project.name}: {project.owner.words}",
            hint=f"set publish.repository to another one, or take {name} over: --force",
        )


def _pushed_before(target: Target, api: RegistryApi) -> str:
    """The digest of what this machine has pushed of this tree before, where the registry has it; else ''."""
    children = {}
    for platform, spec in target.specs.items():
        image = (target.images.inspect(spec.tag) or {}).get("Id", "")
        digest = release_push.known(target.project, target.repository, image) if image else ""
        if not digest:
            return ""
        children[platform] = digest
    if len(children) == 1:
        (digest,) = children.values()
        return digest if api.digest(digest) else ""
    from layerdoit.engine.index_of import index_of

    found = {platform: manifest for platform, one in children.items() if (manifest := api.manifest(one)) is not None}
    if len(found) < len(children):
        return ""
    digest = digest_of(index_of(found).content)
    return digest if api.digest(digest) else ""


# --- by digest -------------------------------------------------------------------------------------------------------


def send(target: Target, api: RegistryApi) -> Sent:
    """Push the image of each platform by its key, and join them. No tag for people moves."""
    begun, children, count = time.monotonic(), dict[str, str](), 0
    for platform, spec in target.specs.items():
        image = str((target.images.inspect(spec.tag) or {}).get("Id") or "")
        pushed = release_push.push(target.project, spec, image, target.repository)
        children[platform], count = pushed.digest, count + pushed.bytes
    if len(children) == 1:
        (digest,) = children.values()
    else:
        digest = _joined(target, api, children)
    return Sent(digest, children, count, time.monotonic() - begun)


def children(target: Target, standing: Standing) -> Mapping[str, str]:
    """The digests by platform of what is in the registry already."""
    manifest = standing.api.manifest(standing.digest)
    if manifest is None or not manifest.is_index:
        return dict.fromkeys(target.specs, standing.digest)
    return {one.platform: one.digest for one in manifest.children if one.platform in target.specs}


def _joined(target: Target, api: RegistryApi, children: Mapping[str, str]) -> str:
    from layerdoit.engine.index_of import index_of

    found = {platform: api.manifest(digest) for platform, digest in children.items()}
    there = {platform: manifest for platform, manifest in found.items() if manifest is not None}
    if len(there) < len(found):
        lost = listed(sorted(found.keys() - there.keys()))
        raise PublishError(
            f"{target.repository} has no more what was pushed for {lost}", hint="run again: retention may have run"
        )
    index = index_of(there)
    return api.put_manifest(digest_of(index.content), index.media_type, index.content)


# --- for people ------------------------------------------------------------------------------------------------------


def move(target: Target, standing: Standing, digest: str) -> str:
    """Have the tags stand for a digest: versions first. The digest: another machine's, if its inputs are the same.

    Registries cannot compare and set at once: so it is looked before and after, and the last one to look knows.
    """
    api, moved = standing.api, list[str]()
    manifest = api.manifest(digest)
    if manifest is None:
        raise PublishError(f"{target.repository} has {digest[:19]} no more", hint="run again: retention may have run")
    try:
        for name in standing.tags.all:
            now = api.digest(name)
            if now and now != manifest.digest and name in standing.tags.fixed:
                manifest = _met(target, standing, name, now) or manifest
            if now != manifest.digest:
                api.put_manifest(name, manifest.media_type, manifest.content)
                moved.append(name)
    except LayerdoitError as error:
        if moved:
            error.reworded(what=f"{error.what}\n{listed(moved, 9)} had been moved to {digest[:19]} before")
        raise
    for name in standing.tags.fixed:
        _still(target, api, name, manifest, [one for one in moved if one in standing.tags.moving])
    return manifest.digest


def _met(target: Target, standing: Standing, name: str, now: str) -> Manifest | None:
    """A version that came since it was looked for: it is taken over where its inputs are the same."""
    other = tagged.look(standing.api, name)
    if other is None or _agreed(standing, name) == now:
        return None
    if not target.is_same(other):
        raise overtaken(target, name, other)
    return standing.api.manifest(other.digest)


def _still(target: Target, api: RegistryApi, name: str, ours: Manifest, moved: Sequence[str]) -> None:
    """A version still stands for what it was given; else the tags that follow it go with the other one."""
    if api.digest(name) == ours.digest:
        return
    other, theirs = tagged.look(api, name), api.manifest(name)
    if other is None or theirs is None or target.is_same(other):
        return
    for one in moved:
        if api.digest(one) == ours.digest:
            api.put_manifest(one, theirs.media_type, theirs.content)
    raise overtaken(target, name, other)


def _agreed(standing: Standing, name: str) -> str:
    found = standing.overwrites.get(name)
    return found.digest if found is not None else ""


def overtaken(target: Target, name: str, other: There) -> PublishError:
    """The error where another machine published the same version at the same time."""
    return PublishError(
        f"another machine has published {target.repository}:{name} meanwhile ({other.words}): that one counts",
        hint=f"agree who publishes; to publish this tree as well, take another version than {name}",
    )
