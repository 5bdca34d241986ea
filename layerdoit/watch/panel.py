"""What a watch is at, for each project, and how an event changes it. Values only; `panel_view.py` draws them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from layerdoit.core.doing import Doing
from layerdoit.watch.events import Event, Kind

State = Literal["starts", "changed", "compiling", "building", "serving", "failed", "stopped"]
Tests = Literal["", "began", "passed", "failed"]

WORKS: Final = ("compiling", "building")
"""States in which a turn goes on."""
_TURNS: Final = 5
"""So many of the last turns are known: more fit into no line."""


class Turn(NamedTuple):
    """What a turn did, in facts of its last event; `seconds` since its change was seen, None if there was none."""

    kind: Kind
    facts: Mapping[str, Any]
    seconds: float | None


class Part(NamedTuple):
    """One project. `since`: when its state began.

    `facts`: of the event that brought the state; `why`: of a turn for more. `url`: where it serves, the
    addresses of all services (`urls`: by deployment) with a space between; `images`: by deployment, too;
    `ahead`: what serves is ahead of its image; `follows`: that is being built; `prepares`: an edit waits for the
    workshop.
    `turns`: the last ones, the newest first; `services`: names of all that served, where it has several.
    """

    name: str
    state: State = "starts"
    since: float = 0.0
    facts: Mapping[str, Any] = {}
    urls: Mapping[str, str] = {}
    why: str = ""
    doing: Doing = Doing("")
    serves: bool = False
    url: str = ""
    images: Mapping[str, str] = {}
    ahead: bool = False
    follows: bool = False
    prepares: bool = False
    turns: tuple[Turn, ...] = ()
    services: tuple[str, ...] = ()
    tests: Tests = ""
    tests_since: float = 0.0

    @property
    def works(self) -> bool:
        """Whether a turn goes on."""
        return self.state in WORKS


class Panel(NamedTuple):
    """All projects, in the order in which they were typed. `watched`: files, by project; `logs`: lines are shown."""

    parts: tuple[Part, ...]
    watched: Mapping[str, int] = {}
    logs: bool = True

    @classmethod
    def of(cls, projects: Sequence[str], *, logs: bool = True) -> Panel:
        """At the start."""
        return cls(tuple(map(Part, projects)), logs=logs)

    @property
    def files(self) -> int:
        """How many files are watched, of all projects together."""
        return sum(self.watched.values())

    def part(self, project: str) -> Part | None:
        """That of a project, as an event names it. None: it is about all of several."""
        if not project and len(self.parts) == 1:
            return self.parts[0]
        return next((part for part in self.parts if part.name == project), None)


def told(panel: Panel, event: Event) -> Panel:
    """After an event."""
    if event.kind == "watching":
        panel = panel._replace(watched={**panel.watched, event.project: int(event.facts.get("files", 0))})
    if event.kind == "stopped" and not event.project:
        return panel._replace(parts=tuple(_stopped(part, event) for part in panel.parts))
    change, part = _CHANGES.get(event.kind), panel.part(event.project)
    if change is None:
        return panel
    if part is None:
        if not event.project:
            return panel
        part = Part(event.project)
        panel = panel._replace(parts=(*panel.parts, part))
    changed = change(part, event)
    return panel._replace(parts=tuple(changed if one is part else one for one in panel.parts))


def _begun(part: Part, state: State, event: Event) -> Part:
    """In a state, since it began: an event that goes on with it leaves its time."""
    since = part.since if part.state == state and state in WORKS else event.at
    return part._replace(state=state, since=since, facts=event.facts)


def _changed(part: Part, event: Event) -> Part:
    # Tests that ran say nothing of what there is now.
    part = part._replace(tests=part.tests if part.tests == "began" else "")
    return part if part.works else _begun(part, "changed", event)


def _compiling(part: Part, event: Event) -> Part:
    done, total = event.facts.get("done"), event.facts.get("total")
    share = min(1.0, done / total) if done is not None and total else None
    doing = Doing("", done, total, "crates", share, tuple(event.facts.get("crates", ())))
    return _begun(part, "compiling", event)._replace(doing=doing)


def _building(part: Part, event: Event) -> Part:
    facts = event.facts
    done, total, unit = facts.get("done"), facts.get("total"), str(facts.get("unit", ""))
    share = min(1.0, done / total) if done is not None and total else None
    before = part.why if part.state == "building" else ""
    doing = Doing(str(facts.get("words", "")), done, total, unit, share)
    # When such a turn has ended, all that is deployed tells where it serves.
    found = part._replace(urls={}, images={}) if "why" in facts else part
    return _begun(found, "building", event)._replace(why=str(facts.get("why", before)), doing=doing)


def _serving(part: Part, event: Event) -> Part:
    facts = event.facts
    unchanged = facts.get("how") == "unchanged"
    # Nothing was started: it serves since it did, and what it is stays what it was.
    since = part.since if unchanged and part.state == "serving" else event.at
    ahead = (part.ahead if unchanged else True) and not facts.get("image")
    part = _with_turn(part, event)._replace(state="serving", since=since, facts=facts, serves=True)
    if facts.get("service"):
        part = part._replace(services=tuple(dict.fromkeys((*part.services, str(facts["service"])))))
    return _at(part, facts)._replace(ahead=ahead)


def _at(part: Part, facts: Mapping[str, Any]) -> Part:
    """With the address and the image that an event tells of."""
    deployment = str(facts.get("deployment", ""))
    if facts.get("image"):
        part = part._replace(images={**part.images, deployment: str(facts["image"])})
    if not facts.get("url"):
        return part
    urls = {**part.urls, deployment: str(facts["url"])}
    return part._replace(urls=urls, url=" ".join(dict.fromkeys(urls.values())))


def _failed(part: Part, event: Event) -> Part:
    serves = bool(event.facts.get("serves", part.serves))
    part = _with_turn(part, event)._replace(state="failed", since=event.at, facts=event.facts, serves=serves)
    return part._replace(follows=False) if event.facts.get("stage") == "image" else part


def _with_turn(part: Part, event: Event) -> Part:
    seconds = event.facts.get("seconds")
    turn = Turn(event.kind, event.facts, None if seconds is None else float(seconds))
    return part._replace(turns=(turn, *part.turns)[:_TURNS])


def _following(part: Part, _event: Event) -> Part:
    return part._replace(follows=True)


def _followed(part: Part, event: Event) -> Part:
    return _at(part, event.facts)._replace(follows=False, ahead=False, serves=True)


def _tests(part: Part, event: Event) -> Part:
    return part._replace(tests=event.facts.get("state", ""), tests_since=event.at)


def _cancelled(part: Part, event: Event) -> Part:
    part = part._replace(follows=False)
    return _begun(part, "changed", event) if part.works else part


def _stopped(part: Part, event: Event) -> Part:
    serves = bool(event.facts.get("serves", part.serves))
    return _begun(part, "stopped", event)._replace(serves=serves, follows=False, prepares=False)


def _preparing(part: Part, _event: Event) -> Part:
    return part._replace(prepares=True)


def _watching(part: Part, _event: Event) -> Part:
    return part._replace(prepares=False)


_CHANGES: Final[Mapping[Kind, Callable[[Part, Event], Part]]] = {
    "preparing": _preparing,
    "watching": _watching,
    "changed": _changed,
    "compiling": _compiling,
    "building": _building,
    "serving": _serving,
    "failed": _failed,
    "following": _following,
    "followed": _followed,
    "tests": _tests,
    "cancelled": _cancelled,
    "stopped": _stopped,
}
