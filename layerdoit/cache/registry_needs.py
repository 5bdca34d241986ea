"""What in a registry stays whatever its retention says: what runs or ran, what is pinned, what branches ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from layerdoit.cache.registry_policy import Stored
from layerdoit.cache.retention import matches
from layerdoit.core.console import warn
from layerdoit.core.errors import EngineError, LayerdoitError
from layerdoit.engine.images import label
from layerdoit.layers.key import ARTEFACTS, PINNED

if TYPE_CHECKING:
    from layerdoit.project.inputs import Inputs
    from layerdoit.project.project import Project

Key = tuple[str, str]
"""Layer and key."""

_NO_BRANCH: Final = re.compile(r"[^\w.-]")


@dataclass(frozen=True)
class Needs:
    """`digests`: of manifests, or ids of images on an engine; `keys`: of layers; each with the reason.

    `chains`: keys of which also what they were made from stays. `live`: whether a branch exists, None where nobody can
    tell; no function where branches do not count.
    """

    digests: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[Key, str] = field(default_factory=dict)
    chains: Mapping[Key, str] = field(default_factory=dict)
    live: Callable[[str], bool | None] | None = None


def kept(stored: Iterable[Stored], needs: Needs, keep_tags: Iterable[str]) -> Mapping[str, str]:
    """What stays, by digest, with the reason. Pure."""
    patterns, found = tuple(keep_tags), dict[str, str]()
    images = [one for one in stored if one.whose == "ours"]
    chains = dict(needs.chains)
    if needs.live:
        apps = _of_branches(images, "app", needs.live).values()
        chains |= {_key(one): f"newest of the branch {label(one.labels, 'branch')}" for one in apps}
        for one in _of_branches(images, ARTEFACTS, needs.live).values():
            found[one.digest] = f"artefacts of the branch {label(one.labels, 'branch')}"
    for one in images:
        for tag in one.tags:
            if matches(tag, patterns):
                found.setdefault(one.digest, f"keep_tags: {tag}")
            if tag.startswith(PINNED):
                found.setdefault(one.digest, f"pinned in the registry: {tag}")
            if needs.live and needs.live(tag):
                found.setdefault(one.digest, f"tag of the branch {tag}")
        reason = needs.digests.get(one.digest) or needs.digests.get(one.config) or needs.keys.get(_key(one))
        if reason:
            found.setdefault(one.digest, reason)
    for key, reason in chains.items():
        for one in _lineage(images, key):
            found.setdefault(one.digest, reason if _key(one) == key else f"{reason}: it was made from this")
    return found


def _key(one: Stored) -> Key:
    return label(one.labels, "layer"), label(one.labels, "key")


def _of_branches(images: Iterable[Stored], layer: str, live: Callable[[str], bool | None]) -> Mapping[str, Stored]:
    """The newest of a layer of each branch that exists, of each kind, by digest."""
    newest: dict[tuple[str, str], Stored] = {}
    for one in sorted(images, key=lambda one: (one.made, one.digest)):
        branch = label(one.labels, "branch")
        if branch and label(one.labels, "layer") == layer and live(branch) is not False:
            newest[branch, one.group] = one
    return {one.digest: one for one in newest.values()}


def _lineage(images: Iterable[Stored], key: Key) -> list[Stored]:
    """The images of a key, and those that they were made from."""
    by_key: dict[Key, list[Stored]] = {}
    for one in images:
        by_key.setdefault(_key(one), []).append(one)
    found: list[Stored] = []
    todo, seen = [key], set[Key]()
    while todo:
        name = todo.pop()
        if name in seen or not name[1]:
            continue
        seen.add(name)
        for one in by_key.get(name, ()):
            found.append(one)
            todo += [(layer, label(one.labels, layer)) for layer in ("runtime", "deps")]
            todo += [(layer, label(one.labels, "parent")) for layer in ("deps", "base")]
    return found


# --- asked -----------------------------------------------------------------------------------------------------------


def gather(several: Iterable[Inputs], protect: Iterable[str]) -> Needs:
    """Ask engine, environments, the log of releases and git. `several`: the tree's inputs, for each platform.

    EngineError where it cannot be known what runs or what is pinned: then nothing may go.
    """
    inputs = list(several)
    project, wanted = inputs[0].project, set(protect)
    digests: dict[str, str] = {}
    keys: dict[Key, str] = {}
    if "released" in wanted:
        _add_released(project, digests, keys)
    if "deployed" in wanted:
        _add_deployed(project, digests, keys)
    chains = _pinned(project) if "pinned" in wanted else {}
    keys |= {key: "needed by the current tree" for one in inputs for key in _current(one)}
    return Needs(digests, keys, chains, _live(project) if "branches" in wanted else None)


def _add_released(project: Project, digests: dict[str, str], keys: dict[Key, str]) -> None:
    """What `rollback` can go back to, and what serves, as this machine's log has it, in all environments."""
    from layerdoit.deploy import release_log, settings_of
    from layerdoit.deploy.release_log import ReleaseLog

    for one in project.services.values() or (project,):
        for entry in release_log.kept(ReleaseLog(settings_of(one)).entries()):
            reason = f"release {entry.id} of {entry.deployment} ({entry.environment})"
            digests |= dict.fromkeys(filter(None, (entry.digest, entry.image)), reason)
            keys["app", entry.key] = reason


def _add_deployed(project: Project, digests: dict[str, str], keys: dict[Key, str]) -> None:
    """What runs in the environments, as those say who are asked."""
    from layerdoit.config import environments
    from layerdoit.deploy import provider_with, settings_of
    from layerdoit.project.project import Project as Opened

    config = project.config
    first = str(config.environments.get("default", environments.DEFAULT))
    given = {name: value for name, value in project.variables.items() if name not in ("ENV", "CONFIG")}
    for name in environments.known(project.root, config.environments):
        try:
            opened = Opened.open(project.root, given if name == first else {**given, "ENV": name}, call=project.call)
            for one in opened.services.values() or (opened,):
                for held in provider_with(settings_of(one)).holds():
                    reason = f"{held.by} (deployed, {name})"
                    digests |= dict.fromkeys(filter(None, (held.reference.rpartition("@")[2],)), reason)
                    keys["app", held.key] = reason
        except LayerdoitError as error:
            what = f"it cannot be known what runs in the environment {name}: {error.what}"
            raise EngineError(f"{what}; nothing was removed", hint=_without("deployed", error.hint)) from error


def _pinned(project: Project) -> Mapping[Key, str]:
    from layerdoit.engine.handle import Engine

    try:
        listed = Engine(project.config.builder).images.of_project(project.name)
    except LayerdoitError as error:
        what = f"it cannot be known what is pinned: {error.what}"
        raise EngineError(f"{what}; nothing was removed", hint=_without("pinned", error.hint)) from error
    ours = [image for image in listed if project.owner.owns(image.labels)]
    marked = [image for image in ours if any(tag.rpartition(":")[2].startswith(PINNED) for tag in image.tags)]
    return {(image.label("layer"), image.label("key")): "pinned" for image in marked}


def _without(word: str, hint: str | None) -> str:
    other = f"take {word} out of registry.retention.protect to go on without"
    return f"{hint}; or {other}" if hint else other


def _current(inputs: Inputs) -> set[Key]:
    """The keys that the tree as it stands asks for, of all its services."""
    from layerdoit.project import question
    from layerdoit.project.inputs import Inputs as Made

    parts = [inputs]
    try:
        for name in inputs.project.services:
            tree = inputs.tree.of_service(name)
            if tree.project.kind != "foreign":
                parts.append(Made(tree, question.build(tree.project, inputs.question.platform)))
        return {(spec.layer, spec.key) for one in parts for spec in one.specs}
    except LayerdoitError as error:
        warn(f"what the current tree asks for is not protected, because it cannot be read: {error.what}")
        return set()


def _live(project: Project) -> Callable[[str], bool | None]:
    """Whether a branch exists: here, or where the project comes from."""
    from layerdoit.core.errors import ProcessError
    from layerdoit.core.process import capture
    from layerdoit.tree import git

    own = project.checkout
    if own is None:
        return lambda _: None
    if not (places := git.remotes(own)):
        return own.has
    try:
        unasked = {"GIT_TERMINAL_PROMPT": "0", "GCM_INTERACTIVE": "never"}
        told = capture(git.command("ls-remote", "--heads", places[0]), cwd=own.top, env=unasked, seconds=60).stdout
        heads = {line.partition("refs/heads/")[2] for line in told.splitlines()} - {""}
    except ProcessError as error:
        warn(f"every branch is taken to exist, because git does not tell: {str(error).splitlines()[0]}")
        return lambda _: None
    plain = {_NO_BRANCH.sub("-", head) for head in heads}
    return lambda branch: branch in heads or branch in plain or own.has(branch)
