"""The user's own commands as a provider: Helm, Nomad, ssh, or a host program of theirs deploys the release.

What serves is known by the log of releases (`flows`), and by what the `status` command prints.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from layerdoit.core import process
from layerdoit.core.console import pass_on
from layerdoit.core.errors import ConfigError, DeployError, LayerdoitError
from layerdoit.core.signals import as_errors
from layerdoit.deploy import release_words
from layerdoit.deploy.provider import Deployed, Held, Release, Service, Status
from layerdoit.deploy.settings import DeploySettings

PHASES: Final = ("command", "rollback")
"""Both run a command of the user's; `rollback` follows a failed one, or is what was asked for."""


def provider(settings: DeploySettings) -> CommandProvider:
    """See `ProviderModule`."""
    return CommandProvider(settings)


class CommandProvider:
    """`Provider` by commands. What serves is what the log of releases has as the last: `settings.last`."""

    def __init__(self, settings: DeploySettings) -> None:
        self.settings = settings
        self._commands = settings.config.command

    @property
    def needs_registry(self) -> bool:
        """Where there is a registry, the commands get the digest that it has; else the image of this engine."""
        return self.settings.whole.registry.repository is not None

    def check(self, _release: Release, /) -> None:
        """See `Provider`."""
        if self._commands.deploy is None:
            hint = 'such as deploy: {command: {deploy: helm upgrade shop ./chart --set image="$LAYERDOIT_IMAGE"}}'
            where = self.settings.where.get("deploy.provider")
            raise ConfigError("provider: command needs deploy.command.deploy", where=where, hint=hint)
        _ = self.settings.secrets

    def deploy(
        self, release: Release, *, anew: bool = False, on_phase: Callable[[str], None] = lambda _: None
    ) -> Deployed:
        """See `Provider`. Where the command fails, the rollback command puts the old release back."""
        last = self.settings.last
        healthy = not anew and last is not None and last.key == release.key and self._problem() is None
        if last is not None and healthy and self.settings.unchanged:
            return Deployed(self._service(last))
        return self._done(self._commands.deploy or "", release, "command", on_phase, back=last)

    def roll_back(self, release: Release, *, on_phase: Callable[[str], None] = lambda _: None) -> Deployed:
        """See `Provider`."""
        command = self._commands.rollback or self._commands.deploy or ""
        return self._done(command, release, "rollback", on_phase, back=None)

    def _done(
        self, command: str, release: Release, phase: str, on_phase: Callable[[str], None], back: Release | None
    ) -> Deployed:
        on_phase(phase)
        begun = time.monotonic()
        try:
            with as_errors():
                self._run(command, release, f"deploy.command.{'deploy' if phase == 'command' else phase}")
                if problem := self._problem(release):
                    raise DeployError(f"{self.settings.name} is not healthy: {problem}", hint="look at doit logs")
        except LayerdoitError as error:
            spent = ((phase, time.monotonic() - begun),)
            serving = self._put_back(back, release, error, on_phase) if back else None
            return Deployed(serving, spent, failed_in=phase, error=error)
        spent = ((phase, time.monotonic() - begun),)
        return Deployed(self._service(release), spent, replaced=self.settings.last is not None)

    def _put_back(
        self, old: Release, failed: Release, cause: LayerdoitError, on_phase: Callable[[str], None]
    ) -> Service | None:
        if self._commands.rollback is None:
            return self._service(old)
        on_phase("rollback")
        try:
            self._run(self._commands.rollback, old, "deploy.command.rollback", previous=failed)
        except LayerdoitError as error:
            cause.reworded(what=f"{cause.what}\nand the release before could not be restored: {error.what}")
            return None
        return self._service(old)

    def changes(self, release: Release) -> Iterator[str]:
        """See `Provider`."""
        if self._commands.changes is None:
            yield f"would run: {self._commands.deploy}"
            yield from (f"  {name}={value}" for name, value in self._variables(release).items())
            return
        yield from self._said(self._commands.changes, release).stdout.splitlines()

    def status(self) -> Status:
        """See `Provider`."""
        last = self.settings.last
        if last is None:
            return Status(None, "not deployed")
        problem = self._problem()
        health = problem or ("healthy" if self._commands.status else "not known: deploy.command.status is not set")
        return Status(self._service(last), health)

    def logs(self, *, follow: bool = False, tail: int | None = None, since: float | None = None) -> Iterator[str]:
        """See `Provider`. The command finds what was asked for in LAYERDOIT_FOLLOW, _TAIL and _SINCE."""
        command = self._needed("logs")
        asked = {"FOLLOW": "1" if follow else "", "TAIL": tail or "", "SINCE": since or ""}
        variables = {f"LAYERDOIT_{name}": str(value) for name, value in asked.items()}
        code = process.stream(
            ["/bin/sh", "-c", command],
            cwd=self.settings.root,
            env={**self._variables(self.settings.last), **variables},
            on_line=lambda _, line: pass_on(line),
        )
        if code:
            raise DeployError(f"deploy.command.logs ended with exit code {code}", where=self._where("logs"))
        yield from ()

    def execute(self, command: Sequence[str]) -> int:  # noqa: ARG002 - the interface's
        """See `Provider`."""
        raise DeployError("provider: command cannot enter the service", hint="use the program that deploys it")

    def shell(self) -> int:
        """See `Provider`."""
        return self.execute(())

    def destroy(self) -> bool:
        """See `Provider`."""
        command = self._needed("destroy")
        self._run(command, self.settings.last, "deploy.command.destroy")
        return self.settings.last is not None

    def holds(self) -> tuple[Held, ...]:
        """See `Provider`."""
        last = self.settings.last
        return (Held(self.settings.name, last.digest or last.reference, last.key),) if last else ()

    def unlock(self) -> str:
        """See `Provider`."""
        return "a lock ends with the process that holds it: there is nothing to remove"

    # --- commands ----------------------------------------------------------------------------------------------------

    def _needed(self, name: str) -> str:
        command: str | None = getattr(self._commands, name)
        if command is None:
            what = f"deploy.command.{name} is not set"
            raise ConfigError(what, where=self._where("provider"), hint=f"deploy: {{command: {{{name}: …}}}}")
        return command

    def _where(self, name: str) -> str | None:
        return self.settings.where.get(f"deploy.command.{name}") or self.settings.where.get("deploy.provider")

    def _run(self, command: str, release: Release | None, setting: str, previous: Release | None = None) -> None:
        """Run a command, whose output the user sees."""
        code = process.stream(
            ["/bin/sh", "-c", command],
            cwd=self.settings.root,
            env=self._variables(release, previous),
            on_line=lambda _, line: pass_on(line),
        )
        if code:
            what = f"{setting} ended with exit code {code}: {command}"
            raise DeployError(what, where=self.settings.where.get(setting), hint="its own words are above")

    def _said(self, command: str, release: Release | None) -> process.Completed:
        argv = ["/bin/sh", "-c", command]
        return process.capture(argv, cwd=self.settings.root, env=self._variables(release), check=False)

    def _problem(self, release: Release | None = None) -> str | None:
        """Why the service is not healthy, as the status command says; None where it is, or nobody can tell."""
        if self._commands.status is None:
            return None
        said = self._said(self._commands.status, release or self.settings.last)
        if said.code == 0:
            return None
        lines = (said.stderr.strip() or said.stdout.strip()).splitlines()
        return lines[-1] if lines else f"deploy.command.status ended with exit code {said.code}"

    def _variables(self, release: Release | None, previous: Release | None = None) -> dict[str, str]:
        settings = self.settings
        found = release_words.variables(release, previous or settings.last, settings.environment, settings.part)
        return {**settings.env, **found, **settings.secrets}

    def _service(self, release: Release) -> Service:
        name = self.settings.name
        words = {"release": release.id, "commit": release.commit, "digest": release.digest}
        return Service(release.id or release.key[:12], name, release.key, running=True, **words)
