"""What this project holds on the engine and in its state folder, and what refers to it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerdoit.cache import replaced, whose
from layerdoit.cache.model import ImageUse, Usage
from layerdoit.cache.room import Room
from layerdoit.core.background import Background
from layerdoit.core.errors import LayerdoitError
from layerdoit.core.platform import PLATFORMS, described_platform, platform_of
from layerdoit.core.units import instant
from layerdoit.engine import layer_sizes, layouts
from layerdoit.engine.handle import Engine
from layerdoit.engine.ownership import words_of
from layerdoit.layers.key import IMAGES, ORDER, pin_tag
from layerdoit.layers.key import tag as key_tag

if TYPE_CHECKING:
    from layerdoit.deploy.provider import Held
    from layerdoit.engine.images import Image
    from layerdoit.engine.mounts import Mount
    from layerdoit.engine.removal import Holder
    from layerdoit.layers.plan import Step
    from layerdoit.project.branches import Branches
    from layerdoit.project.checkouts import Checkout
    from layerdoit.project.inputs import Inputs
    from layerdoit.project.project import Project


def gather(inputs: Inputs, engine: Engine) -> Usage:
    """Ask the engine, buildx and the state folder. Reads only."""
    # buildx takes longest to answer: it is asked while the tree is read.
    listed = Background(partial(whose.listed, inputs.project, engine))
    return _gathered(inputs, engine, _planned(inputs, engine), listed.result)


def _gathered(
    inputs: Inputs, engine: Engine, steps: Mapping[str, Step], listed: Callable[[], tuple[Mount, ...]]
) -> Usage:
    from layerdoit import deploy
    from layerdoit.engine import removal
    from layerdoit.project import branches
    from layerdoit.project.checkouts import checkouts

    project, images = inputs.project, engine.images
    current = {name: step.spec.key for name, step in steps.items()}
    wanted = {(step.spec.layer, step.spec.key) for step in steps.values()} | _of_components(inputs)
    named = [image for image in images.of_project(project.name) if image.label("project") == project.name]
    ours, theirs = whose.images(project.owner, named)
    found = [*ours, *whose.lent(ours, theirs, wanted)]
    held = removal.holders() if found else {}
    described = {image.id: images.inspect(image.id) or {} for image in found}
    made = {image.id: images.history(image.id) for image in found}
    foreign = tuple(_foreign(engine, found))
    app_mounts, their_mounts = whose.mounts(project, listed())
    places = checkouts(project.root, app_mounts)
    besides = _others(project, engine)
    friendly = {name: _friendly(project, places.values(), name) for name in ("", *besides)}
    known = branches.load(project, ours)
    uses = [
        replace(
            _use(project, image, described[image.id], held.get(image.id, ()), friendly, known),
            layers=layer_sizes.of(made[image.id], len(_rootfs(described[image.id]))),
        )
        for image in found
    ]
    if found:
        uses = with_held(uses, deploy.held(project))
    uses = [replace(use, current=bool(use.tags or use.owner) and (use.layer, use.key) in wanted) for use in uses]
    lost = replaced.find(uses, lambda image: tuple(step.by for step in made[image]))
    uses = [replace(use, replaced=use.id in lost) for use in uses]
    uses.sort(key=lambda use: (_place(use.layer), -use.made, use.id))
    live = [place for place in places.values() if place.state != "gone"]
    usage = Usage(
        project.name,
        images=with_uses(uses),
        mounts=app_mounts,
        foreign=foreign,
        state=_state_sizes(project.state.folder),
        layouts=layouts.size(project.name),
        current=current,
        cold={name: step.reasons for name, step in steps.items() if step.action != "reuse"},
        mount=_mount(inputs, uses),
        checkouts=places,
        live_tags=frozenset[str]().union(*(_friendly(project, live, name) for name in ("", *besides))),
        at=time.time(),
        owner=project.owner,
        namesakes=whose.namesakes(theirs, their_mounts),
        left=whose.left(project, places.values()),
    )
    return with_shared(usage)


def with_shared(usage: Usage) -> Usage:
    """Each byte is one image's own, the first one's that has it: layer by layer, the oldest first."""
    ranked = sorted(usage.images, key=lambda image: (_place(image.layer), image.made, image.id))
    own = Room(usage).shares([image.id for image in ranked])
    return replace(usage, images=tuple(replace(one, shared=max(0, one.size - own[one.id])) for one in usage.images))


def _use(
    project: Project,
    image: Image,
    described: Mapping[str, Any],
    holders: tuple[Holder, ...],
    friendly: Mapping[str, Collection[str]],
    known: Branches,
) -> ImageUse:
    """One image. `friendly`: tags that a checkout would set, by the platform's word; '': the engine's."""
    on = platform_of(described_platform(described))
    word = on.word if on else ""
    names = [image.label("worktree"), *([f"{image.label('worktree')}-{word}"] if word in friendly else ())]
    # Git may have forgotten the worktree that an app was compiled in.
    trees = {f"{repository}:{name}" for repository in _repositories(project, image) for name in names}
    given = {*friendly.get(word, friendly[""]), *trees} if image.label("layer") == "app" else set[str]()
    rootfs, made, tagged = _rootfs(described), _made(image), _tagged(described)
    owner = "" if project.owner.owns(image.labels) else words_of(image.labels)
    ours, others = ((), image.tags) if owner else _sorted_out(project, image, given)
    elsewhere = () if owner or ours else _of_another_configuration(image, others, given)
    return ImageUse(
        image.id,
        image.label("layer"),
        image.label("key"),
        tags=ours,
        others=tuple(tag for tag in others if tag not in elsewhere),
        elsewhere=elsewhere,
        size=image.size,
        made=made,
        rootfs=rootfs,
        holders=holders,
        runtime=image.label("runtime"),
        deps=image.label("deps"),
        parent=image.label("parent"),
        cook=image.label("cook"),
        variant=image.label("variant"),
        checkout=_checkout(image),
        pin=next(iter({_pin(project, image)} & set(image.tags)), "") if not owner else "",
        used=max(made, tagged),
        branch=image.label("branch"),
        branch_gone=known.gone(image, _checkout(image), tagged),
        owner=owner,
        component=image.label("component"),
    )


def with_uses(images: Iterable[ImageUse]) -> tuple[ImageUse, ...]:
    """An image is also used when another one is made from it."""
    found = list(images)
    last: dict[tuple[str, str], int] = {}
    # From app to base, the newest first: a chain of deps images hands it down.
    for image in sorted(found, key=lambda image: (image.layer != "app", image.layer != "deps", -image.made)):
        used = max(image.used, last.get((image.layer, image.key), 0))
        for layer, key in (("deps", image.deps), ("runtime", image.runtime), ("deps", image.parent)):
            last[layer, key] = max(last.get((layer, key), 0), used)
        last["base", image.parent] = max(last.get(("base", image.parent), 0), used)
    return tuple(replace(image, used=max(image.used, last.get((image.layer, image.key), 0))) for image in found)


def with_held(images: Iterable[ImageUse], held: Iterable[Held]) -> list[ImageUse]:
    """The images with what a provider holds marked as deployed, wherever it runs. Containers here are not named twice.

    An image is found by the provider's reference; where none here has it, by the app layer's key.
    """
    from layerdoit.engine.removal import Holder

    uses = list(images)
    for one in held:
        called = [use.id for use in uses if one.reference in (use.id, *use.tags, *use.others)]
        keyed = [use.id for use in uses if use.layer == "app" and one.key and use.key == one.key]
        ids = set(called or keyed)
        uses = [
            replace(use, holders=(*use.holders, Holder(one.by, "deployed")))
            if use.id in ids and one.by not in {holder.name for holder in use.holders}
            else use
            for use in uses
        ]
    return uses


def _planned(inputs: Inputs, engine: Engine) -> Mapping[str, Step]:
    """What the tree asks for, by layer, and `app of <service>` where there are services; and what would be done to have
    it. No registry is asked.

    Nothing where the tree cannot be read: caches are shown, and cleared, there too.
    """
    from layerdoit.build import planning
    from layerdoit.project import question
    from layerdoit.project.inputs import Inputs

    _ = inputs.project.name
    parts = {"": inputs}
    for name in inputs.project.services if inputs.question.kind == "build" else ():
        tree = inputs.tree.of_service(name)
        if tree.project.kind != "foreign":
            parts[name] = Inputs(tree, question.build(tree.project, inputs.question.platform))
    try:
        _ = [one.specs for one in parts.values()]
    except LayerdoitError:
        return {}
    found: dict[str, Step] = {}
    for name, one in parts.items():
        for step in planning.make(engine, one, ask_registry=False).steps:
            if all(known.spec.tag != step.spec.tag for known in found.values()):
                found[f"{step.spec.layer} of {name}" if name else step.spec.layer] = step
    return found


def _of_components(inputs: Inputs) -> set[tuple[str, str]]:
    """Layer and key of the images that the tree's components are built by."""
    if inputs.question.kind != "build":
        return set()
    from layerdoit.project import component_inputs

    try:
        every = [component_inputs.of(inputs.tree, name, inputs.native) for name in inputs.project.config.components]
        return {(spec.layer, spec.key) for one in every for spec in one.specs[:2]}
    except LayerdoitError:
        return set()


def _mount(inputs: Inputs, uses: Iterable[ImageUse]) -> str:
    """The id of the mount that the next app build of this tree would compile in; '' while there are no deps for it."""
    from layerdoit.build import leftovers
    from layerdoit.engine import mounts

    cooked = (use for use in uses if use.layer == "deps" and use.current and not use.component)
    cook = next((use.cook or use.key[:12] for use in cooked), "")
    if not cook:
        return ""
    project = inputs.project
    return leftovers.mount(project.state, mounts.identity(project.name, project.root, inputs.variant, cook))


def _rootfs(described: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple((described.get("RootFS") or {}).get("Layers") or ())


def _foreign(engine: Engine, found: Iterable[Image]) -> Iterator[tuple[tuple[str, ...], int]]:
    """The images that our base images were made from."""
    for reference in sorted(
        {image.label("parent") for image in found if image.label("layer") in IMAGES["base"]} - {""}
    ):
        described = engine.images.inspect(reference)
        if described is not None:
            yield _rootfs(described), int(described.get("Size") or 0)


def _others(project: Project, engine: Engine) -> list[str]:
    """The words of platforms that tags of images have: of all but the engine's own."""
    own = engine if engine.way is None else Engine(project.config.builder)
    return [one.word for one in PLATFORMS if one != platform_of(own.native)]


def _friendly(project: Project, places: Iterable[Checkout], word: str = "") -> frozenset[str]:
    """Tags besides the keyed ones that builds of this project give: configured ones, names of worktrees and of
    environments; each also for the variants of the runtime image, and for the platform of that word."""
    from layerdoit.config import environments, repository_name

    others = environments.known(project.root, project.config.environments)[1:]
    trees = {repository_name(place.name) for place in places if place.name}
    besides = {*trees, *others, *([project.worktree] if project.worktree else ())}
    plain = ("", *(f"-{variant}" for variant in project.config.variants))
    ends = (*plain, *(f"{end}-{word}" for end in plain if word))
    asked = f"-{project.runtime_variant}" if project.runtime_variant else ""
    return frozenset(
        f"{_familiar(one.repository)}:{name}{end}"
        for one in project.images
        for name in {*(tag.removesuffix(asked) for tag in one.config.image.tags), *besides}
        for end in ends
    )


def _sorted_out(project: Project, image: Image, given: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tags of ours, the keyed ones last, and the others. `given`: those that builds give besides."""
    local = _repositories(project, image)
    shared = project.config.registry.repository
    repositories = {*local, *([_familiar(shared)] if shared else ())}
    keyed = {key_tag(repository, image.label("layer"), image.label("key")) for repository in repositories}
    own = [tag for tag in image.tags if tag in keyed]
    pin = _pin(project, image)
    if not own or not image.label("key") or image.label("layer") not in ORDER:
        return (), tuple(tag for tag in image.tags if tag != pin)
    pushed = project.state.pushed()
    named = [tag for tag in image.tags if tag in given or pushed.get(tag) == image.label("key")]
    ours = (*named, *own)
    return ours, tuple(tag for tag in image.tags if tag not in (*ours, pin))


def _of_another_configuration(image: Image, tags: Sequence[str], ours: Collection[str]) -> tuple[str, ...]:
    """Tags of an image that has none of ours, which this project gave it when its repository had another name.

    The keyed tag says so: its labels have that key. Beside it, in the same repository, there are the friendly ones.
    """
    layer, key = image.label("layer"), image.label("key")
    if layer not in ORDER or not key:
        return ()
    keyed = [tag for tag in tags if tag == key_tag(tag.rpartition(":")[0], layer, key)]
    names = {name.rpartition(":")[2] for name in ours}
    given = {f"{tag.rpartition(':')[0]}:{name}" for tag in keyed for name in names}
    return (*(tag for tag in tags if tag in given), *keyed)


def _pin(project: Project, image: Image) -> str:
    """The tag that pins it: in the repository where it is, or was."""
    layer, key = image.label("layer"), image.label("key")
    names = [pin_tag(repository, layer, key) for repository in _repositories(project, image)]
    return next((name for name in names if name in image.tags), names[0])


def _repositories(project: Project, image: Image) -> list[str]:
    """Where an image may be on the engine: one of a component, whether or not it is configured still, has its own."""
    if component := image.label("component"):
        return [f"{project.name}-{component}"]
    return list(dict.fromkeys(_familiar(one.repository) for one in project.images))


def _familiar(repository: str) -> str:
    """As the engine lists it."""
    for prefix in ("docker.io/", "index.docker.io/"):
        repository = repository.removeprefix(prefix)
    return repository.removeprefix("library/")


def _place(layer: str) -> int:
    """Where a layer stands among the others; what is none comes last."""
    return next((place for place, name in enumerate(ORDER) if name == layer), len(ORDER))


def _checkout(image: Image) -> str:
    """Whose mount an app was compiled in: of `layerdoit/<project>/<checkout>/…`."""
    parts = image.label("mount").split("/")
    return parts[2] if len(parts) > 4 and parts[0] == "layerdoit" else ""


def _made(image: Image) -> int:
    return instant(image.label("built")) or image.created


def _tagged(described: Mapping[str, Any]) -> int:
    return instant(str((described.get("Metadata") or {}).get("LastTagTime") or ""))


def _state_sizes(folder: Path) -> dict[str, int]:
    """Bytes of each entry of the state folder."""
    sizes: dict[str, int] = {}
    for parent, _, files in os.walk(folder):
        relative = os.path.relpath(parent, folder)
        for name in files:
            with contextlib.suppress(OSError):
                size = os.lstat(os.path.join(parent, name)).st_size
                first = name if relative == "." else relative.split(os.sep)[0]
                sizes[first] = sizes.get(first, 0) + size
    return dict(sorted(sizes.items()))
