"""Reasons that are in no key: an image, a mount or a chain that is gone, another builder, a cleared cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from layerdoit.core.units import count_text
from layerdoit.layers import reasons as why
from layerdoit.layers.key import TAG_DIGITS
from layerdoit.layers.specs import deps as deps_layer
from layerdoit.layers.specs import donors

if TYPE_CHECKING:
    from layerdoit.engine.build_log import Command
    from layerdoit.layers.plan import Step
    from layerdoit.layers.specs.deps import Cooked

# What was read is in no key.
_OF_READING: Final[frozenset[why.Kind]] = frozenset({"unread", "rereads"})
_ALL = "all of the workspace's own crates compile"


@dataclass(frozen=True)
class Facts:
    """What engine, builder and state folder say.

    `known`: keys that were here, by layer; `cleared`: layers; `builder`: of the next build; `last`: the command of the
    last build of a layer; `mounts`: ids on the builder, None: not asked; `made_with`: the id of the target mount of the
    last app image; `mount`: the next one's, '' when it is not known yet; `new_chain`: the next one is of a full cook,
    and new with it. `unpacked`: keys of runtime images here of which no script of a package was run.
    """

    known: Mapping[str, frozenset[str]] = field(default_factory=dict)
    cleared: frozenset[str] = frozenset()
    cooked: tuple[Cooked, ...] = ()
    max_chain: int = 0
    delta: bool = True
    builder: str = ""
    last: Mapping[str, Command] = field(default_factory=dict)
    mounts: frozenset[str] | None = None
    mount: str = ""
    made_with: str = ""
    new_chain: bool = False
    unpacked: frozenset[str] = frozenset()


def reasons(step: Step, facts: Facts) -> list[str]:
    """Why a layer is made, or made more slowly, besides what changed in its key. Only what the facts show."""
    layer = step.spec.layer
    found: list[str] = []
    last = facts.last.get(layer)
    if last is not None and last.uncached:
        found.append("the last build of this layer here did not use BuildKit's cache")
    found += why.sentences(reason for reason in step.reasons if reason.kind in _OF_READING)
    if layer == "runtime" and step.spec.key in facts.unpacked:
        found.append(
            "its packages are unpacked, and their scripts were not run; one that is installed has the same key"
        )
    if not step.works:
        return found
    if step.spec.key in facts.known.get(layer, frozenset()):
        tag = f"{layer}-{step.spec.key[:TAG_DIGITS]}"
        who = "doit cache_clear removed it" if layer in facts.cleared else "what removed it is not recorded"
        found.append(f"the image {tag} existed here and was removed; {who}")
    if layer in facts.cleared:
        found.append("cache_clear cleared this layer and it was not built since: BuildKit's cache of it is not used")
    if last is not None and last.builder not in ("", facts.builder):
        where = f"the last build here ran on {last.builder}, the next one runs on {facts.builder}"
        found.append(f"another builder: {where}, which has its own caches")
    if step.action != "build":
        return found
    if layer == "deps":
        found += [chain(step, facts), *donors.taken_words(step.donors)]
    if layer == "app":
        found += _mount(facts)
    return found


def chain(step: Step, facts: Facts) -> str:
    """How the dependencies will be cooked, and why so."""
    inputs = step.spec.inputs
    wanted = deps_layer.packages(inputs)
    if step.parent is not None:
        common = len(step.parent.packages & wanted)
        whence = " of the registry, which is pulled first and" if step.parent.afar else ", which"
        return (
            f"cooked on {step.parent.tag}{whence} has {common} of the {len(wanted)} packages: only the others compile"
        )
    if not facts.delta:
        return "cooked from scratch: deps.delta is off"
    alike = deps_layer.of_use(inputs, facts.cooked)
    if not alike:
        return "cooked from scratch: no earlier deps image here has the same base, profile, target and flags"
    full = [image for image in alike if image.depth >= facts.max_chain]
    if len(full) == len(alike):
        return (
            f"cooked from scratch: the chain is full, as {full[0].tag} builds on "
            f"{count_text(full[0].depth, 'other')} (deps.max_chain: {facts.max_chain})"
        )
    best = max((len(image.packages & wanted) for image in alike if image.depth < facts.max_chain), default=0)
    return f"cooked from scratch: the nearest earlier deps image has only {best} of the {len(wanted)} packages"


def _mount(facts: Facts) -> list[str]:
    """Why the workspace's own crates have to compile again. An app that was never built here has no reason."""
    if not facts.made_with:
        return []
    if facts.new_chain:
        return ["the dependencies are cooked from scratch, and each chain of deps images has a target mount: " + _ALL]
    if not facts.mount:
        return []
    found = []
    was, now = (mount.rpartition("/")[::2] for mount in (facts.made_with, facts.mount))
    if was[0] != now[0]:
        found.append("the last app image was compiled in another checkout: its target mount is not used here")
    elif was[1] != now[1]:
        found.append(
            f"the deps image is of another chain ({now[1]}, the last app image's was {was[1]}), "
            "and each has its own target mount"
        )
    if facts.mounts is not None and facts.mount not in facts.mounts:
        which = "garbage-collected by BuildKit, cleared, or never created there; which of these is not recorded"
        found.append(f"the target mount is not on builder {facts.builder} ({which}): {_ALL}")
    return found
