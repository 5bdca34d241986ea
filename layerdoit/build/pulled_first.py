"""What a cook is helped by and only registries have is pulled before it: the image that it is cooked on, and donors."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from layerdoit.core import side_by_side
from layerdoit.core.console import warn
from layerdoit.core.doing import Together
from layerdoit.core.errors import Cleared, EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from layerdoit.build.work import Work
    from layerdoit.layers.plan import Step
    from layerdoit.layers.specs.deps import Cooked
    from layerdoit.layers.specs.donors import Donor


def have(work: Work, step: Step) -> None:
    """Have those images here, pulled side by side. Where one cannot be had, `Cleared`: it is planned again without."""
    jobs: dict[str, Callable[[], None]] = {}
    if step.parent is not None and step.parent.afar:
        jobs[step.parent.tag] = partial(_pull_parent, work, step, step.parent)
    jobs |= {donor.tag: partial(_pull_donor, work, donor) for donor in step.donors if donor.afar}
    if not jobs:
        return
    told = Together("pulling")

    def pull(tag: str) -> None:
        with told.part(tag):
            jobs[tag]()

    with side_by_side.others_run():
        ended = side_by_side.all_of({tag: partial(pull, tag) for tag in jobs}, in_turns=False)
    errors = [one.error for one in ended.values() if one.error is not None]
    if errors:
        # What nobody foresaw is not hidden by what is planned for.
        raise min(errors, key=lambda error: isinstance(error, Cleared))


def _pull_parent(work: Work, step: Step, parent: Cooked) -> None:
    from layerdoit.build import sharing
    from layerdoit.engine import registry

    project = work.inputs.project
    repository, spec = str(project.config.registry.repository), step.spec.known_as(parent.key)
    try:
        registry.pull(spec, repository, work.engine.platform_of("deps"), project.name, project.owner)
    except EngineError as error:
        words = f"the dependencies are not cooked on {parent.tag} of the registry: {error.what}"
        raise _given_up(repository, parent.tag, words) from error
    sharing.got(project, spec, repository)


def _pull_donor(work: Work, donor: Donor) -> None:
    from layerdoit.engine import registry

    lends = "private" if donor.private else "public"
    labels = {"layer": "deps", "key": donor.key, "kin": work.inputs.kin, "lends": lends}
    try:
        registry.pull_donor(donor.tag, labels, work.engine.platform_of("deps"))
    except EngineError as error:
        words = f"nothing is taken from {donor.tag} of deps.lenders: {error.what}\nnext: {error.hint}"
        raise _given_up(donor.afar, donor.tag, words) from error


def _given_up(repository: str, tag: str, words: str) -> Cleared:
    from layerdoit.engine import registry_relatives

    registry_relatives.give_up(repository)
    warn(words)
    return Cleared(f"{tag} could not be pulled")
