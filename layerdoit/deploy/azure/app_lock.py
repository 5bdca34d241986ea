"""A lock that the app itself bears, as a tag: it keeps out deployments from other machines.

Each holder adds a tag of its own, then looks whether there is another's: of two at the same moment, none goes on.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from layerdoit.core.errors import DeployError, LayerdoitError
from layerdoit.core.signals import ignored
from layerdoit.deploy import deploy_lock, process_mark
from layerdoit.deploy.azure.az import Az

TAG: Final = "layerdoit-lock-"
_VALUE: Final = re.compile(r"(?P<who>\S+) since (?P<since>\S+)(?: process (?P<process>\S+))?")


class Holder(NamedTuple):
    """Who has a lock. `process`: what tells the process from every other one, '' where nothing says it."""

    tag: str
    value: str
    who: str
    since: str
    process: str

    @property
    def gone(self) -> bool:
        """Whether it was a process of this machine that runs no longer."""
        return process_mark.is_gone(self.process)


def holders(tags: Mapping[str, str]) -> tuple[Holder, ...]:
    """Everybody who has a lock on an app."""
    return tuple(_holder(tag, value) for tag, value in sorted(tags.items()) if tag.startswith(TAG))


@contextlib.contextmanager
def held(az: Az) -> Iterator[tuple[str, ...]]:
    """Have the lock meanwhile; gives what was done about one that a killed process had left. DeployError."""
    tag = f"{TAG}{secrets.token_hex(4)}"
    who = re.sub(r"\s", "_", deploy_lock.who())[:80]
    value = f"{who} since {_now()} process {process_mark.mine()}"
    try:
        there = [one for one in holders(az.tag("Merge", {tag: value})) if one.tag != tag]
        left = [one for one in there if one.gone]
        if len(left) < len(there):
            raise _locked(next(one for one in there if not one.gone))
        if left:
            az.tag("Delete", {one.tag: one.value for one in left})
        yield tuple(f"removed the lock that a killed process left at {one.since}" for one in left)
    finally:
        with ignored(), contextlib.suppress(LayerdoitError):
            az.tag("Delete", {tag: value})


def release(az: Az, tags: Mapping[str, str]) -> str:
    """Remove every lock; what was done, in words."""
    there = holders(tags)
    if not there:
        return f"{az.place.app} has no lock"
    az.tag("Delete", {one.tag: one.value for one in there})
    return f"removed the lock of {', '.join(f'{one.who} since {one.since}' for one in there)} from {az.place.app}"


def _locked(one: Holder) -> DeployError:
    what = f"{one.who} deploys here since {one.since}"
    return DeployError(what, hint="wait until it has ended; if it was killed, doit deploy_unlock, then run this again")


def _holder(tag: str, value: str) -> Holder:
    found = _VALUE.fullmatch(value)
    if found is None:
        return Holder(tag, value, value or "somebody", "a time that it does not say", "")
    return Holder(tag, value, found["who"], found["since"], found["process"] or "")


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
