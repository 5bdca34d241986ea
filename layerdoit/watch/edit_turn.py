"""A turn for an edit: compiled in the workshop, it serves in the container that is there; what fails is put back."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from layerdoit import deploy
from layerdoit.core.errors import LayerdoitError
from layerdoit.deploy.provider import KeepsLive
from layerdoit.flows.deploying import Place
from layerdoit.watch import assets
from layerdoit.watch.facts import Facts, differing, sources_differ

if TYPE_CHECKING:
    from layerdoit.core.doing import Doing
    from layerdoit.deploy.provider import LiveService
    from layerdoit.flows.session import Session
    from layerdoit.project.inputs import Inputs
    from layerdoit.tree.index import Entry
    from layerdoit.watch.trial import Trial
    from layerdoit.watch.workshop import Compiled, Workshop

Told = Callable[..., None]
Files = Mapping[str, Mapping[str, "tuple[Path, Entry]"]]
"""The assets of each deployment, by their places in its container."""


class NotHere(LayerdoitError):
    """The container in which an edit would serve is not there, or not as the watch has left it."""


class NotServed(LayerdoitError):
    """A tree that compiled, and does not serve; what served before serves again."""


class Wish(NamedTuple):
    """An edit: the reading of the new tree, what serves now, what is to serve, and where that is compiled.

    `placed`: which assets differ, by deployment.
    """

    session: Session
    old: Facts
    new: Facts
    workshop: Workshop
    placed: Mapping[str, assets.Change]


class Done(NamedTuple):
    """How an edit came to serve: `compiled`, `restarted`, `assets` or `unchanged`; the crates and files that took."""

    how: str
    crates: int = 0
    files: int = 0


class Address(NamedTuple):
    """Where a deployment serves (`url`: '' for nowhere), and what the image of its tree is called."""

    name: str
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
    """Compile what differs; None where only assets do. BuildError, Cancelled, ContextDiffers."""
    if not sources_differ(wish.old, wish.new):
        return None
    inputs = compiled_inputs(wish.session)
    if inputs is None:
        return None

    def told(doing: Doing) -> None:
        tell("compiling", doing.words, done=doing.done, total=doing.total)

    tell("compiling")
    return wish.workshop.compile(inputs, told, cancel)


def served(wish: Wish, made: Compiled | None) -> Done:
    """Let it serve in the containers that are there. NotServed: then what served before serves on, everywhere."""
    trials: list[tuple[Trial, LiveService]] = []
    files, restarted = 0, False
    try:
        for one in wish.session.built:
            settings = deploy.settings_of(one.project)
            name, change = settings.name, wish.placed.get(settings.name, assets.Change())
            if name not in differing(wish.old, wish.new):
                continue
            anew = bool(made and made.changed.get(name))
            if not anew and not change:
                continue
            provider, service = _there(one)
            if change:
                provider.place(service, change.archive())
                provider.gone(service, change.gone)
                files += len(change.placed) + len(change.gone)
            if anew or one.project.config.watch.reload == "restart":
                restarted = True
                binaries = made.changed.get(name, ()) if made else ()
                trial = wish.workshop.start(name, service.token, service.grace, binaries)
                trials.append((trial, service))
                _judged(provider, service, trial)
    except BaseException:
        for trial, _ in reversed(trials):
            with contextlib.suppress(LayerdoitError):
                trial.put_back()
        raise
    for trial, _ in trials:
        trial.keep()
    for name in differing(wish.old, wish.new):
        wish.workshop.ahead(name, wish.new.keys[name])
    crates = made.crates if made else 0
    how = "compiled" if made and any(made.changed.values()) else "restarted" if restarted else "assets"
    return Done(how if trials or files else "unchanged", crates, files)


def _judged(provider: KeepsLive, service: LiveService, trial: Trial) -> None:
    try:
        provider.judge(service, trial.ended)
    except LayerdoitError as error:
        what = f"{error.what}\nwhat served before serves again"
        raise NotServed(what, where=error.where, hint=error.hint) from error


def _there(session: Session) -> tuple[KeepsLive, LiveService]:
    place = Place.of(session)
    provider, service = place.provider, None
    if isinstance(provider, KeepsLive):
        service = provider.live()
        if service is not None and session.run.live is not None and service.watch == session.run.live.watch:
            return provider, service
    raise NotHere(f"the container of {place.settings.name} is not the one that the watch started; it is deployed again")


def stage_of(error: BaseException) -> str:
    """What failed, where the error says it."""
    return "health" if isinstance(error, NotServed) else ""


def addresses(session: Session) -> Iterator[Address]:
    """Where each deployment serves."""
    for one in session.built:
        place, url = Place.of(one), ""
        with contextlib.suppress(LayerdoitError):
            service = place.provider.status().service
            url = (service.url if service else None) or ""
        app = next(spec for spec in one.inputs.specs if spec.layer == "app")
        yield Address(place.settings.name, url, next(iter(one.project.references), app.tag))


def compiled_part(session: Session) -> Session | None:
    """One of the services that are compiled, or the project itself; None where nothing is compiled."""
    return next((one for one in session.built if one.project.kind == "compiled"), None)


def compiled_inputs(session: Session) -> Inputs | None:
    """What is compiled, of one of the services: what compiles is the same for all of them."""
    one = compiled_part(session)
    return one.inputs if one is not None else None


def programs(session: Session) -> Mapping[str, Sequence[str]]:
    """The binaries of each deployment that is compiled."""
    found = {}
    for one in session.built:
        if one.project.kind == "compiled":
            found[deploy.settings_of(one.project).name] = [name for _, name in one.inputs.bins]
    return found
