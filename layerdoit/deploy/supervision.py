"""How a container of an image is created that a watch keeps, and what is known of one; `live` has the idea."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from layerdoit.core.errors import DeployError
from layerdoit.deploy.live import AHEAD, CONTROL, LABEL, PROGRAMS, SUPERVISOR
from layerdoit.engine import live_volumes
from layerdoit.engine.api import connect
from layerdoit.engine.images import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from layerdoit.deploy.live import Live
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.engine.container import Container
    from layerdoit.engine.inside import Inside


class Supervised(NamedTuple):
    """How one live container is to be created: never two with the same one.

    `entrypoint`: takes the place of the image's entry point and command; `volumes`: as `docker run -v` has them, beside
    those of the settings; `labels`: with their whole names. The container gets no init process of the engine's.
    """

    token: str
    entrypoint: tuple[str, ...]
    volumes: tuple[str, ...]
    labels: Mapping[str, str]


class Instead(NamedTuple):
    """What a compose file has started in place of what the image says; None where it says nothing."""

    entrypoint: Sequence[str] | None = None
    command: Sequence[str] | None = None
    stop_signal: str = ""

    def argv(self, entrypoint: Sequence[str], command: Sequence[str]) -> tuple[str, ...]:
        """All words of it, where the image has these. As the engine does it: an entry point drops the command of the
        image, and an empty one has it be the whole.
        """
        first = entrypoint if self.entrypoint is None else self.entrypoint
        return (*first, *(self.command or (() if self.entrypoint else command)))


def supervised(settings: DeploySettings, live: Live, reference: str, instead: Instead | None = None) -> Supervised:
    """For a container of an image, which is here. DeployError for one whose programs the watch cannot replace.

    Makes the volumes where they are not there. `instead`: see there; the image's programs are its own all the same.
    """
    config = _config(reference)
    command = _command(settings, config)
    _refuse_other_places(settings, command)
    control, programs = live.control, live.programs(settings.name)
    live_volumes.ensure((control, programs), settings.project, settings.owner, live.watch)
    token = secrets.token_hex(6)
    if instead is not None:
        command = [*instead.argv(config.get("Entrypoint") or (), config.get("Cmd") or ())]
    signal = (instead.stop_signal if instead else "") or config.get("StopSignal")
    stop = [signal] if signal else []
    return Supervised(
        token,
        (SUPERVISOR, f"{CONTROL}/{token}", *stop, "--", *command),
        (f"{control}:{CONTROL}", f"{programs}:{PROGRAMS}"),
        {PREFIX + LABEL: f"{live.watch}/{token}"},
    )


def refuse(settings: DeploySettings, reference: str) -> None:
    """DeployError for an image, which is here, whose programs a watch cannot replace. Changes nothing."""
    _refuse_other_places(settings, _command(settings, _config(reference)))


def _config(reference: str) -> Mapping[str, Any]:
    return (connect().get(f"/images/{reference}/json") or {}).get("Config") or {}


def _command(settings: DeploySettings, config: Mapping[str, Any]) -> list[str]:
    return [*(config.get("Entrypoint") or ()), *(settings.config.args or config.get("Cmd") or ())]


def token_of(labels: Mapping[str, str]) -> str:
    """The token of a container, by its labels; '' for one that is not live."""
    return labels.get(PREFIX + LABEL, "").partition("/")[2]


def sweep(settings: DeploySettings, removed: Iterable[Mapping[str, str]]) -> None:
    """Remove what watches leave that kept containers which have been removed. `removed`: their labels."""
    going = settings.live.watch if settings.live is not None else ""
    if over := {live_volumes.of_watch(labels) for labels in removed} - {"", going}:
        live_volumes.sweep(settings.project, settings.owner, over, going)


def ahead(container: Container, inside: Inside) -> str:
    """The key of the tree whose programs a live container has, where it is not that of its image; else ''."""
    at = f"{CONTROL}/{AHEAD}/{container.label('deployment')}"
    for _, content in inside.contents(container, at):
        written = content.read().decode(errors="replace").strip() if content is not None else ""
        return written if written != container.label("key") else ""
    return ""


def state(container: Container, inside: Inside) -> str:
    """What a container that a watch keeps serves, in words after `live:`; '' for an ordinary one."""
    if not token_of(container.labels):
        return ""
    return "ahead of its image" if ahead(container, inside) else "its image"


def at_its_image(container: Container) -> None:
    """Note that a live container, which has just taken its place, has the programs of its image."""
    noted = live_volumes.File(f"{AHEAD}/{container.label('deployment')}", b"", 0o666)
    live_volumes.fill(container.id, CONTROL, [live_volumes.File(AHEAD, None, 0o1777), noted])


def _refuse_other_places(settings: DeploySettings, command: list[str]) -> None:
    """An edit that does not reach what runs would let the old program serve as the new one."""
    if any(word.startswith(f"{PROGRAMS}/") for word in command[:1]):
        return
    if command and command[0] == settings.image.entrypoint:
        # A script of the project's assets, which starts one of the programs.
        return
    if any(f"{PROGRAMS}/" in word for word in command):
        # Such as tini, or a shell, which is told to start one.
        return
    runs = command[0] if command else "nothing"
    raise DeployError(
        f"the image of {settings.name} runs {runs}, which is not in {PROGRAMS}: a watch cannot replace it",
        where=settings.where.get("dockerfiles.app"),
        hint=f"have your own Dockerfile.app put the programs into {PROGRAMS}, and name the whole path of the one that "
        f'it starts (ENTRYPOINT ["{PROGRAMS}/…"]); or deploy each change with doit cycle_fast',
    )
