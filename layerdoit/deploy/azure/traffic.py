"""Who gets the traffic of an app: one revision. Labels of the user's stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from layerdoit.core.errors import DeployError
from layerdoit.deploy.azure.app_state import App, Revision, Weight
from layerdoit.deploy.azure.judging import verdict

KEPT: Final = 5
"""So many revisions of ours are kept to go back to, with their secrets."""


def serving(app: App, revisions: Mapping[str, Revision]) -> Revision | None:
    """The revision that has all the traffic; without ingress, the newest healthy one that is active."""
    if not app.ingress:
        active = sorted((one for one in revisions.values() if one.active), key=lambda one: one.created)
        healthy = [one for one in active if verdict(one).state in ("healthy", "running")]
        return next(reversed(healthy or active), None)
    return next((one for one in revisions.values() if app.weight(one.name) > 0), None)


def history(now: Revision | None) -> tuple[str, ...]:
    """The revisions of ours that will have served before the next one, the last one first."""
    return (now.name, *now.mark.before)[:KEPT] if now is not None and now.mark is not None else ()


def refuse_split(app: App, advice: str) -> None:
    """Traffic that a user divides is the user's: DeployError. `advice`: the beginning of the command that helps."""
    shares = [one for one in app.traffic if one.weight > 0]
    if len({one.revision or app.latest_ready for one in shares}) > 1:
        words = ", ".join(f"{one.weight} % to {one.revision or 'the latest revision'}" for one in shares)
        largest = max(shares, key=lambda one: one.weight)
        hint = f"give one revision all of it: {advice} --revision-weight {largest.revision or 'latest'}=100"
        raise DeployError(
            f"the traffic of {app.name} is divided ({words}); layerdoit moves all of it at once", hint=hint
        )


def moved(app: App, revision: str) -> list[dict[str, Any]]:
    """All traffic to one revision; a revision with a label keeps the label, with a weight of 0."""
    kept = [one._replace(weight=0) for one in app.traffic if one.label and one.revision != revision]
    labels = app.labels(revision)
    return [one.json() for one in (Weight(revision, 100, labels[0] if labels else ""), *kept)]


def left(app: App, revisions: Sequence[Revision], now: Revision | None) -> tuple[Revision, ...]:
    """Revisions of ours that are active although nobody reaches them: an interrupted deployment left them."""
    return tuple(
        one
        for one in revisions
        if one.active
        and one.mark is not None
        and (now is None or one.name != now.name)
        and app.weight(one.name) == 0
        and not app.labels(one.name)
    )
