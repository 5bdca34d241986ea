"""Who else has this project's name on the engine: other projects, and other checkouts of the same one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from layerdoit.core.prose import listed
from layerdoit.core.units import count_text
from layerdoit.doctor.finding import Fact, Item, Rule, rules

if TYPE_CHECKING:
    from layerdoit.cache.model import Namesake
    from layerdoit.engine.handle import Engine
    from layerdoit.project.checkouts import Checkout
    from layerdoit.project.project import Project

NAMESAKE = Rule(
    "namesakes",
    "hint",
    "Another project of the same name has images or mounts on this engine.",
    "neither clears what the other has; but one is refused the tags and the container name that the other took first",
    "give one of them another name: `project:` in its layerdoit.yaml",
)
RULES = tuple(rules(globals()))


def ask(project: Project, engine: Engine) -> tuple[tuple[Namesake, ...], tuple[Checkout, ...]]:
    """Other projects of this name, and the other checkouts of this project that left mounts here or that git knows."""
    from layerdoit.cache import whose
    from layerdoit.project.checkouts import checkouts

    named = [one for one in engine.images.of_project(project.name) if one.label("project") == project.name]
    _, theirs = whose.images(project.owner, named)
    mounts, their_mounts = whose.mounts(project, engine.mounts(project.name))
    places = checkouts(project.root, mounts).values()
    return whose.namesakes(theirs, their_mounts), tuple(one for one in places if one.path and one.state != "this")


def neighbours(name: str, namesakes: Sequence[Namesake], places: Sequence[Checkout]) -> Iterator[Item]:
    """A hint for each project, and one line on the checkouts."""
    if places:
        yield Fact("other checkouts", listed([one.words for one in places], 4))
    for other in namesakes:
        counted = [(other.images, "image"), (other.mounts, "mount")]
        what = " and ".join(count_text(number, noun) for number, noun in counted if number)
        yield NAMESAKE.found(f"another project is called {name}, too, and has {what} here: {other.words}")
