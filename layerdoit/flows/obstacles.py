"""What would stop a build before it begins: a toolchain or target that cannot be had here.

of_session(session) -> LayerdoitError | None        # None where the base is there, or can be built
of_workspace(workspace) -> LayerdoitError | None    # of one that may have no configuration yet; writes nothing
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit.core.errors import LayerdoitError

if TYPE_CHECKING:
    from layerdoit.cargo.manifest import Workspace
    from layerdoit.flows.session import Session


def of_session(session: Session) -> LayerdoitError | None:
    """Nothing is asked where the base image is there already, or is pulled."""
    if not session.plan.has("base") or session.plan.step("base").action != "build":
        return None
    from layerdoit.engine import broker

    project, tree = session.project, session.tree
    return broker.obstacle(project.config.base, tree.toolchain, tree.targets, project.root, session.engine)


def of_workspace(workspace: Workspace) -> LayerdoitError | None:
    """What `doit` will say of the toolchain, as far as it can be told."""
    from layerdoit import config
    from layerdoit.cargo import compile_targets, toolchain
    from layerdoit.engine import broker
    from layerdoit.engine.handle import Engine

    root = workspace.root
    try:
        settings = config.load(root, variables={}) if (root / config.FILE).is_file() else config.Config()
        with tempfile.TemporaryDirectory(prefix="layerdoit-") as folder:
            found = toolchain.detect(root, settings.toolchain, Path(folder))
        targets = compile_targets.wanted(workspace, settings.target, settings.env, settings.base.targets)
    except LayerdoitError as error:
        return error
    return broker.obstacle(settings.base, found, targets, root, Engine(settings.builder))
