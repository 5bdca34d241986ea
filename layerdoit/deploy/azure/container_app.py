"""One container app of Azure, which is there already: a release becomes a revision of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

from layerdoit.core import command_errors, process, terminal
from layerdoit.core.errors import ConfigError, DeployError
from layerdoit.core.signals import as_errors
from layerdoit.deploy.azure import app_lock, app_logs, differences, fitting, judging, traffic
from layerdoit.deploy.azure.app_state import App, Mark, Revision
from layerdoit.deploy.azure.az import Az, missing_az
from layerdoit.deploy.azure.az_errors import Place
from layerdoit.deploy.azure.rollout import PHASES, Rollout, service
from layerdoit.deploy.docker import swap
from layerdoit.deploy.provider import Deployed, Held, Release, Status
from layerdoit.deploy.settings import DeploySettings


class AzureProvider:
    """`Provider` on an app of Azure Container Apps, by the user's own `az`."""

    def __init__(self, settings: DeploySettings) -> None:
        self.settings = settings
        self._replaced = ""

    @property
    def needs_registry(self) -> bool:
        """See `Provider`."""
        return True

    @cached_property
    def place(self) -> Place:
        """Where the app is. ConfigError where the settings do not say it: a default of az is never used."""
        azure = self.settings.config.azure
        given = {"subscription": azure.subscription, "resource_group": azure.resource_group, "app": azure.app}
        missing = [name for name, value in given.items() if not value]
        if missing:
            where = self.settings.where.get("deploy.azure") or self.settings.where.get("deploy.provider")
            names = ", ".join(f"deploy.azure.{name}" for name in missing)
            hint = "deploy: {azure: {subscription: …, resource_group: …, app: …}}; az containerapp list --output table"
            raise ConfigError(f"provider: azure-container-apps needs {names}", where=where, hint=hint)
        return Place(azure.subscription or "", azure.resource_group or "", azure.app or "", self.settings.where)

    @cached_property
    def az(self) -> Az:
        """The requests to Azure."""
        return Az(self.place, self.settings.config.azure.container)

    def check(self, _release: Release, /) -> None:
        """See `Provider`."""
        _ = self.place, self.settings.env, self.settings.secrets
        fitting.check_health(self.settings)
        app = self.az.app()
        fitting.check(app, self.settings, self.place)

    def deploy(
        self,
        release: Release,
        *,
        anew: bool = False,  # noqa: ARG002 - an image that was built again has another digest
        on_phase: Callable[[str], None] = lambda _: None,
    ) -> Deployed:
        """See `Provider`."""
        rollout = Rollout(self.az, self.settings, release)
        done = swap.run(rollout, release, on_phase=on_phase, names=PHASES)
        self._replaced = rollout.replaced if done.error is None else ""
        return done

    def roll_back(self, release: Release, *, on_phase: Callable[[str], None] = lambda _: None) -> Deployed:
        """See `Provider`. The revision of then runs again; nothing is pulled anew but by Azure."""

        def find(revisions: Mapping[str, Revision]) -> Revision | None:
            return revision_for(release, revisions)

        return swap.run(Rollout(self.az, self.settings, release, find), release, on_phase=on_phase, names=PHASES)

    def earlier(self) -> tuple[Release, ...]:
        """See `Remembers`: each revision of ours names those that served before it."""
        revisions = self.az.revisions()
        now = traffic.serving(self.az.app(), revisions)
        names = now.mark.before if now is not None and now.mark is not None else ()
        there = (revisions[name] for name in names if name in revisions)
        return tuple(release_of(one) for one in there if one.mark is not None and not judging.given_up(one))

    def put_back(self) -> str:
        """See `Remembers`."""
        name = self._replaced
        if not name:
            return ""

        def find(revisions: Mapping[str, Revision]) -> Revision:
            if name not in revisions:
                raise DeployError(f"Azure no longer has {name}", hint=f"az containerapp show {self.place.options}")
            return revisions[name]

        nothing = Release("", "")
        done = swap.run(Rollout(self.az, self.settings, nothing, find, asks=False), nothing, names=PHASES)
        if done.error is not None:
            raise done.error
        return f"{name} serves again"

    def changes(self, release: Release) -> Iterator[str]:
        """See `Provider`."""
        app = self.az.app()
        fitting.check(app, self.settings, self.place)
        revisions = self.az.revisions()
        now = traffic.serving(app, revisions)
        there = self.az.secrets() if self.settings.secrets else ()
        yield from differences.lines(self.settings, release, app, revisions, now, there)

    def status(self) -> Status:
        """See `Provider`."""
        app = self.az.app()
        fitting.known(app, self.settings)
        revisions = self.az.revisions()
        now = traffic.serving(app, revisions)
        if now is None or now.mark is None:
            other = f"{now.name} serves ({now.image}), which layerdoit did not deploy" if now else ""
            return Status(None, "not deployed", other)
        state = judging.verdict(now)
        return Status(service(now, app), state.why, "; ".join(self._remarks(app, revisions, now)))

    def _remarks(self, app: App, revisions: Mapping[str, Revision], now: Revision) -> Iterator[str]:
        for one in app_lock.holders(app.tags):
            yield f"locked by {one.who} since {one.since}"
        if app.ingress and app.weight(now.name) != 100:
            yield f"it has {app.weight(now.name)} % of the traffic"
        for left in traffic.left(app, tuple(revisions.values()), now):
            yield f"{left.name} is active without traffic; the next deployment deactivates it"

    def releases(self) -> tuple[Revision, ...]:
        """The revisions of ours that Azure keeps, the newest first."""
        return tuple(one for one in reversed(self.az.revisions().values()) if one.mark is not None)

    def logs(self, *, follow: bool = False, tail: int | None = None, since: float | None = None) -> Iterator[str]:
        """See `Provider`."""
        app = self.az.app()
        now = self._serving(app)
        yield from app_logs.lines(self.az, app, now.name, follow=follow, tail=tail, since=since)

    def execute(self, command: Sequence[str]) -> int:
        """See `Provider`. az gives no exit code of the command."""
        if not terminal.at_both_ends():
            hint = "run it from a terminal; in CI, use a job: az containerapp job start"
            raise DeployError("az containerapp exec works on a terminal alone", hint=hint)
        app = self.az.app()
        now = self._serving(app)
        words = ["--revision", now.name, "--command", shlex.join(command)]
        if app.container is not None:
            words += ["--container", str(app.container["name"])]
        try:
            return process.interactive([*self.az.command("exec"), *words])
        except command_errors.ProgramMissing as missing:
            raise missing_az() from missing

    def shell(self) -> int:
        """See `Provider`."""
        return self.execute(["sh"])

    def destroy(self) -> bool:
        """See `Provider`. Revisions of ours are deactivated; the app, and what others deployed there, stays."""
        with as_errors(), app_lock.held(self.az):
            active = [one for one in self.releases() if one.active]
            for one in active:
                self.az.deactivate(one.name)
        return bool(active)

    def holds(self) -> tuple[Held, ...]:
        """See `Provider`."""
        kept = self.releases()
        by = f"container app {self.place.app}"
        return tuple(
            Held(f"{by} ({one.name})", one.image, one.mark.key)
            for number, one in enumerate(kept)
            if one.mark is not None and (one.active or number < traffic.KEPT)
        )

    def unlock(self) -> str:
        """See `Provider`."""
        return app_lock.release(self.az, self.az.app().tags)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _serving(self, app: App) -> Revision:
        fitting.known(app, self.settings)
        now = traffic.serving(app, self.az.revisions())
        if now is None:
            raise DeployError(f"nothing serves in {app.name}", hint="doit cycle_fast")
        return now


def release_of(one: Revision) -> Release:
    """The release that a revision of ours ran."""
    mark = one.mark or Mark("")
    return Release(one.image, mark.key, one.digest, mark.environment, mark.commit, mark.id)


def revision_for(release: Release, revisions: Mapping[str, Revision]) -> Revision | None:
    """The revision that ran a release: the one that was made for it, else the newest with its image."""
    same = [
        one
        for one in reversed(tuple(revisions.values()))
        if one.mark is not None
        and one.mark.key == release.key
        and release.digest in (one.digest, "")
        and not judging.given_up(one)
    ]
    named = (one for one in same if release.id and one.mark is not None and one.mark.id == release.id)
    return next(named, next(iter(same), None))
