"""A service of an image that is not built here, as the tasks see it: `deploy:db`, `status:db`, `logs:db`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from layerdoit.core.console import say
from layerdoit.core.errors import ConfigError, DeployError, LayerdoitError
from layerdoit.core.prose import listed
from layerdoit.core.signals import as_errors
from layerdoit.deploy import needs
from layerdoit.deploy.docker import described
from layerdoit.deploy.docker.foreign import Foreign
from layerdoit.deploy.phase_watch import Watch
from layerdoit.deploy.provider import SHELL, Deployed, Held, Release, Service, Status
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.container import Container

START = "start"


class ForeignProvider:
    """`Provider` of a container that is started, and replaced only when it is asked for by its name."""

    def __init__(self, settings: DeploySettings) -> None:
        self.settings = settings
        self._foreign = Foreign(settings)

    @property
    def needs_registry(self) -> bool:
        """See `Provider`."""
        return False

    def check(self, _release: Release, /) -> None:
        """See `Provider`."""
        needs.refuse(self.settings)
        needs.check(self.settings)
        _ = self.settings.env, self.settings.secrets
        self._foreign.containers.refuse_namesakes(self.settings.where.get("project"))

    def deploy(
        self,
        _release: Release,
        *,
        anew: bool = False,  # noqa: ARG002 - nothing of it is built
        on_phase: Callable[[str], None] = lambda _: None,
    ) -> Deployed:
        """Have it up as the settings say by now; the old one comes back where that fails."""
        before = self._foreign.found()
        watch = Watch(on_phase, {START: START}, time.perf_counter)
        try:
            with as_errors():
                first = needs.have(self.settings)
                if before is None or self._foreign.lacking() or self._foreign.outdated(before):
                    watch.enter(START)
                had = self._foreign.replace()
        except LayerdoitError as error:
            watch.leave()
            serving = None
            with contextlib.suppress(LayerdoitError):
                serving = self._service()
            return Deployed(serving, tuple(watch.done), failed_in=START, error=error)
        watch.leave()
        now = self._service()
        replaced = before is not None and now is not None and before.id != now.id
        return Deployed(now, tuple(watch.done), replaced, remarks=(*first.remarks, *had.remarks))

    def roll_back(self, _release: Release, *, on_phase: Callable[[str], None] = lambda _: None) -> Deployed:  # noqa: ARG002
        """See `Provider`. Its releases are not ours."""
        raise ConfigError(
            f"{self.settings.service} is not built here, so there is no release of it to go back to",
            where=self.settings.where.get("image"),
            hint=f"name the image that it is to run, then doit deploy:{self.settings.service}",
        )

    def changes(self, _release: Release) -> Iterator[str]:
        """See `Provider`."""
        found = self._foreign.found()
        if found is None:
            yield f"{self.settings.name} would be started with {self.settings.foreign}"
        elif why := self._foreign.outdated(found):
            yield f"{found.name} {why}: it would be stopped, and another one started with its volumes"
        elif self._foreign.lacking():
            yield f"{found.name} ({self._foreign.problem(found)}) would be started again"
        else:
            yield f"{found.name} runs {self.settings.foreign} with these settings: nothing would change"

    def status(self) -> Status:
        """See `Provider`."""
        if elsewhere := needs.unmanaged(self.settings):
            return Status(None, "not deployed", elsewhere)
        found = self._foreign.found()
        if found is None:
            return Status(None, "not deployed")
        why = self._foreign.outdated(found)
        remark = f"{found.name} {why}: doit deploy:{self.settings.service} replaces it" if why else ""
        return Status(self._described(found), self._foreign.problem(found) or "healthy", remark)

    def logs(self, *, follow: bool = False, tail: int | None = None, since: float | None = None) -> Iterator[str]:
        """See `Provider`."""
        return self._foreign.containers.log_lines(self._there(), follow=follow, tail=tail, last=since)

    def execute(self, command: Sequence[str]) -> int:
        """See `Provider`."""
        found = self._there()
        if not found.running:
            raise DeployError(f"{found.name} is not running ({found.state})", hint=self._start)
        return self._foreign.containers.interactive(found, command)

    def shell(self) -> int:
        """See `Provider`."""
        return self.execute(SHELL)

    def destroy(self) -> bool:
        """See `Provider`. What it keeps in volumes stays."""
        if needs.unmanaged(self.settings):
            return False
        kept = self._foreign.remove()
        if kept:
            what = f"the volume {kept[0]} stays" if len(kept) == 1 else f"the volumes {listed(kept)} stay"
            say(f"{what}, with all data: docker volume rm {' '.join(kept)} deletes them")
        return kept is not None

    def holds(self) -> tuple[Held, ...]:
        """See `Provider`. No cache level has anything to do with its image."""
        return ()

    def unlock(self) -> str:
        """See `Provider`."""
        return "the lock ends with the process that holds it: there is nothing to remove"

    @property
    def _start(self) -> str:
        return f"doit cycle_fast:{self.settings.service}"

    def _there(self) -> Container:
        needs.refuse(self.settings)
        found = self._foreign.found()
        if found is None:
            self._foreign.containers.refuse_namesakes(self.settings.where.get("project"))
            raise DeployError(f"{self.settings.name} is not deployed", hint=self._start)
        return found

    def _service(self) -> Service | None:
        found = self._foreign.found()
        return self._described(found) if found is not None else None

    def _described(self, found: Container) -> Service:
        service = described.service(found, self.settings, self._foreign.containers)
        http = self.settings.config.health.path is not None
        return replace(service, url=service.url if http or not service.address else f"tcp://{service.address}")
