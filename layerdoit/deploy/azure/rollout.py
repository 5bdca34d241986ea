"""How a release comes to serve in a container app: a revision beside, healthy, all traffic, the old one deactivated."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final, cast

from layerdoit.core.doing import Doing, tell
from layerdoit.core.errors import LayerdoitError
from layerdoit.deploy.azure import app_lock, fitting, judging, not_healthy, revising, traffic
from layerdoit.deploy.azure import az as requests
from layerdoit.deploy.azure.app_state import App, Revision
from layerdoit.deploy.azure.az import Az
from layerdoit.deploy.azure.az_errors import AzError
from layerdoit.deploy.azure.revising import Wanted
from layerdoit.deploy.provider import Release, Service
from layerdoit.deploy.settings import DeploySettings

PHASES: Final = ("revision", "healthy", "shift traffic", "deactivate old")
UNJUDGED: Final = 15.0
"""Seconds that a revision must run, all the time, where Azure never says whether it is healthy."""
_AFTERWARDS: Final = 30.0
"""Seconds that an interrupted deployment waits for Azure before it takes back what it had asked for."""


Find = Callable[[Mapping[str, Revision]], Revision | None]


class Rollout:
    """The steps of one replacement; `docker.swap.run` takes them in their order.

    `find`: of the revisions, the one to go back to; without one the release is deployed as the settings say.
    `asks`: whether it must answer as `deploy.health` says, which what somebody else deployed may not do.
    """

    def __init__(
        self, az: Az, settings: DeploySettings, release: Release, find: Find | None = None, *, asks: bool = True
    ) -> None:
        self._az = az
        self._settings = settings
        self._release = release
        self._find = find
        self._asks = asks
        self._recovered: tuple[str, ...] = ()
        self._remarks: list[str] = []
        self._app: App | None = None
        self._revisions: dict[str, Revision] = {}
        self._old: Revision | None = None
        self._wanted: Wanted | None = None
        self._secrets: list[Mapping[str, str]] | None = None
        self._candidate = ""
        self._moving = False

    # --- the steps, as `Steps` has them ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """See `Steps`."""
        with app_lock.held(self._az) as recovered:
            self._recovered = recovered
            yield

    def recover(self) -> tuple[str, ...]:
        """See `Steps`."""
        self._read()
        app = self.app
        fitting.check(app, self._settings, self._az.place)
        done = list(self._recovered)
        for one in traffic.left(app, tuple(self._revisions.values()), self._old):
            if self._find is None and revising.is_already(one, self._asked(self._release)):
                done.append(f"{one.name}, which an interrupted deployment had left, is taken up again")
                continue
            self._az.deactivate(one.name)
            self._revisions[one.name] = replace(one, active=False)
            done.append(f"deactivated {one.name}, which an interrupted deployment had left")
        return tuple(done)

    def current(self) -> Service | None:
        """See `Steps`."""
        return self._service(self._old) if self._old else None

    def serves(self, release: Release) -> bool:
        """See `Steps`."""
        old = self._old
        if old is None or not old.active or judging.verdict(old).state == "failed":
            return False
        if self._find is not None:
            wanted = self._find(self._revisions)
            return wanted is not None and wanted.name == old.name
        return revising.is_already(old, self._asked(release))

    def start_beside(self, release: Release) -> Service:
        """See `Steps`."""
        app = self.app
        found = self._find(self._revisions) if self._find else None
        if found is None:
            asked = self._asked(release)
            same = (one for one in reversed(self._revisions.values()) if revising.is_already(one, asked))
            found = next((one for one in same if not self._serves_now(one) and not judging.given_up(one)), None)
        if found is not None:
            self._candidate = found.name
            self._pin(app)
            self._az.activate(found.name)
            return self._service(found)
        if self._find is not None:
            what = "Azure keeps no revision of that release: a new one runs its image, with today's secrets"
            self._remarks.append(what)
        self._candidate = self._next(release)
        suffix = self._candidate.removeprefix(f"{app.name}--")
        body = revising.body(app, self._asked(release), suffix, self._pinned(app), self._secrets)
        self._az.change(body, self._settings.config.azure.deadline)
        return self._service(Revision(self._candidate))

    def wait_healthy(self, candidate: Service) -> Service:
        """See `Steps`."""
        deadline = self._settings.config.azure.deadline
        ends = time.monotonic() + deadline
        failed, runs_since = 0, None
        while True:
            found = self._az.revision(candidate.id)
            now = judging.verdict(found)
            # Azure calls a container failed that it is about to start again: it must say so twice.
            failed = failed + 1 if now.state == "failed" else 0
            runs_since = (runs_since or time.monotonic()) if now.state == "running" else None
            if now.state == "healthy" or (runs_since and time.monotonic() - runs_since >= UNJUDGED):
                break
            if failed > 1 or time.monotonic() > ends:
                waited = "" if failed > 1 else f" within {deadline:g} s"
                raise not_healthy.unhealthy(self._az, found, f"did not become healthy{waited}", now.why)
            tell(Doing(f"waiting until {found.name} is healthy: {now.why}"))
            time.sleep(requests.PAUSE)
        if self._asks:
            not_healthy.wait_for_answer(self._az, self._settings, self.app, found)
        return self._service(found)

    def swap(self, candidate: Service) -> Service:
        """See `Steps`."""
        if self.app.ingress:
            self._shift(candidate.id)
        return candidate

    def rollback(self) -> None:
        """See `Steps`. Where the traffic has moved already, the new one is healthy and serves on.

        Where nobody knows whether it will move, both stay active. A revision that cannot be deactivated now has no
        traffic: the next deployment does it, and says so.
        """
        if not self._candidate or self._moving:
            return
        with contextlib.suppress(LayerdoitError):
            app = self._settled(_AFTERWARDS)
            names = {*self._revisions, app.latest}
            if self._candidate in names and (not app.ingress or app.weight(self._candidate) == 0):
                self._az.deactivate(self._candidate)

    def remarks(self) -> tuple[str, ...]:
        """See `Steps`."""
        return tuple(self._remarks)

    def remove_old(self) -> None:
        """See `Steps`. A revision with a label is the user's."""
        old = self._old
        if old is None or not old.active or old.name == self._candidate:
            return
        if labels := self.app.labels(old.name):
            self._remarks.append(f"{old.name} stays active: it has the label {labels[0]}")
            return
        self._az.deactivate(old.name)

    # --- inside ------------------------------------------------------------------------------------------------------

    @property
    def replaced(self) -> str:
        """The revision that served before; '' where none did, or nothing was changed."""
        return self._old.name if self._old is not None and self._candidate not in ("", self._old.name) else ""

    @property
    def app(self) -> App:
        """As it was read last; `recover` reads it first."""
        if self._app is None:
            self._read()
        return cast("App", self._app)

    def _settled(self, deadline: float) -> App:
        """The app, once no change of it is under way."""
        ends = time.monotonic() + deadline
        while (app := self._az.app()).busy and time.monotonic() < ends:
            tell(Doing(f"waiting until Azure has ended another change of {app.name}"))
            time.sleep(requests.PAUSE)
        return app

    def _read(self) -> None:
        self._app = self._settled(self._settings.config.azure.deadline)
        self._revisions = self._az.revisions()
        self._old = traffic.serving(self._app, self._revisions)

    def _serves_now(self, one: Revision) -> bool:
        return self._old is not None and self._old.active and self._old.name == one.name

    def _asked(self, release: Release) -> Mapping[str, object]:
        app = self.app
        if self._wanted is None or self._wanted.release != release:
            names = self._secret_names()
            config = self._settings.config
            size, before = (config.cpus, config.memory), traffic.history(self._old)
            env, project = self._settings.env, self._settings.project
            self._wanted = Wanted(release, env, names, config.args, *size, before, project, self._next(release))
        return revising.container(app.template, app.ours, self._wanted)

    def _next(self, release: Release) -> str:
        """What a new revision is called."""
        return f"{self.app.name}--{revising.suffix(self.app.name, release.key, self._revisions)}"

    def _secret_names(self) -> Mapping[str, str]:
        """Variable -> secret of the app. Notes the secrets that the app is to have, where one is new."""
        wanted = self._settings.secrets
        if not wanted:
            return {}
        entries = self._az.secrets()
        there = {str(one["name"]): str(one["value"]) for one in entries if one.get("value")}
        names, new = revising.secret_names(wanted, there)
        if new:
            stay = revising.needed_secrets(self.app, self._revisions.values(), traffic.KEPT) | set(names.values())
            kept = [one for one in entries if one["name"] in stay]
            self._secrets = [*kept, *({"name": name, "value": value} for name, value in new.items())]
        return names

    def _pinned(self, app: App) -> list[dict[str, object]] | None:
        """The traffic as it is, but bound to the revision that has it: else Azure would give it to the new one."""
        return traffic.moved(app, self._old.name) if app.ingress and self._old else None

    def _pin(self, app: App) -> None:
        if app.ingress and self._old and any(one.weight and not one.revision for one in app.traffic):
            self._shift(self._old.name)

    def _shift(self, revision: str) -> None:
        body = {"properties": {"configuration": {"ingress": {"traffic": traffic.moved(self.app, revision)}}}}
        # What was asked for may still come about after an interruption.
        self._moving = True
        try:
            self._az.change(body, self._settings.config.azure.deadline)
        except AzError as error:
            self._moving = error.open
            raise
        self._moving = False

    def _service(self, one: Revision) -> Service:
        return service(one, self.app)


def service(one: Revision, app: App) -> Service:
    """What a revision is called outside."""
    mark = one.mark
    return Service(
        one.name,
        app.name,
        mark.key if mark else "",
        one.active and judging.verdict(one).state != "failed",
        app.fqdn or None,
        one.created,
        f"https://{app.fqdn}" if app.fqdn else None,
        mark.id if mark else "",
        mark.commit if mark else "",
        one.digest,
    )
