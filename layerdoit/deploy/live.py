"""How a deployment is started that a watch keeps: under a supervisor, its programs where the watch can replace them.

The supervisor is the container's first process and starts what the image would start. Two volumes are mounted: CONTROL
has the supervisor and the sockets on which it listens; PROGRAMS takes the place of the folder in which images have
their programs, and begins as a copy of that. The workshop of the watch has both, too.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.core.errors import DeployError
from layerdoit.engine import live_volumes
from layerdoit.engine.api import connect
from layerdoit.engine.images import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from layerdoit.deploy.settings import DeploySettings

PROGRAMS: Final = "/usr/local/bin"
"""Where images of ours have their programs."""
CONTROL: Final = "/.layerdoit"
"""Where a live container has the supervisor: `CONTROL/live`; its socket is `CONTROL/<token>`."""
SUPERVISOR: Final = f"{CONTROL}/live"
LABEL: Final = live_volumes.LIVE
"""Of a live container: `<watch>/<token>`. The token is the container's own: two stand beside one another in a swap."""
AHEAD: Final = "ahead"
"""The folder of the control volume that says whose programs serve, a file for each deployment; empty: the image's."""


class Live(NamedTuple):
    """What a watch hands to deployments. `watch`: names it, in lower case, without a slash."""

    watch: str

    @property
    def control(self) -> str:
        """The volume with the supervisor, of all deployments of the watch."""
        return f"layerdoit-live-{self.watch}"

    def programs(self, deployment: str) -> str:
        """The volume with the programs of a deployment."""
        return f"{self.control}.{deployment}"


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
    config = (connect().get(f"/images/{reference}/json") or {}).get("Config") or {}
    command = [*(config.get("Entrypoint") or ()), *(settings.config.args or config.get("Cmd") or ())]
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


def token_of(labels: Mapping[str, str]) -> str:
    """The token of a container, by its labels; '' for one that is not live."""
    return labels.get(PREFIX + LABEL, "").partition("/")[2]


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
