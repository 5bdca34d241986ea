"""Pins: a tag of ours on an image that no level and no collection may remove.

A label cannot be added to an image, and a file in the state folder would be lost with it. A tag is the engine's own
state: it outlives `.layerdoit/`, shows in `docker images`, and by itself keeps the engine from removing the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from layerdoit.core.console import say
from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.layers.key import pin_tag

if TYPE_CHECKING:
    from layerdoit.cache.model import ImageUse, Usage
    from layerdoit.engine.handle import Engine
    from layerdoit.project.inputs import Inputs


def run(inputs: Inputs, engine: Engine, words: Iterable[str], *, remove: bool) -> int:
    """Pin images, or take their pins off; the exit code. Without words: the app image of the tree as it stands."""
    from layerdoit.cache.usage import gather
    from layerdoit.engine import removal

    project = inputs.project
    words = list(words)
    late = [word for word in words if word.startswith("-")]
    if late:
        # doit hands all that follows the first tag to the task.
        first = " ".join([*late, *(word for word in words if word not in late)])
        raise ConfigError(f'"{late[0]}" comes after a tag', hint=f"put options before tags: doit cache_pin {first}")
    with project.state.locked():
        usage = gather(inputs, engine)
        # Before anything is done: one wrong word of several changes nothing.
        chosen = [find(usage, word) for word in words] or current(usage)
        for image in chosen:
            name = image.tags[-1] if image.tags else image.pin
            if not remove:
                own = image.tags[-1].rpartition(":")[0] if image.tags else project.repository
                repository, _, tag = pin_tag(own, image.layer, image.key).rpartition(":")
                engine.images.tag(image.id, repository, [tag])
                say(f"pinned {name}; doit cache_pin --remove {_short(name)} unpins it")
            elif image.pin:
                (done,) = removal.untag(project.name, [(image.pin, image.id)], project.owner)
                if done.refused:
                    raise LayerdoitError(
                        f"{image.pin} remains: {done.refused}", hint="stop what uses it, and try again"
                    )
                say(f"{name} is no longer pinned")
            else:
                say(f"{name} is not pinned: nothing to do")
    return 0


def listing(usage: Usage) -> str:
    """The pinned images."""
    lines = [f"{image.layer:<7} {image.tags[-1] if image.tags else image.pin}" for image in usage.images if image.pin]
    return "\n".join(lines) or f"project {usage.project}: no image is pinned"


def as_json(usage: Usage) -> Mapping[str, Any]:
    """The same, documented: `tags` is empty where only the pin still names the image."""
    pinned = [image for image in usage.images if image.pin]
    return {
        "project": usage.project,
        "pinned": [
            {"layer": image.layer, "key": image.key, "pin": image.pin, "tags": list(image.tags)} for image in pinned
        ],
    }


def find(usage: Usage, word: str) -> ImageUse:
    """The image that a tag names: whole, or without the repository."""
    named = [
        image
        for image in usage.images
        if image.layer and (image.tags or image.pin) and word in _names((*image.tags, *image.others, image.pin))
    ]
    if not named:
        problem = f'project {usage.project} has no image "{word}"'
        raise LayerdoitError(problem, hint="doit cache_status lists the images")
    return named[0]


def current(usage: Usage) -> list[ImageUse]:
    """The app image of the tree as it stands; of each service, where there are several."""
    found = [image for image in usage.images if image.layer == "app" and image.current]
    if found:
        return found
    raise LayerdoitError(
        "there is no app image of the current tree", hint="doit builds it; doit cache_pin TAG pins another one"
    )


def _names(tags: Iterable[str]) -> set[str]:
    return {name for tag in tags for name in (tag, _short(tag)) if name}


def _short(tag: str) -> str:
    return tag.rpartition(":")[2]
