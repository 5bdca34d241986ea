"""What comes before the first layer that a run builds: the rules of the environment, and the hook `before_build`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.core.errors import LayerdoitError, WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layerdoit.flows.session import Session

_NAME = "prepared"


def before_build(session: Session) -> None:
    """Once in a run, and only where something is to be built. The hook may change the tree, which is read again."""
    if _NAME in session.run.done:
        return
    project = session.project
    hooked = bool(project.config.hooks.before_build)
    early = hooked and _lacks_files(session)
    if not early and not any(one.plan.changes for one in (session, *session.built)):
        return
    session.run.done.add(_NAME)
    if early:
        _run_hook(session, {})
    if session.run.deploys and not project.local_only:
        deployable(session)
    if hooked and not early:
        _run_hook(session, variables(session))


def _lacks_files(session: Session) -> bool:
    """Whether the tree cannot be built as it is; the hook may make what lacks, such as a front end in a new clone."""
    try:
        _ = [one.plan for one in session.built]
    except WorkspaceError:
        return True
    return False


def _run_hook(session: Session, known: Mapping[str, str]) -> None:
    from layerdoit import deploy
    from layerdoit.flows import hooks

    given = known or hooks.of_release(deploy.settings_of(session.project), None)
    hooks.run(session.project, "before_build", given)
    session.read_again()


def after_build(session: Session) -> None:
    """The app image was built."""
    if session.project.config.hooks.after_build:
        from layerdoit.flows import hooks

        hooks.run(session.project, "after_build", variables(session))


def failed(session: Session, error: LayerdoitError) -> None:
    """A build has failed."""
    if session.project.config.hooks.on_failure:
        from layerdoit.flows import hooks

        hooks.failed(session.project, error, variables(session))


def variables(session: Session) -> dict[str, str]:
    """Those of the image that is to be built."""
    from layerdoit import deploy
    from layerdoit.deploy.release import Release
    from layerdoit.flows import hooks

    settings, plan = deploy.settings_of(session.project), session.plan
    commit, _ = session.run.head(session.project.root).result()
    # Of a project with services, each has an image.
    tag, key = (plan.step("app").spec.tag, plan.step("app").spec.key) if plan.has("app") else ("", "")
    return hooks.of_release(settings, Release(tag, key, "", settings.environment, commit or ""))


def deployable(session: Session, *, whole: bool = False) -> None:
    """What would not be deployed in the end is not built for minutes first. `whole`: all services are deployed."""
    from layerdoit.flows import conditions
    from layerdoit.flows.deploying import Place, wanted

    project = session.project
    asked = [one for one in session.built if whole or one.run.deploys]
    places = [(one, Place.of(one)) for one in asked]
    conditions.check(project)
    for one, place in places:
        place.check(wanted(one))
    conditions.agreed(session, f"build and deploy to {project.environment}")
