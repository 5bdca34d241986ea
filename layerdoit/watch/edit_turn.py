"""A turn for an edit: compiled in the workshop, it serves in the container that is there; what fails is put back."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit import deploy
from layerdoit.config import service_checks
from layerdoit.core.errors import ContextDiffers, DeployError, LayerdoitError
from layerdoit.flows import early_refusals
from layerdoit.flows.deploying import Place
from layerdoit.watch import assets
from layerdoit.watch.agent import Gone
from layerdoit.watch.facts import Facts, differing, sources_differ
from layerdoit.watch.there import Astray, There, kept
from layerdoit.watch.trial import Deserted
from layerdoit.watch.workshop import Cancelled

if TYPE_CHECKING:
    from layerdoit.core.doing import Doing
    from layerdoit.deploy.provider import KeepsLive, LiveService
    from layerdoit.flows.session import Session
    from layerdoit.project.inputs import Inputs
    from layerdoit.tree.index import Entry
    from layerdoit.watch.trial import Trial
    from layerdoit.watch.workshop import Compiled, Workshop

Told = Callable[..., None]
_AGAIN: Final = "what served before serves again"
_WITH_ASSETS: Final = ", with the new assets"
_KILLED: Final = (
    "{}: the old program did not end within {:g} s and was killed; have it end on SIGTERM, or set deploy.stop_grace"
)
_LINGERED: Final = (
    "{}: the old program took {:.2g} s to end after it had stopped listening, and each edit waits for that; "
    "with watch.overlap: true, the new one starts meanwhile"
)
_LONG: Final = 0.2
"""Seconds that are worth a remark."""
Files = Mapping[str, Mapping[str, "tuple[Path, Entry]"]]
"""The assets of each deployment, by their places in its container."""


class NotServed(LayerdoitError):
    """A tree that compiled, and does not serve; the programs that served before serve again.

    `stage`: what failed, as an event names it.
    """

    stage = "health"


class Wish(NamedTuple):
    """An edit: the reading of the new tree, what serves now, what is to serve, and where that is compiled.

    `placed`: which assets differ from those that are there, by deployment; `placing`: hears before whose are changed,
    which no failure undoes; `remark`: hears what a user may want to know, of what, and that.
    """

    session: Session
    old: Facts
    new: Facts
    workshop: Workshop
    placed: Mapping[str, assets.Change]
    placing: Callable[[str], None]
    remark: Callable[[str, str], None]


class Done(NamedTuple):
    """How an edit came to serve: `compiled`, `restarted`, `assets` or `unchanged`; the crates and files that took.

    `deployments`: those of which something is another one now.
    """

    how: str
    crates: int = 0
    files: int = 0
    deployments: tuple[str, ...] = ()


class Address(NamedTuple):
    """Where a deployment serves (`url`: '' for nowhere), and what the image of its tree is called.

    `service`: its name in the table of services, if it is of that.
    """

    name: str
    service: str
    url: str
    image: str


def placed(session: Session) -> Files:
    """The assets of the tree that a session is at."""
    return {
        deploy.settings_of(one.project).name: assets.of(one.inputs)
        for one in session.built
        if one.project.kind == "compiled"
    }


def between(old: Files, new: Files) -> Mapping[str, assets.Change]:
    """What differs of the assets of each deployment."""
    return {name: assets.between(old.get(name, {}), found) for name, found in new.items()}


def compiled(wish: Wish, tell: Told, cancel: threading.Event) -> Compiled | None:
    """Compile what differs; None where only assets do. BuildError, WorkspaceError, Cancelled, ContextDiffers."""
    if not sources_differ(wish.old, wish.new):
        return None
    inputs = compiled_inputs(wish.session)
    if inputs is None:
        return None
    early_refusals.check(inputs)

    def told(doing: Doing) -> None:
        tell("compiling", doing.words, done=doing.done, total=doing.total)

    tell("compiling")
    return wish.workshop.compile(inputs, told, cancel)


def looked_for(wish: Wish) -> There:
    """Begin to look for the containers in which it is to serve."""
    places = map(Place.of, wish.session.built)
    return There(place for place in places if place.settings.name in differing(wish.old, wish.new))


def served(wish: Wish, made: Compiled | None, cancel: threading.Event, there: There | None = None) -> Done:
    """Let it serve in the containers that are there. NotServed, Cancelled: what served before is put back, everywhere.

    `Astray` where that cannot be done, or where a container is not the one that the watch knows. `there`: where the
    containers were looked for already.
    """
    tried: list[_Tried] = []
    files, stage, judged, parts = 0, "", "", _parts(wish, made)
    try:
        for wave in _waves(parts, service_checks.needs(wish.session.project.config)):
            begun = len(tried)
            for part in wave:
                place = Place.of(part.session)
                provider, service = there.of(place) if there is not None else kept(place)
                if part.change:
                    stage = "assets"
                    packed = part.change.archive()
                    wish.placing(part.name)
                    files += len(part.change.placed) + len(part.change.gone)
                    provider.place(service, packed)
                    provider.gone(service, part.change.gone)
                settings = part.session.project.config.watch
                if part.binaries or settings.reload == "restart":
                    stage = "start"
                    trial = wish.workshop.start(
                        part.name, service.token, service.grace, part.binaries, overlap=settings.overlap
                    )
                    tried.append(_Tried(part.name, trial, provider, service))
            stage = "start"
            for one in tried[begun:]:
                one.trial.started()
                _remark(one, wish.remark)
            stage = "health"
            for one in tried[begun:]:
                judged = one.name
                one.provider.judge(one.service, _until(one.trial, cancel))
        # It may have ended since.
        for one in tried:
            judged = one.name
            one.trial.check()
        for one in tried:
            judged = one.name
            one.trial.keep()
    except BaseException as error:
        died = _have_ended(tried, error, judged)
        _put_back(tried, error, "start" if died else stage, files)
        raise
    # What is the same is still that of its image, though its key is another one: nobody has to replace it.
    for part in parts:
        wish.workshop.ahead(part.name, wish.new.keys[part.name])
    crates = made.crates if made else 0
    how = "compiled" if made and any(made.changed.values()) else "restarted" if tried else "assets"
    return Done(how if tried or files else "unchanged", crates, files, tuple(part.name for part in parts))


class _Part(NamedTuple):
    """A deployment of which something is another one: its session, its assets that are, and its binaries."""

    name: str
    session: Session
    change: assets.Change
    binaries: Sequence[str]


class _Tried(NamedTuple):
    """A program in trial, and where."""

    name: str
    trial: Trial
    provider: KeepsLive
    service: LiveService


def _parts(wish: Wish, made: Compiled | None) -> list[_Part]:
    found = list[_Part]()
    for one in wish.session.built:
        name = deploy.settings_of(one.project).name
        part = _Part(name, one, wish.placed.get(name, assets.Change()), made.changed.get(name, ()) if made else ())
        if part.binaries or part.change:
            found.append(part)
    return found


def _waves(parts: Sequence[_Part], needs: Mapping[str, Collection[str]]) -> Iterator[list[_Part]]:
    """Those that are started at once, each wave after what it needs. `needs`: of each service."""
    sorter = TopologicalSorter({part.session.project.service: () for part in parts} | dict(needs))
    sorter.prepare()
    while sorter.is_active():
        ready = sorter.get_ready()
        if wave := [part for part in parts if part.session.project.service in ready]:
            yield wave
        sorter.done(*ready)


def _remark(one: _Tried, remark: Callable[[str, str], None]) -> None:
    """What the end of the old program has cost, where that is worth a word."""
    if one.trial.killed and one.service.grace:
        remark(f"{one.name} was killed", _KILLED.format(one.name, one.service.grace))
    if one.trial.lingered >= _LONG:
        remark(f"{one.name} lingered", _LINGERED.format(one.name, one.trial.lingered))


def _until(trial: Trial, cancel: threading.Event) -> Callable[[], str | None]:
    def ended() -> str | None:
        if cancel.is_set():
            raise Cancelled("a newer change came")
        return trial.ended()

    return ended


def _goes_on() -> None:
    """How a program has ended that is not in trial: with its container."""


def _have_ended(tried: Sequence[_Tried], error: BaseException, judged: str) -> bool:
    """Whether any new program has ended. The error, which is about the one that was judged, names the others too."""
    ended = {one.name: how for one in tried if (how := one.trial.ended()) is not None}
    others = [f"the new program of {name} {how}, too" for name, how in ended.items() if name != judged]
    if isinstance(error, DeployError) and judged in ended and others:
        error.reworded(what="\n".join([error.what, *others]))
    return bool(ended)


def _put_back(tried: Sequence[_Tried], error: BaseException, stage: str, files: int) -> None:
    """Have what served before serve again; the error says whether it does."""
    wrong = list[str]()
    for one in reversed(tried):
        try:
            one.trial.put_back()
            if not isinstance(error, Cancelled):
                one.provider.judge(one.service, _goes_on)
        except LayerdoitError as another:
            wrong.append(another.what)
    if isinstance(error, Astray) or not isinstance(error, LayerdoitError):
        return
    if isinstance(error, Deserted | Gone) or wrong:
        raise Astray("\n".join([error.what, *wrong])) from error
    if isinstance(error, Cancelled | ContextDiffers):
        return
    what = f"{error.what}\n{_AGAIN}{_WITH_ASSETS if files else ''}"
    found = NotServed(what, where=error.where, hint=error.hint)
    found.stage = stage or NotServed.stage
    raise found from error


def stage_of(error: BaseException) -> str:
    """What failed, where the error says it."""
    return error.stage if isinstance(error, NotServed) else ""


def addresses(session: Session) -> Iterator[Address]:
    """Where each deployment serves."""
    for one in session.built:
        place, url = Place.of(one), ""
        with contextlib.suppress(LayerdoitError):
            service = place.provider.status().service
            url = (service.url if service else None) or ""
        app = next(spec for spec in one.inputs.specs if spec.layer == "app")
        yield Address(place.settings.name, place.settings.service, url, next(iter(one.project.references), app.tag))


def compiled_inputs(session: Session) -> Inputs | None:
    """What is compiled, of one of the services or the project itself: what compiles is the same for all of them."""
    return next((one.inputs for one in session.built if one.project.kind == "compiled"), None)


def programs(session: Session) -> Mapping[str, Sequence[str]]:
    """The binaries of each deployment that is compiled."""
    found = {}
    for one in session.built:
        if one.project.kind == "compiled":
            found[deploy.settings_of(one.project).name] = [name for _, name in one.inputs.bins]
    return found
