"""What the rest of layerdoit asks of a place where images run, and the values that go in and come out.

A provider replaces one release by another in its own way: a cluster rolls out, Docker swaps two containers. Nobody
outside knows the phases of it; a provider names them, for the history and for the summary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, runtime_checkable

from layerdoit.deploy.release import Release

if TYPE_CHECKING:
    from layerdoit.core.errors import LayerdoitError
    from layerdoit.deploy.settings import DeploySettings


__all__ = ["Deployed", "Held", "KeepsLive", "LiveService", "Provider", "ProviderModule", "Release", "Service", "Status"]


@dataclass(frozen=True)
class Service:
    """A release that runs, or ran.

    `address`: host and port where users find it; `url`: the same as something to open. None without a published port.
    `since`: when it started, as the provider writes it. `release`, `commit`, `digest`: '' where nothing says so.
    """

    id: str
    name: str
    key: str
    running: bool
    address: str | None = None
    since: str = ""
    url: str | None = None
    release: str = ""
    commit: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Status:
    """What is deployed, None when nothing is; `health` in words: "healthy", or why it is not.

    `remark`: what else stands where it would be deployed. `live`: of what a watch keeps, what it serves: "its image",
    or "ahead of its image"; '' for what is ordinary.
    """

    service: Service | None
    health: str
    remark: str = ""
    live: str = ""


@dataclass(frozen=True)
class Deployed:
    """How a deployment ended; an error that a user can act on is part of it.

    `service`: what serves now, the old release after a failure. `phases`: name and seconds of each phase that was
    entered; none when the release served already. `recovered`: what an interrupted deployment had left, and what was
    done about it. `remarks`: what else the user should know. `failed_in`: the phase that failed.
    """

    service: Service | None
    phases: tuple[tuple[str, float], ...] = ()
    replaced: bool = False
    recovered: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    failed_in: str | None = None
    error: LayerdoitError | None = None


@dataclass(frozen=True)
class Held:
    """An image that a deployment needs: no cache level removes it.

    `by`: what holds it, as messages call it. `reference`: the image's id on the engine, or a tag or digest.
    `key`: the app layer's key, by which it is found where the engine knows no such reference.
    """

    by: str
    reference: str
    key: str


SHELL: Final = ("sh", "-c", "command -v bash >/dev/null && exec bash; exec sh")
"""A shell in a container: bash, where its image has one."""


class Provider(Protocol):
    """One deployment: at any moment, one release of one project serves there, or none."""

    @property
    def needs_registry(self) -> bool:
        """Whether it runs images of a registry: a release is pushed first, and named by its digest there."""
        ...

    def check(self, release: Release, /) -> None:
        """Raise where this release cannot be deployed as things stand. Changes nothing; the image may still be unbuilt.

        A caller that is about to build for minutes asks before it does.
        """
        ...

    def deploy(
        self, release: Release, *, anew: bool = False, on_phase: Callable[[str], None] = lambda _: None
    ) -> Deployed:
        """Let the release serve in place of the old one, which serves until the new one is healthy.

        Whatever fails, or whoever interrupts, the old release goes on serving. A release that serves already is left
        alone; with `anew` it is replaced too: its image was built again. `on_phase` hears the name of each phase before
        it begins; what it raises before the first one ends the deployment, with nothing changed.
        """
        ...

    def roll_back(self, release: Release, *, on_phase: Callable[[str], None] = lambda _: None) -> Deployed:
        """Let a release serve that was good once, as it was then. Builds nothing; keeps the promises of `deploy`."""
        ...

    def changes(self, release: Release) -> Iterator[str]:
        """What `deploy` would change, as lines for the user. Changes nothing; the image may still be unbuilt."""
        ...

    def status(self) -> Status:
        """What is deployed, and how it is."""
        ...

    def logs(self, *, follow: bool = False, tail: int | None = None, since: float | None = None) -> Iterator[str]:
        """The lines that the service wrote; with `tail` only the last ones, with `follow` until the service ends.

        `since`: only those of the last so many seconds.
        """
        ...

    def execute(self, command: Sequence[str]) -> int:
        """Run a command in the service, on the user's terminal; return its exit code."""
        ...

    def shell(self) -> int:
        """Open a shell in the service on the user's terminal; return its exit code."""
        ...

    def destroy(self) -> bool:
        """Remove everything of this deployment; False when there was nothing."""
        ...

    def holds(self) -> tuple[Held, ...]:
        """The images that this deployment runs, or would go back to."""
        ...

    def unlock(self) -> str:
        """Remove a lock that an interrupted deployment left there; say what was done."""
        ...


@runtime_checkable
class Remembers(Protocol):
    """A provider that knows itself what served before; the log of releases is only on the machine that deployed."""

    def earlier(self) -> tuple[Release, ...]:
        """The releases that served before the one that serves now, the last one first."""
        ...

    def put_back(self) -> str:
        """Let serve again what the last `deploy` replaced, whoever had deployed it; what was done, '' for nothing."""
        ...


class LiveService(NamedTuple):
    """A container that a watch keeps, and that serves. `grace`: seconds that its program has to end.

    `key`: of its image. `Status.live` says whether it is ahead of that.
    """

    id: str
    name: str
    token: str
    watch: str
    key: str
    url: str | None
    grace: float


@runtime_checkable
class KeepsLive(Protocol):
    """A provider that starts containers for a watch, which puts programs and files into them."""

    def live(self) -> LiveService | None:
        """What serves, where a watch keeps it, and it runs."""
        ...

    def judge(self, service: LiveService, ended: Callable[[], str | None]) -> None:
        """Return once a program is healthy that was started again; DeployError with its last lines when it never is.

        `ended`: how it has ended, in words after its name; None as long as it runs.
        """
        ...

    def place(self, service: LiveService, archive: bytes) -> None:
        """Unpack a tar archive of files, with their whole paths, in the container."""
        ...

    def gone(self, service: LiveService, paths: Sequence[str]) -> None:
        """Remove files and folders from the container; none of them need be there."""
        ...


class ProviderModule(Protocol):
    """What a module offers that stands in `PROVIDERS`."""

    @property
    def PHASES(self) -> tuple[str, ...]:  # noqa: N802 - a constant of the module
        """The phases of a deployment, in their order."""
        ...

    def provider(self, settings: DeploySettings, /) -> Provider:
        """A deployment as the settings describe it. Asks nothing and changes nothing yet."""
        ...
