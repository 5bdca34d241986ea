"""Front door 1: the tasks that a dodo.py embeds."""

from __future__ import annotations

import functools
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from layerdoit.config import CallSettings
from layerdoit.core import console, terminal
from layerdoit.core.console import replace_unprintable, unread, warn
from layerdoit.core.errors import ConfigError, Interrupted, LayerdoitError, as_error
from layerdoit.flows.session import Session
from layerdoit.front import project_registry, run_goals
from layerdoit.front.loading import Ended, Loading, end_unread, exit_when_signalled, loading
from layerdoit.front.project_registry import CREATED, REGISTERED, Embedded
from layerdoit.front.task_table import TASKS, TaskDoc
from layerdoit.front.uptodate import Current, Ready
from layerdoit.front.variables import variables
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from layerdoit.project.snapshot import Tree

Action = Callable[..., Any]


def tasks(
    root: str | os.PathLike[str] = ".",
    *,
    prefix: str = "",
    config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
) -> Callable[[], Iterator[dict[str, Any]]]:
    """A task creator for the Rust project at `root`, relative to the dodo.py. A prefix makes tasks `<prefix>:<name>`.

    `config`: a file like layerdoit.yaml, relative to the dodo.py, or a mapping of its keys, which is laid over it: so
    one folder can have several images, with one base and one deps. Bind it to a name that starts with `task_`.
    """
    frame = sys._getframe(1)  # noqa: SLF001 - `inspect` would read every source on the stack
    caller, names = frame.f_code.co_filename, frame.f_globals
    base = Path(caller).parent if os.path.exists(caller) else Path.cwd()
    folder, where = base / root, f"{os.path.relpath(caller)}:{frame.f_lineno}"
    laid = project_registry.laid(where, prefix, config, base)
    made = Embedded(folder, prefix, where, os.path.abspath(caller), laid)
    twin = project_registry.twin(made)
    if twin != made:
        REGISTERED.append(made)

    def task_layerdoit() -> Iterator[dict[str, Any]]:
        """Rust project as a container image in three keyed layers."""
        CREATED.add(made)
        if twin is not None and twin != made:
            warn(f"error: {project_registry.twice(made, twin.where)}")
            raise Ended(ConfigError.exit_code)
        plain = any(value is _PLAIN for value in names.values())
        first = project_registry.is_first_of_prefixed(made) and not plain and "task_watch" not in names
        return _created(folder, prefix, project_registry.with_others(made, plain=plain), everything=first)

    return task_layerdoit


def task_layerdoit() -> Iterator[dict[str, Any]]:
    """Rust project as a container image in three keyed layers."""
    here = Path.cwd()
    for one in CREATED:
        if not one.prefix and Path(one.dodo).parent == here:
            warn(f"error: {project_registry.twice(one, 'task_layerdoit')}")
            raise Ended(ConfigError.exit_code)
    made = Embedded(here, "", dodo=next((one.dodo for one in REGISTERED if Path(one.dodo).parent == here), ""))
    return _created(here, "", project_registry.with_others(made))


_PLAIN = task_layerdoit


# --- making the tasks ------------------------------------------------------------------------------------------------


def _created(
    root: Path, prefix: str, call: CallSettings | None, *, everything: bool = False
) -> Iterator[dict[str, Any]]:
    """`everything`: it also makes the tasks that are about all projects of the dodo."""
    replace_unprintable()
    run = loading()
    try:
        _adapt(run, prefix)
        if not root.is_dir():
            raise ConfigError(
                f'layerdoit.tasks: there is no folder "{root}"',
                hint="give the folder of a Rust project, relative to the dodo.py",
            )
        asked = " ".join(word for word in run.to_run if not word.startswith("-")) if run else ""
        verbose = run is not None and run.verbose
        project = Project.open(root, variables(), call=call)
        project.refuse_clashes()
        goals = run_goals.of(asked.split(), prefix, {one.prefix for one in REGISTERED})
        session = Session(Run(asked, prefix, verbose, goals=goals, settles=True), project)
    except (LayerdoitError, OSError) as error:
        failure = as_error(error)
        if run is not None and prefix and _is_for_others(run, prefix):
            yield from (_failing(failure, task, prefix, root) for task in TASKS)
            yield _group(prefix, root)
            return
        speak_for(prefix, root)
        warn(f"error: {failure}")
        speak_for("")
        raise Ended(failure.exit_code) from None
    files = _file_deps(session.tree)
    for task in TASKS:
        described = _task(session, task, prefix, files.get(task.name, ()))
        if not task.on_request:
            # `doit info` shows the files.
            vouches = run is None or run.command.name != "info"
            described["uptodate"] = [Current(session, task.name, vouches=vouches)]
        yield described
    for name in session.project.services:
        yield from _of_service(session.service(name), prefix)
    if prefix:
        yield _group(prefix, root)
    if prefix and everything:
        yield _watch_every(session, prefix)


_OF_IMAGES: Final = ("image", "push", "publish", "rollback", "releases")
"""Tasks that a service has none of whose image is not built here."""


def _of_service(session: Session, prefix: str) -> Iterator[dict[str, Any]]:
    """The tasks that are about one service: `cycle_fast:api`."""
    service = session.project.service
    own = {task.name for task in TASKS if task.of_service}
    foreign = session.project.kind == "foreign"
    below = {"app"} if session.project.kind == "compiled" else {"base", "deps", "app"}
    for task in TASKS:
        if not task.of_service or (foreign and task.name in _OF_IMAGES):
            continue
        described = _task(session, task, prefix, ())
        described["basename"] = _named(prefix, f"{task.name}:{service}")
        described["doc"] = f"{task.line} Of {service}."
        after = [f"{other}:{service}" if other in own else other for other in task.after if other not in below]
        described["task_dep"] = [_named(prefix, other) for other in after] if not foreign else []
        # It comes before what is asked of it, and is up to date where that is: the action itself looks.
        described["meta"]["on_request"] = True
        yield described


def _group(prefix: str, root: Path) -> dict[str, Any]:
    doc = f"The image of {root.name}."
    return {"basename": prefix, "actions": None, "task_dep": [_named(prefix, "image")], "doc": doc}


def _watch_every(session: Session, prefix: str) -> dict[str, Any]:
    """`doit watch` where each project of the dodo has a prefix."""
    from layerdoit.front import actions

    task = next(one for one in TASKS if one.name == "watch")
    described = _task(session, task, prefix, ())
    guarded = Guarded(actions.watch_every, prefix, session.project.root)
    return {**described, "basename": task.name, "actions": [(guarded, [session])]}


def _is_for_others(run: Loading, prefix: str) -> bool:
    """Whether only tasks of other projects were named: what is wrong with this one does not stop them."""
    words = [word for word in run.to_run if not word.startswith("-")]
    return bool(words) and not any(word == prefix or word.startswith(f"{prefix}:") or "*" in word for word in words)


def _failing(failure: LayerdoitError, task: TaskDoc, prefix: str, root: Path) -> dict[str, Any]:
    """A task of a project that cannot be opened, for tasks of the dodo that need it: it fails with the reason."""
    return {
        "basename": _named(prefix, task.name),
        "actions": [(Guarded(_fail, prefix, root), [failure])],
        "doc": task.doc,
        "verbosity": 2,
        "io": {"capture": False},
        "meta": {"on_request": True},
    }


def _fail(failure: LayerdoitError) -> None:
    raise failure


def _adapt(run: Loading | None, prefix: str) -> None:
    """What of our tasks doit's own rules would get wrong."""
    if run is None:
        return
    run.leave_out_on_request()
    run.answer_words(_answered)
    run.end_quietly_without_reader()
    if run.command.name == "run":
        exit_when_signalled()
        if not run.verbose:
            run.leave_lines_to_tasks()
    words = run.to_run
    group = _named(prefix, "cache_clear")
    if group in words:
        levels = [name for task in TASKS if (name := _named(prefix, task.name)).startswith(f"{group}:")]
        meant = [name for name in levels if name.rpartition(":")[2] in words]
        hint = f"did you mean `doit {meant[0]}`?" if meant else f"choose one of {', '.join(levels)}"
        raise ConfigError(f"{group} needs a level", hint=hint)
    printing_json = {_named(prefix, task.name) for task in TASKS if any(one["name"] == "json" for one in task.params)}
    if "--json" in words and words[0] in printing_json:
        run.leave_output_to_task()


def _answered(command: Any, words: list[str]) -> bool:
    from layerdoit.front import wrong_usage

    return wrong_usage.named(command, words)


def _named(prefix: str, name: str) -> str:
    return f"{prefix}:{name}" if prefix else name


_FILE = r"(?<![\w/.-])layerdoit\.yaml(?![\w-])"
_CARGO = r"\bcargo (?:update --workspace|generate-lockfile)(?! --manifest-path)"
_GIT = r"\bgit (?:checkout --ours|add) (?=Cargo\.lock|Cargo\.toml)"


def as_typed(text: str, prefix: str, folder: str = "", services: Sequence[str] = (), service: str = "") -> str:
    """What a text tells to run or is about, as it is here: tasks (`doit cycle_fast`) by their names under a prefix,
    the configuration and cargo's files by the folder of the project, relative to this one; what is about one service,
    by the name that it has for that one. `services`: all of them; `service`: the one that is spoken of."""
    if folder:
        text = re.sub(_FILE, f"{folder}/layerdoit.yaml", text)
        text = re.sub(_CARGO, lambda found: f"{found[0]} --manifest-path {shlex.quote(f'{folder}/Cargo.toml')}", text)
        text = re.sub(_GIT, lambda found: f"{found[0]}{folder}/", text)
    if service:
        of_one = "|".join(task.name for task in TASKS if task.of_one)
        text = re.sub(rf"\bdoit (?:{of_one})(?![\w:-])", rf"\g<0>:{service}", text)
    return _under(prefix, text, services) if prefix else text


def _under(prefix: str, text: str, services: Sequence[str]) -> str:
    groups = {task.name.partition(":")[0] for task in TASKS}
    names, titles = ("|".join(found) for found in (groups, [name for name in groups if "_" in name]))
    # `base: …` is a word and a colon, `base:image` a task under the prefix `base`.
    levels = "|".join([*(task.name.partition(":")[2] for task in TASKS if ":" in task.name), *services])
    ends = rf"(?=:(?:{levels})\b|(?![\w-]|:\w))"
    text = re.sub(rf"\bdoit (?=(?:{names}){ends})", f"doit {prefix}:", text)
    return re.sub(rf"^((?:error: )?)(?=(?:{titles}){ends})", rf"\g<1>{prefix}:", text)


def speak_for(prefix: str, root: Path | None = None, services: Sequence[str] = (), service: str = "") -> None:
    """From here on, this thread's lines are those of a project, and name its tasks and files as they are typed."""
    folder = "" if root is None else os.path.relpath(os.path.realpath(root))
    folder = "" if folder == os.curdir else folder
    typed = functools.partial(as_typed, prefix=prefix, folder=folder, services=services, service=service)
    console.speak_for(prefix, typed if prefix or folder or service else None)


def _task(session: Session, task: TaskDoc, prefix: str, files: Sequence[str]) -> dict[str, Any]:
    from layerdoit.front import actions

    group, _, name = task.name.partition(":")
    action = actions.ACTIONS[group]
    arguments = [session, name] if name else [session]
    if task.of_one and session.project.services:
        action = actions.AskingWhich(task.name, tuple(session.project.services), action)
    described: dict[str, Any] = {
        # A level is no sub-task of doit's, for `doit list` would not show it.
        "basename": _named(prefix, task.name),
        "actions": [(_guarded(action, session, prefix, task.name), arguments)],
        "doc": task.doc,
        "params": [dict(param) for param in task.params],
        "task_dep": [_named(prefix, other) for other in task.after],
        "verbosity": 2,
        "io": {"capture": False},
        "meta": {"on_request": task.on_request, "ready": Ready(session, task.name), "layerdoit": task.name},
    }
    if task.words:
        described["pos_arg"] = task.words
    if files:
        described["file_dep"] = list(files)
    return described


def _guarded(action: Action, session: Session, prefix: str, task: str) -> Guarded:
    whole = session.whole or session
    project = session.project
    if task in _SHARING and project.config.registry.repository is not None:
        goes_on = run_goals.goes_on(task, session.run.asked.split(), prefix)
        action = Settling(action, goes_on=goes_on)
    return Guarded(action, prefix, project.root, tuple(whole.project.services), project.service)


_SHARING: Final = (
    *("base", "deps", "app", "image", "cycle_fast", "cycle_clean", "cycle_nuclear", "deploy", "from_source"),
    *("check", "cache_warm", "cache_refresh"),
)
"""Tasks that build, or end a run that built."""


class Settling:
    """An action that waits in the end for what is being pushed. `goes_on`: unless a later task of the call does."""

    def __init__(self, action: Action, *, goes_on: bool) -> None:
        self._settled = action
        self._goes_on = goes_on
        # Its options are those of the task. What wraps this gets its attributes: no two have one name.
        functools.update_wrapper(self, action)

    def __call__(self, session: Session, *args: Any, **kwargs: Any) -> Any:
        """Where the action fails, what it has built is shared all the same."""
        try:
            done = self._settled(session, *args, **kwargs)
        except Interrupted:
            raise
        except LayerdoitError as error:
            self._settle(session, error)
            raise
        import multiprocessing

        # `doit -n` may end this process before the next task.
        if not self._goes_on or multiprocessing.parent_process() is not None:
            self._settle(session)
        return done

    def _settle(self, session: Session, failed: LayerdoitError | None = None) -> None:
        from layerdoit.flows import pushes

        try:
            pushes.settle(session)
        except LayerdoitError as error:
            if failed is None:
                raise
            warn(f"error: {error}")


class Guarded:
    """An action whose errors are one message, and whose interruption is an exit code."""

    def __init__(
        self,
        action: Action,
        prefix: str = "",
        root: Path | None = None,
        services: Sequence[str] = (),
        service: str = "",
    ) -> None:
        self._action = action
        self._speaks_for = (prefix, root, services, service)
        # doit reads the signature to pass the task's parameters.
        functools.update_wrapper(self, action)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from doit.exceptions import TaskError, TaskFailed

        speak_for(*self._speaks_for)
        try:
            done = self._action(*args, **kwargs)
        except Interrupted as error:
            warn(str(error))
            raise Ended(error.exit_code) from None
        except KeyboardInterrupt:
            raise Ended(128 + signal.SIGINT) from None
        except (LayerdoitError, OSError) as error:
            if isinstance(error, BrokenPipeError) and unread():
                end_unread()
            failure = as_error(error)
            warn(f"error: {failure.shown(coloured=terminal.colour(sys.stderr))}")
            # doit exits with 1 for a failure and with 2 for an error.
            kind = TaskFailed if failure.exit_code == 1 else TaskError
            return kind(failure.what, report=False)
        # False: failed, and has said why.
        return TaskFailed(f"{self._action.__name__} failed", report=False) if done is False else done


_TOOLCHAIN_FILES = ("rust-toolchain.toml", "rust-toolchain")
_MANIFESTS = ("/Cargo.toml", "/Cargo.lock", "/.cargo/config.toml", "/.cargo/config")


def _file_deps(tree: Tree) -> Mapping[str, Sequence[str]]:
    """What each layer is made from, for `doit info` and `doit list -s`.

    A tree that cannot be read has none: the action says why.
    """
    try:
        files = tree.all_sources.host_files()
    except LayerdoitError:
        return {}
    toolchain = [str(path) for name in _TOOLCHAIN_FILES if (path := tree.project.root / name).is_file()]
    return {
        "base": [str(tree.dockerfile("base")), *toolchain, *map(str, tree.project.config.source)],
        "deps": [str(tree.dockerfile("deps")), *(path for path in files if path.endswith(_MANIFESTS))],
        "app": [str(tree.dockerfile("app")), *files],
    }
