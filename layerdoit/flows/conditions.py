"""What must be true before an environment is deployed to: the rules that layerdoit.yaml sets for it."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from layerdoit import config as configuration
from layerdoit.config import environments
from layerdoit.core.errors import ConfigError, DeployError, LayerdoitError
from layerdoit.core.process import capture_quick
from layerdoit.core.prose import confirm, listed
from layerdoit.tree import git, git_changes

if TYPE_CHECKING:
    from layerdoit.config import Config
    from layerdoit.config.environments import Rules
    from layerdoit.flows.session import Session
    from layerdoit.project.project import Project

_REMOTE: Final = re.compile(r"refs/remotes/[^/]+/(?P<branch>.+)")


_asking = threading.Lock()


class Declined(DeployError):
    """The user said no, or could not be asked."""


def require_named(project: Project) -> None:
    """ConfigError where an environment must be named, and is not."""
    rules = project.config.environments
    if rules.get("require_environment") and "ENV" not in project.variables:
        known = environments.known(project.root, rules)
        hint = f"one of {', '.join(f'ENV={name}' for name in known)}"
        where = project.config.where.get("environments.require_environment")
        raise ConfigError("environments.require_environment: name the environment", where=where, hint=hint)


_ENGINES: Final = ("docker", "compose")
"""The providers that run an image on the engine that has it."""


def require_runnable(project: Project) -> None:
    """DeployError where the image is for another platform than the engine that would run it."""
    way = project.way
    if way is not None and project.config.deploy.provider in _ENGINES and started_with(project) is None:
        from layerdoit.engine.platform_way import REGISTER

        what = f"the image is for {way.platform}, and this engine runs no programs of this platform"
        raise DeployError(
            what, where=f"PLATFORM={project.variables['PLATFORM']}", hint=f"leave PLATFORM out, or {REGISTER}"
        )


def started_with(project: Project) -> tuple[str, ...] | None:
    """What `docker run` has to be told of the image's platform; None where the engine cannot run it."""
    way = project.way
    if way is None or not project.elsewhere:
        return ()
    from layerdoit.engine import api
    from layerdoit.engine.handle import Engine

    return ("--platform", way.platform) if way.platform in Engine(api.builder_name()).platforms else None


def check(project: Project) -> None:
    """DeployError for the first rule of the environment that is not kept. Asks git, and only where a rule does."""
    rules, where = rules_of(project.config)
    plain, branches = environments.conditions(rules.require)
    if not rules.require:
        return
    checkout = git.find(project.root)
    if checkout is None:
        what = f"{project.environment} requires {listed(sorted(plain) or branches, 3)}, but this is no git repository"
        raise DeployError(what, where=where, hint="deploy from a clone of the repository")
    if "clean" in plain and (changed := _changed(project)):
        what = (
            f"{project.environment} requires a clean tree, and this one differs from the commit: {listed(changed, 3)}"
        )
        raise DeployError(what, where=where, hint="commit or stash the changes, or deploy from a clean clone")
    holding = _remote_branches(project) if plain & {"pushed"} or branches else ()
    if "pushed" in plain and not holding:
        what = f"{project.environment} requires a pushed commit, but no branch of a remote has this one"
        raise DeployError(what, where=where, hint="git push; where it was pushed from elsewhere: git fetch")
    on = {checkout.branch} if checkout.branch else set(holding)
    if branches and not any(fnmatchcase(name, pattern) for name in on for pattern in branches):
        now = checkout.branch or "no branch"
        what = f"{project.environment} is deployed from {' or '.join(branches)}, and this is {now}"
        raise DeployError(what, where=where, hint=f"git switch {branches[0]}")


def agreed(session: Session, what: str) -> None:
    """Ask where the rules want it, once in a run; Declined where the user does not agree. YES answers."""
    rules, _ = rules_of(session.project.config)
    if not rules.confirm or configuration.confirmed(session.project.variables):
        return
    # Services are deployed side by side.
    with _asking:
        if "declined" in session.run.done:
            raise Declined("cancelled; nothing was changed", hint="run again when you want it")
        if "agreed" not in session.run.done:
            session.run.done.add("declined")
            _asked(session.project, what)
            session.run.done.discard("declined")
            session.run.done.add("agreed")


def _asked(project: Project, what: str) -> None:
    answer = confirm(f"{what}?")
    if answer is None:
        words = f"{project.environment} needs confirmation, and there is no terminal to ask on; nothing was changed"
        raise Declined(words, hint="add YES=1")
    if not answer:
        raise Declined("cancelled; nothing was changed", hint="run again when you want it")


def rules_of(config: Config) -> tuple[Rules, str | None]:
    """The rules of the configured environment, and where they stand."""
    where = config.where.get(f"environments.{config.environment}")
    return environments.rules(config.environments, config.environment), where


def _changed(project: Project) -> Sequence[str]:
    with _git_tells():
        return git_changes.changed(project.root)


def _remote_branches(project: Project) -> Sequence[str]:
    """The branches of remotes that have the commit, as git knew them last."""
    lines = _git(project, "for-each-ref", "--contains=HEAD", "--format=%(refname)", "refs/remotes")
    return [found["branch"] for line in lines if (found := _REMOTE.fullmatch(line)) and found["branch"] != "HEAD"]


def _git(project: Project, *words: str) -> Sequence[str]:
    with _git_tells():
        return capture_quick(git.command(*words), cwd=project.root).decode(errors="replace").splitlines()


@contextlib.contextmanager
def _git_tells() -> Iterator[None]:
    try:
        yield
    except LayerdoitError as error:
        raise DeployError(f"git cannot tell about this commit: {error.what}", hint="git status") from error
