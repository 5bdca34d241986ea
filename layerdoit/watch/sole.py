"""One watch of a deployment at a time, on this machine: two would take each other's containers away.

The kernel releases what is held when the process ends, even when killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from layerdoit import deploy
from layerdoit.core import user_folder
from layerdoit.core.errors import DeployError, LayerdoitError
from layerdoit.core.units import age_text

if TYPE_CHECKING:
    from layerdoit.project.project import Project


@contextlib.contextmanager
def held(projects: Iterable[Project]) -> Iterator[None]:
    """Hold the deployments of all projects. DeployError where another watch has one: who, and what to do."""
    with contextlib.ExitStack() as stack:
        for (project, name), folder in dict(_deployments(projects)).items():
            _hold(stack.enter_context(_opened(project, name)), name, folder)
        yield


def _deployments(projects: Iterable[Project]) -> Iterator[tuple[tuple[str, str], Path]]:
    for project in projects:
        for one in project.services.values() or (project,):
            # What is wrong with it the watch itself says.
            with contextlib.suppress(LayerdoitError):
                settings = deploy.settings_of(one)
                yield (settings.project, settings.name), project.root


def _opened(project: str, name: str) -> IO[str]:
    folder = user_folder.state() / "locks"
    folder.mkdir(exist_ok=True, mode=0o700)
    return (folder / f"watch-{project}-{name}").open("a+", encoding="utf-8")


def _hold(file: IO[str], name: str, folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        pid, _, rest = file.read().partition(" ")
        since, _, other = rest.partition(" ")
        ago = f", begun {age_text(time.time() - int(since))} ago" if since.isdigit() else ""
        where = f" in {other}" if other else ""
        raise DeployError(
            f"another watch keeps {name}{where} (process {pid or '?'}{ago})",
            hint="end that one first; or watch in a worktree, which has a container of its own",
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()} {int(time.time())} {folder}")
    file.flush()
