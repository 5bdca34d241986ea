"""Donors that only registries have: deps images in the repositories of other projects that `deps.lenders` names."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from layerdoit.core.background import Background, begun
from layerdoit.core.console import Speaker, speak_as, speaker, warn
from layerdoit.core.prose import listed
from layerdoit.engine import image_labels, registry_relatives
from layerdoit.engine.registry_answers import host_of
from layerdoit.layers.specs import donors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from layerdoit.config import Config
    from layerdoit.engine.handle import Engine
    from layerdoit.engine.registry_answers import Refusal
    from layerdoit.engine.registry_relatives import Told
    from layerdoit.layers.plan import Step
    from layerdoit.layers.specs.donors import Donor
    from layerdoit.project.inputs import Inputs


def offered(engine: Engine, inputs: Inputs, step: Step, here: Iterable[Donor]) -> tuple[Donor, ...]:
    """The images that are pulled for a cook. `step`: as it is planned without them; `here`: what lends on this engine.

    A name of a lender is the permission to pull. The project's own repository is none: it is looked through before.
    """
    config = inputs.project.config
    repositories = [one for one in config.deps.lenders if one != config.registry.repository]
    cooks = step.action == "build" and not (step.from_scratch or step.replaces)
    if not repositories or not cooks or not inputs.kin or not engine.is_local:
        return ()
    wanted, parent, word = step.spec.inputs, step.parent, inputs.lends
    if not donors.lacks_much(wanted, step.donors, parent, word):
        return ()
    # Services are planned one by one, on one engine.
    ask = partial(_asked, config, repositories, engine.platform_of("deps"), speaker())
    told = begun(engine, "_lenders", ask).result()
    known = {one.key for one in here}
    afar = [
        donor
        for repository, one in told.items()
        for donor in image_labels.donors(
            (image for image in one.images if image.label("kin") == inputs.kin),
            private=word == "private",
            afar=repository,
        )
        if donor.key not in known
    ]
    return donors.worth_pulling(wanted, afar, step.donors, parent, word)


def _asked(config: Config, repositories: Iterable[str], platform: str, whose: Speaker) -> Mapping[str, Told]:
    """What each repository has, all asked at once. `whose`: for whom this thread speaks."""
    speak_as(whose)
    # They keep the names that they have there: so whose they are is seen, and no image of this project is called so.
    jobs = {one: Background(partial(registry_relatives.asked, one, platform, one)) for one in repositories}
    told = {one: job.result() for one, job in jobs.items()}
    _tell(config, told, platform)
    return told


def _tell(config: Config, told: Mapping[str, Told], platform: str) -> None:
    """Say once which of them are of no use, and what helps."""
    where = config.where.get("deps.lenders", "deps.lenders")
    refused: dict[tuple[str, Refusal], list[str]] = defaultdict(list)
    for repository, one in told.items():
        if one.refused is not None:
            refused[host_of(repository), one.refused].append(repository)
        elif not one.images and not one.given_up:
            registry_relatives.give_up(repository)
            warn(
                f"{where}: {repository} has no deps images for {platform}\n"
                "next: look at that name, and whether its project pushes them (registry.push: [deps])"
            )
    for (_, refusal), names in refused.items():
        words = f"{where}: nothing is taken from {listed(names)}: {refusal}"
        warn(f"{words}\nnext: {refusal.advice(f'{names[0]}:deps', 'pull')}")
