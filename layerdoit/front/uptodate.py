"""The truth about a layer, for doit: what it calls up to date, and that its files need no second look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from layerdoit.core.errors import LayerdoitError
from layerdoit.flows import pushes
from layerdoit.front.loading import vouch
from layerdoit.layers.key import IMAGES
from layerdoit.layers.plan import UP_TO_DATE
from layerdoit.project import pending

if TYPE_CHECKING:
    from layerdoit.flows.session import Session


class Ready:
    """What is there, in a sentence, for a task that has nothing to do. `owner`: the project's run."""

    def __init__(self, session: Session, name: str) -> None:
        self.owner = f"{session.run.begun:x}{session.run.prefix}"
        self._session = session
        self._name = name

    def __call__(self) -> str:
        """Called when doit found the task up to date."""
        session = self._session
        if self._name == "image":
            each = session.built
            if len(each) > 1:
                names = ", ".join(name for one in each for name in one.project.references)
                return f"nothing to do: {names} are the images of this tree"
            project, app = each[0].project, each[0].plan.step("app")
            why = "" if app.reasons == UP_TO_DATE else f" ({app.why})"
            return f"nothing to do: {', '.join(project.references)} is the image of this tree{why}"
        plans = [one.plan for one in _parts(session, self._name)]
        tags = [next((plan.step(name).spec.tag for name in IMAGES[self._name] if plan.has(name)), "") for plan in plans]
        if not any(tags):
            return "nothing to do: nothing is compiled here"
        return f"nothing to do: the image {', '.join(filter(None, tags))} is there"

    def __repr__(self) -> str:
        """What `doit info` shows."""
        return "what is said where there is nothing to do"


class Current:
    """Is the image of a layer's key there? Errors are for the action to report.

    `vouches`: the task's files are not looked at, nor shown, when it is.
    """

    def __init__(self, session: Session, layer: str, *, vouches: bool) -> None:
        self._session = session
        self._layer = layer
        self._vouches = vouches

    def __call__(self, task: Any) -> bool:
        """Called by doit, which passes its task to a parameter of this name."""
        try:
            there = self._there()
        except LayerdoitError:
            return False
        if there and self._vouches:
            vouch(task)
        return there

    def _there(self) -> bool:
        session = self._session
        # Whoever comes last waits for what is being pushed.
        if session.run.pushes:
            return False
        # After a build the last task runs, to say what the image is called.
        if self._layer == "image" and session.run.reported:
            return False
        return all(_is_there(one, self._layer) for one in _parts(session, self._layer))

    def __repr__(self) -> str:
        """What `doit info` shows."""
        return f"{self._layer} exists (if not, `doit layers plan` says why)"


def _parts(session: Session, layer: str) -> list[Session]:
    """Whose images a task is about: of a project with services, base and deps are those of all."""
    return session.built if layer in ("app", "image") else [session]


def _is_there(session: Session, layer: str) -> bool:
    plan, project = session.plan, session.project
    if not plan.changes:
        # Back on a branch whose images are there: the next change is told from these.
        project.state.remember(
            project.app_variant, {step.spec.layer: step.spec.key for step in plan.steps if step.action == "reuse"}
        )
    if layer != "image":
        steps = [plan.step(name) for name in IMAGES[layer] if plan.has(name)]
        waiting = {step.spec.layer for step in pending.of(project, plan)}
        return all(not step.works and step.spec.layer not in waiting for step in steps)
    if plan.changes or (project.config.registry.push and project.state.unshared()) or pushes.has_compiled(project):
        return False
    app, git = plan.step("app").spec, project.checkout
    if session.engine.images.untagged(app.tag, app.repository, project.tags):
        return False
    if git is not None and not project.state.asked_last(app.key, git.branch):
        from layerdoit.project import branches

        branches.note_request(project, session.engine.images, app)
    return True
