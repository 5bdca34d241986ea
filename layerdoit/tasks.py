"""Front door 1: the tasks that a dodo.py embeds."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from layerdoit import config as configuration
from layerdoit.errors import Interrupted, LayerdoitError
from layerdoit.project import Project
from layerdoit.selected import leave_out_on_request

Params = tuple[dict[str, Any], ...]

_JSON: Params = ({"name": "json", "long": "json", "type": bool, "default": False, "help": "print JSON"},)
_CLEAR: Params = (
    {"name": "yes", "long": "yes", "type": bool, "default": False, "help": "do not ask"},
    {"name": "dry_run", "long": "dry-run", "type": bool, "default": False, "help": "only show what would go"},
)
_LOGS: Params = (
    {"name": "follow", "long": "follow", "short": "f", "type": bool, "default": False, "help": "go on until Ctrl-C"},
    {"name": "tail", "long": "tail", "type": int, "default": 100, "help": "how many lines"},
)


@dataclass(frozen=True)
class TaskDoc:
    """One task as users see it. `layer`: the layer it makes; `on_request`: never runs unless it is named."""

    name: str
    doc: str
    params: Params = ()
    on_request: bool = True
    after: tuple[str, ...] = ()


TASKS: tuple[TaskDoc, ...] = (
    TaskDoc("base", "Base layer: operating system, C and Rust toolchain, native packages.", on_request=False),
    TaskDoc("deps", "Deps layer: third-party crates, compiled.", on_request=False, after=("base",)),
    TaskDoc("app", "App layer: the workspace's own crates, binaries and assets.", on_request=False, after=("deps",)),
    TaskDoc("image", "The image, tagged; the default task.", on_request=False, after=("base", "deps", "app")),
    TaskDoc("cycle_fast", "Build, start beside the old container, wait until healthy, swap, remove the old.", after=("image",)),
    TaskDoc("deploy", "Run the image that is there, replacing the old container; builds nothing."),
    TaskDoc("destroy", "Stop and remove the container; nothing to do where there is none."),
    TaskDoc("status", "What runs, and what the layers' state is.", _JSON),
    TaskDoc("logs", "What the container printed.", _LOGS),
    TaskDoc("connect", "A shell in the container."),
    TaskDoc("cache_status", "What this project's caches hold.", _JSON),
    TaskDoc("cache_clear:soft", "Clear the workspace's compiled artefacts.", _CLEAR),
    TaskDoc("cache_clear:medium", "soft, and app images that are not deployed.", _CLEAR),
    TaskDoc("cache_clear:hard", "medium, and the compiled dependencies.", _CLEAR),
    TaskDoc("cache_clear:nuke", "hard, and the base images.", _CLEAR),
)

Action = Callable[..., Any]


def tasks(root: str | os.PathLike[str] = ".", *, prefix: str = "") -> Callable[[], Iterator[dict[str, Any]]]:
    """A task creator for the Rust project at `root` (relative to the dodo.py). With a prefix, tasks are `<prefix>:<name>`.

    Bind it to a name that starts with `task_`.
    """
    caller = inspect.stack()[1].filename
    base = Path(caller).parent if os.path.exists(caller) else Path.cwd()
    folder = base / root

    def task_layerdoit() -> Iterator[dict[str, Any]]:
        """Rust project as a container image in three keyed layers."""
        return _created(folder, prefix)

    return task_layerdoit


def task_layerdoit() -> Iterator[dict[str, Any]]:
    """Rust project as a container image in three keyed layers."""
    return _created(Path.cwd(), "")


# --- making the tasks ------------------------------------------------------------------------------------------------


def _created(root: Path, prefix: str) -> Iterator[dict[str, Any]]:
    from doit.exceptions import InvalidTask

    leave_out_on_request()
    try:
        project = Project(root, variables())
        _ = project.config
    except LayerdoitError as error:
        raise InvalidTask(str(error)) from None
    files = _file_deps(project)
    groups = set()
    for task in TASKS:
        group, _, name = task.name.partition(":")
        if name and group not in groups:
            groups.add(group)
            yield {"basename": _named(prefix, group), "name": None, "doc": "Clear this project's caches, by level.", "meta": {"on_request": True}}
        yield _task(project, task, prefix, files.get(task.name, ()))
    if prefix:
        yield {"basename": prefix, "actions": None, "task_dep": [_named(prefix, "image")], "doc": f"The image of {root.name}."}


def _named(prefix: str, name: str) -> str:
    return f"{prefix}:{name}" if prefix else name


def _task(project: Project, task: TaskDoc, prefix: str, files: Sequence[str]) -> dict[str, Any]:
    from layerdoit import actions

    group, _, name = task.name.partition(":")
    action = actions.ACTIONS[group]
    arguments = [project, name] if name else [project]
    described: dict[str, Any] = {
        "basename": _named(prefix, group),
        "actions": [(guarded(action), arguments)],
        "doc": task.doc,
        "params": [dict(param) for param in task.params],
        "task_dep": [_named(prefix, other) for other in task.after],
        "verbosity": 2,
        "io": {"capture": False},
        "meta": {"on_request": task.on_request},
    }
    if name:
        described["name"] = name
    if files:
        described["file_dep"] = list(files)
    if not task.on_request:
        described["uptodate"] = [(_is_current, [project, task.name])]
    return described


def _is_current(project: Project, layer: str) -> bool:
    """The truth about a layer: is the image of its key there? Errors are for the action to report."""
    try:
        plan = project.plan()
    except LayerdoitError:
        return False
    if layer == "image":
        return not plan.changes
    names = ("base", "runtime") if layer == "base" else (layer,)
    return all(plan.step(name).action == "reuse" for name in names)


def guarded(action: Action) -> Action:
    """An action whose errors are one message, and whose interruption is an exit code."""

    def run(*args: Any, **kwargs: Any) -> Any:
        from doit.exceptions import TaskFailed

        try:
            return action(*args, **kwargs)
        except Interrupted as error:
            print(f"layerdoit: {error}", file=sys.stderr, flush=True)
            raise SystemExit(error.exit_code) from None
        except KeyboardInterrupt:
            raise SystemExit(130) from None
        except LayerdoitError as error:
            print(f"layerdoit: error: {error}", file=sys.stderr, flush=True)
            return TaskFailed(error.what, report=False)

    return run


_TOOLCHAIN_FILES = ("rust-toolchain.toml", "rust-toolchain")
_MANIFESTS = ("/Cargo.toml", "/Cargo.lock", "/.cargo/config.toml", "/.cargo/config")


def _file_deps(project: Project) -> Mapping[str, Sequence[str]]:
    """What each layer is made from, for `doit info` and `doit list -s`. A tree that cannot be read has none: the action says why."""
    try:
        files = project.all_sources.host_files()
    except LayerdoitError:
        return {}
    toolchain = [str(path) for name in _TOOLCHAIN_FILES if (path := project.root / name).is_file()]
    return {
        "base": [str(project.dockerfile("base")), *toolchain, *map(str, project.config.source)],
        "deps": [str(project.dockerfile("deps")), *(path for path in files if path.endswith(_MANIFESTS))],
        "app": [str(project.dockerfile("app")), *files],
    }


# --- variables -------------------------------------------------------------------------------------------------------


def variables() -> dict[str, str]:
    """`NAME=value` words of the command line that are ours. One that neither we nor the dodo know is an error."""
    from doit import doit_cmd

    given: Mapping[str, str] = doit_cmd._CMDLINE_VARS or {}
    ours = {variable.name for variable in configuration.VARIABLES}
    strange = [name for name in given if name not in ours]
    if strange:
        configuration.check_variables(given, [name for name in strange if name in _dodo_words()])
    return {name: value for name, value in given.items() if name in ours}


def _dodo_words() -> set[str]:
    """Names that the dodo itself may ask for with `get_var`."""
    found: set[str] = set()
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        command = frame.f_locals.get("self")
        namespace = getattr(getattr(command, "loader", None), "namespace", None)
        if isinstance(namespace, dict) and namespace.get("__file__"):
            text = Path(namespace["__file__"]).read_text(encoding="utf-8")
            found |= set(re.findall(r"""get_var\(\s*['"](\w+)['"]""", text))
        frame = frame.f_back
    return found
