"""The truth about a layer, for doit: what it calls up to date, and that its files need no second look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from layerdoit.core.errors import LayerdoitError
from layerdoit.front.loading import vouch
from layerdoit.layers.key import IMAGES
from layerdoit.layers.plan import UP_TO_DATE

if TYPE_CHECKING:
    from layerdoit.flows.session import Session


class Ready:
    """What is there, in a sentence, for a task that has nothing to do. `owner`: the project's run."""

    def __init__(self, session: Session, name: str) -> None:
        self.owner = session.run.token + session.run.prefix
        self._session = session
        self._name = name

    def __call__(self) -> str:
        """Called when doit found the task up to date."""
        session = self._session
        if self._name == "image":
            app = session.plan.step("app")
            why = "" if app.reasons == UP_TO_DATE else f" ({app.why})"
            return f"nothing to do: {', '.join(session.project.references)} is the image of this tree{why}"
        tag = session.plan.step(IMAGES[self._name][0]).spec.tag
        return f"nothing to do: the image {tag} is there"

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
        # After a build the last task runs, to say what the image is called.
        if self._layer == "image" and session.run.reported:
            return False
        plan, project = session.plan, session.project
        if not plan.changes:
            # Back on a branch whose images are there: the next change is told from these.
            project.state.remember(project.variant(), {step.spec.layer: step.spec.key for step in plan.steps})
        if self._layer != "image":
            steps = [plan.step(name) for name in IMAGES[self._layer]]
            waiting = project.state.unshared()
            return all(step.action == "reuse" and step.spec.tag not in waiting for step in steps)
        if plan.changes:
            return False
        app, git = plan.step("app").spec, project.checkout
        if session.engine.images.untagged(app.tag, app.repository, project.tags):
            return False
        if git is not None and not project.state.asked_last(app.key, git.branch):
            from layerdoit.project import branches

            branches.note_request(project, session.engine.images, app)
        return True

    def __repr__(self) -> str:
        """What `doit info` shows."""
        return f"{self._layer} exists (if not, `doit layers plan` says why)"
