"""What cargo would refuse before it compiles anything, said early: with file and line, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.core.errors import WorkspaceError

if TYPE_CHECKING:
    from layerdoit.flows.session import Session
    from layerdoit.project.inputs import Inputs


def of_session(session: Session) -> WorkspaceError | None:
    """What is refused where the plan compiles something; None where nothing is."""
    plan = session.plan
    if not any(plan.step(name).action == "build" for name in ("deps", "app") if plan.has("deps") and plan.has(name)):
        return None
    try:
        check(session.inputs)
    except WorkspaceError as error:
        return error
    return None


def check(inputs: Inputs) -> None:
    """Cargo.lock has to be what the manifests ask for, and the compiler as new as they ask for. WorkspaceError.

    In a process that lasts, what was found good is not looked at again until something of it is another one.
    """
    from layerdoit.cargo import lock_drift, rust_version

    project, tree, packages = inputs.project, inputs.tree, inputs.selection.packages
    workspace, options = project.workspace, project.options
    # What a base image of the project's own compiles with is its affair.
    toolchain = tree.toolchain if project.config.dockerfiles.base is None else None

    def look() -> bool:
        lock_drift.check(workspace, tree.lock)
        if toolchain is not None:
            rust_version.check(workspace, packages, options, toolchain)
        return True

    project.kept.made("early refusals", (workspace, tree.lock, packages, options, toolchain), look)
