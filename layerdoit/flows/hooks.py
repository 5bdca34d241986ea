"""The user's own commands before and after builds and deployments, and to check what serves."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from layerdoit.core import masking, process
from layerdoit.core.console import pass_on, say, warn
from layerdoit.core.errors import LayerdoitError
from layerdoit.deploy import release_words

if TYPE_CHECKING:
    from layerdoit.deploy.release import Release
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.project.project import Project

Moment = Literal["before_build", "after_build", "before_deploy", "after_deploy", "on_failure"]


# Services are deployed side by side; the user's commands were written for one run.
_one_at_a_time = threading.Lock()


class HookFailed(LayerdoitError):
    """A command of the user's ended with an error."""


def run(project: Project, moment: Moment, variables: Mapping[str, str]) -> None:
    """Run the commands of one moment, in their order; HookFailed for the first that fails."""
    hooks = project.config.hooks
    commands = {
        "before_build": hooks.before_build,
        "after_build": hooks.after_build,
        "before_deploy": hooks.before_deploy,
        "after_deploy": hooks.after_deploy,
        "on_failure": hooks.on_failure,
    }[moment]
    where = project.config.where.get(f"hooks.{moment}")
    for command in commands:
        say(f"hook    {moment}: {masking.redact(command)}")
        _run(project, command, {**variables, "LAYERDOIT_HOOK": moment}, f"the hook {moment}", where)


def failed(project: Project, error: BaseException, variables: Mapping[str, str]) -> None:
    """Run the commands of `on_failure`; what fails in them is told, and changes nothing."""
    if not project.config.hooks.on_failure:
        return
    with contextlib.suppress(HookFailed):
        try:
            what = error.what if isinstance(error, LayerdoitError) else str(error)
            run(project, "on_failure", {**variables, "LAYERDOIT_ERROR": masking.redact(what)})
        except HookFailed as second:
            warn(str(second))
            raise


def verify(project: Project, commands: Sequence[str], variables: Mapping[str, str]) -> None:
    """Run the checks of a release that serves; HookFailed for the first that fails."""
    where = project.config.where.get("deploy.verify")
    for command in commands:
        say(f"verify  {masking.redact(command)}")
        _run(project, command, variables, "the check of deploy.verify", where)


def of_release(settings: DeploySettings, release: Release | None, url: str | None = None) -> dict[str, str]:
    """The variables that hooks get of a release; `url`: where it serves."""
    found = release_words.variables(release, settings.last, settings.environment, settings.part)
    return {**found, "LAYERDOIT_DEPLOYMENT": settings.name, "LAYERDOIT_URL": url or ""}


def _run(project: Project, command: str, variables: Mapping[str, str], what: str, where: str | None) -> None:
    argv = ["/bin/sh", "-c", command]
    with _one_at_a_time:
        code = process.stream(argv, cwd=project.root, env=variables, on_line=lambda _, line: pass_on(line))
    if code:
        said = f"{what} ended with exit code {code}: {masking.redact(command)}"
        raise HookFailed(said, where=where, hint="its own words are above")
