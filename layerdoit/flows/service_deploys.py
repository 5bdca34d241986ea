"""Deployments of several services: what others need comes first, what is independent side by side.

A service that fails stops those that need it, and no others; whatever fails, what served goes on serving.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from layerdoit.config import service_checks
from layerdoit.core import side_by_side
from layerdoit.core.console import warn
from layerdoit.core.errors import LayerdoitError
from layerdoit.core.prose import listed
from layerdoit.core.side_by_side import Ended
from layerdoit.flows import deploy_row

if TYPE_CHECKING:
    from layerdoit.flows.session import Session

Deploy = Callable[["Session"], bool]
"""Deploys one service; whether anything was started."""
Results = Mapping[str, bool | BaseException | None]
"""By service: whether anything was started, what went wrong, or None where it was not tried."""


def each(session: Session, deploy: Deploy) -> Results:
    """Deploy one service, or all. Errors are among the results; `Interrupted` comes out when all have ended."""
    parts = {one.project.service: one for one in list(session.services.values()) or [session]}
    if len(parts) == 1:
        return {name: _one(deploy, one) for name, one in parts.items()}
    needs = {name: found & parts.keys() for name, found in service_checks.needs(session.project.config).items()}
    order = TopologicalSorter({name: needs.get(name, ()) for name in parts})
    order.prepare()
    results: dict[str, bool | BaseException | None] = {}
    with deploy_row.Shared(session.run.label, parts) as rows:
        while order.is_active():
            ready = order.get_ready()
            going = [name for name in ready if not _lost(needs.get(name, ()), results)]
            results |= dict.fromkeys(ready)
            jobs = {name: partial(_deployed, deploy, rows, parts[name]) for name in going}
            if jobs:
                results |= {name: _result(one) for name, one in side_by_side.all_of(jobs, in_turns=False).items()}
            order.done(*ready)
    return results


def _deployed(deploy: Deploy, rows: deploy_row.Shared, part: Session) -> bool:
    with rows.row(part.project.service):
        return _one(deploy, part)


def _one(deploy: Deploy, part: Session) -> bool:
    if part.project.kind != "foreign":
        return deploy(part)
    from layerdoit.flows import foreign_services

    return foreign_services.have(part)


def _result(ended: Ended[bool]) -> bool | BaseException | None:
    return ended.error if ended.error is not None else ended.result


def _lost(needs: Collection[str], results: Results) -> list[str]:
    """Those of the services that are needed and were not deployed."""
    return [name for name in needs if results[name] is None or isinstance(results[name], BaseException)]


def raise_failed(results: Results) -> None:
    """Tell what was not tried, and raise the first error; others are told before."""
    failed = [error for error in results.values() if isinstance(error, BaseException)]
    if not failed:
        return
    waiting = [name for name, found in results.items() if found is None]
    if waiting:
        verb, whose = ("was", "it needs") if len(waiting) == 1 else ("were", "they need")
        warn(f"{listed(waiting)} {verb} not deployed: what {whose} was not either")
    for error in failed[1:]:
        if not isinstance(error, LayerdoitError):
            raise error
        warn(f"error: {error}")
    raise failed[0]
