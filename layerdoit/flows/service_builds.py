"""The apps of several services: one base, one deps, one compilation; then each image, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from layerdoit.build import shown
from layerdoit.core import side_by_side
from layerdoit.core.console import warn
from layerdoit.core.errors import Cleared, ContextDiffers, LayerdoitError
from layerdoit.layers.outcome import Outcome

if TYPE_CHECKING:
    from layerdoit.flows.session import Session

Made = tuple["Session", list[Outcome]]
"""Whose images were made or found, and how."""
Make = Callable[..., list[Outcome]]
"""`ensure.done`: makes one layer of one session."""


def apps(session: Session, make: Make, without: Sequence[Session] = ()) -> list[Made]:
    """The app of one service, or of all. What fails in one is raised when the others are done. `without`: not these.

    BuildKit sees that their first step is the same one, and compiles once.
    """
    parts, found = [part for part in session.built if part not in without], list[Made]()
    for layer in ("base", "deps"):
        one = next((part for part in parts if lacks(part, layer)), None)
        if one is not None:
            # Made for all: their plans have the same images below.
            whole = session.whole or session
            found.append((whole, make(whole, layer)))
    building = [part for part in parts if part.plan.step("app").action != "reuse"]
    if len(building) < 2:
        return [*found, *((part, make(part, "app")) for part in parts)]
    with shown.of_services(session.run, [(part.inputs, part.plan) for part in building]).shown() as display:
        # What is asked here is not asked in a thread.
        jobs = {part.project.service: partial(make, part, "app", display) for part in building}
        ended = side_by_side.all_of(jobs)
    failed = [one.error for one in ended.values() if one.error is not None]
    raised(failed)
    for part in parts:
        result = ended[part.project.service].result if part in building else make(part, "app")
        found.append((part, result or []))
    return found


def lacks(part: Session, layer: str) -> bool:
    """Whether an app is to be built, and a layer that it stands on is not there."""
    return part.plan.has(layer) and part.plan.step("app").action == "build" and part.plan.step(layer).works


def raised(failed: Sequence[BaseException]) -> None:
    """One error comes out: what is worth another try last; the others are told, each once."""
    ranked = sorted(failed, key=lambda error: isinstance(error, ContextDiffers | Cleared))
    if not ranked:
        return
    said = {_what(ranked[0])}
    for error in ranked[1:]:
        if not isinstance(error, ContextDiffers | Cleared) and _what(error) not in said:
            warn(f"error: {error}")
        said.add(_what(error))
    raise ranked[0]


def _what(error: BaseException) -> str:
    """Without the name of a log: one compilation is in the logs of all services."""
    return f"{error.where} {error.what}" if isinstance(error, LayerdoitError) else repr(error)
