"""Front door 1: the tasks that a dodo.py embeds."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerdoit import config as configuration
from layerdoit.core.console import warn
from layerdoit.core.errors import ConfigError, Interrupted, LayerdoitError, as_error
from layerdoit.core.signals import Ended, exit_when_signalled
from layerdoit.flows.session import Session
from layerdoit.front.loading import Loading, loading
from layerdoit.front.uptodate import Current
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from layerdoit.project.snapshot import Tree

Params = tuple[dict[str, Any], ...]

_JSON: Params = ({"name": "json", "long": "json", "type": bool, "default": False, "help": "print JSON"},)
_ASKING: Params = (
    {"name": "yes", "long": "yes", "type": bool, "default": False, "help": "do not ask"},
    {"name": "dry_run", "long": "dry-run", "type": bool, "default": False, "help": "only show what would go"},
)
_CLEAR: Params = (
    *_ASKING,
    {
        "name": "older_than",
        "long": "older-than",
        "type": str,
        "default": "",
        "help": "only what was not used for so long: 90m, 12h, 7d, 2w",
    },
    {
        "name": "keep_last",
        "long": "keep-last",
        "type": str,
        "default": "",
        "help": "never the newest so many of each layer, nor the last used mounts of a checkout",
    },
)
_GC: Params = (
    *_ASKING,
    {
        "name": "stale",
        "long": "stale",
        "type": bool,
        "default": False,
        "help": "also what checkouts left behind that are gone",
    },
)
_PIN: Params = (
    {"name": "remove", "long": "remove", "type": bool, "default": False, "help": "take the pin off"},
    {"name": "show", "long": "list", "type": bool, "default": False, "help": "show what is pinned"},
)
_DRY: Params = (_ASKING[1],)
_WARM: Params = (
    {
        "name": "profiles",
        "long": "profiles",
        "type": str,
        "default": "",
        "help": "such as dev,release; default: the configured one",
    },
)
_LOGS: Params = (
    {"name": "follow", "long": "follow", "short": "f", "type": bool, "default": False, "help": "go on until Ctrl-C"},
    {"name": "tail", "long": "tail", "type": int, "default": 100, "help": "how many lines"},
)


@dataclass(frozen=True)
class TaskDoc:
    """One task as users see it. `on_request`: never runs unless it is named; `words`: name of its further words."""

    name: str
    doc: str
    params: Params = ()
    on_request: bool = True
    after: tuple[str, ...] = ()
    words: str = ""


TASKS: tuple[TaskDoc, ...] = (
    TaskDoc("base", "Base layer: operating system, C and Rust toolchain, native packages.", on_request=False),
    TaskDoc("deps", "Deps layer: third-party crates, compiled.", on_request=False, after=("base",)),
    TaskDoc("app", "App layer: the workspace's own crates, binaries and assets.", on_request=False, after=("deps",)),
    TaskDoc("image", "The image, tagged; the default task.", on_request=False, after=("base", "deps", "app")),
    TaskDoc(
        "check",
        "Tests and clippy for the whole workspace, in layers of their own.\n\n"
        "Dev-dependencies are compiled apart from those of the image. Tests run without network. A tree that passed\n"
        "is not tested again.",
    ),
    TaskDoc(
        "cycle_fast",
        "Build, start beside the old container, wait until healthy, swap, remove the old.",
        after=("image",),
    ),
    TaskDoc(
        "cycle_clean",
        "Build the app from nothing, replace the container, then clear as `cache_clear:medium` does.\n\n"
        "The plan is shown first. Nothing is cleared before the new container is healthy.",
        _DRY,
    ),
    TaskDoc(
        "cycle_nuclear",
        "Build all layers from nothing, replace the container, then clear as `cache_clear:nuke` does.\n\n"
        "The plan is shown first, and it asks. Nothing is cleared before the new container is healthy.",
        _ASKING,
    ),
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
    TaskDoc(
        "cache_gc",
        "Let go what `retention` in layerdoit.yaml does not keep.\n\nWithout such a section nothing goes.",
        _GC,
    ),
    TaskDoc(
        "cache_pin",
        "Protect images, and what they were made from, from every level and collection.\n\n"
        "`doit cache_pin` pins the app image of the tree as it stands, `doit cache_pin app-0123456789ab latest` the\n"
        "images of these tags. Options come before tags.",
        _PIN,
        words="images",
    ),
    TaskDoc(
        "cache_warm",
        "Have the base and deps layers, pulled or built, without building the app: for a new machine, a nightly job.",
        _WARM,
    ),
    TaskDoc(
        "cache_refresh",
        "Compile the third-party crates from nothing, as the first image of a chain; the old one is there until then.",
        _DRY,
    ),
)

Action = Callable[..., Any]


def tasks(root: str | os.PathLike[str] = ".", *, prefix: str = "") -> Callable[[], Iterator[dict[str, Any]]]:
    """A task creator for the Rust project at `root`, relative to the dodo.py. A prefix makes tasks `<prefix>:<name>`.

    Bind it to a name that starts with `task_`.
    """
    caller = sys._getframe(1).f_code.co_filename  # noqa: SLF001 - `inspect` would read every source on the stack
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

    try:
        run = loading()
        _adapt(run, prefix)
        if not root.is_dir():
            raise ConfigError(
                f'layerdoit.tasks: there is no folder "{root}"',
                hint="give the folder of a Rust project, relative to the dodo.py",
            )
        asked = " ".join(word for word in run.to_run if not word.startswith("-")) if run else ""
        session = Session(Run(asked, prefix), Project.open(root, variables()))
    except (LayerdoitError, OSError) as error:
        raise InvalidTask(str(as_error(error))) from None
    if run is not None and run.command.name == "run":
        session.engine.ask_platform()
    files = _file_deps(session.tree)
    groups = set()
    for task in TASKS:
        group, _, name = task.name.partition(":")
        if name and group not in groups:
            groups.add(group)
            yield {
                "basename": _named(prefix, group),
                "name": None,
                "doc": "Clear this project's caches, by level.",
                "meta": {"on_request": True},
            }
        described = _task(session, task, prefix, files.get(task.name, ()))
        if not task.on_request:
            # `doit info` shows the files.
            vouches = run is None or run.command.name != "info"
            described["uptodate"] = [Current(session, task.name, vouches=vouches)]
        yield described
    if prefix:
        yield {
            "basename": prefix,
            "actions": None,
            "task_dep": [_named(prefix, "image")],
            "doc": f"The image of {root.name}.",
        }


def _adapt(run: Loading | None, prefix: str) -> None:
    """What of our tasks doit's own rules would get wrong."""
    if run is None:
        return
    run.leave_out_on_request()
    if run.command.name == "run":
        exit_when_signalled()
    words = run.to_run
    group = _named(prefix, "cache_clear")
    if group in words:
        # doit would run the whole group because the rest of a name was not typed: everything would be deleted.
        levels = [name for task in TASKS if (name := _named(prefix, task.name)).startswith(f"{group}:")]
        raise ConfigError(f"{group} needs a level", hint=f"one of {', '.join(levels)}")
    if "--json" in words and words[0] in {_named(prefix, task.name) for task in TASKS if task.params == _JSON}:
        run.leave_output_to_task()


def _named(prefix: str, name: str) -> str:
    return f"{prefix}:{name}" if prefix else name


def as_typed(text: str, prefix: str) -> str:
    """Tasks that a text tells to run (`doit cycle_fast`), by the names that they have under a prefix."""
    names = "|".join({task.name.partition(":")[0] for task in TASKS})
    return re.sub(rf"\bdoit (?=(?:{names})\b)", f"doit {prefix}:", text) if prefix else text


def _task(session: Session, task: TaskDoc, prefix: str, files: Sequence[str]) -> dict[str, Any]:
    from layerdoit.front import actions

    group, _, name = task.name.partition(":")
    action = actions.ACTIONS[group]
    arguments = [session, name] if name else [session]
    described: dict[str, Any] = {
        "basename": _named(prefix, group),
        "actions": [(Guarded(action, prefix), arguments)],
        "doc": task.doc,
        "params": [dict(param) for param in task.params],
        "task_dep": [_named(prefix, other) for other in task.after],
        "verbosity": 2,
        "io": {"capture": False},
        "meta": {"on_request": task.on_request},
    }
    if name:
        described["name"] = name
    if task.words:
        described["pos_arg"] = task.words
    if files:
        described["file_dep"] = list(files)
    return described


class Guarded:
    """An action whose errors are one message, and whose interruption is an exit code."""

    def __init__(self, action: Action, prefix: str = "") -> None:
        self._action = action
        self._prefix = prefix
        # doit reads the signature to pass the task's parameters.
        functools.update_wrapper(self, action)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from doit.exceptions import TaskFailed

        try:
            done = self._action(*args, **kwargs)
        except Interrupted as error:
            warn(str(error))
            raise Ended(error.exit_code) from None
        except KeyboardInterrupt:
            raise Ended(128 + signal.SIGINT) from None
        except (LayerdoitError, OSError) as error:
            failure = as_error(error)
            failure.hint = failure.hint and as_typed(failure.hint, self._prefix)
            warn(f"error: {failure}")
            return TaskFailed(failure.what, report=False)
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


# --- variables -------------------------------------------------------------------------------------------------------


def variables() -> dict[str, str]:
    """`NAME=value` words of the command line that are ours. One that neither we nor the dodo know is an error."""
    from doit import doit_cmd

    given: Mapping[str, str] = doit_cmd._CMDLINE_VARS or {}  # noqa: SLF001 - `get_var` cannot list them
    ours = {variable.name for variable in configuration.VARIABLES}
    if not ours.issuperset(given):
        configuration.check_variables(given, sorted(_dodo_words() - ours))
    return {name: value for name, value in given.items() if name in ours}


def _dodo_words() -> set[str]:
    """Names that the dodo, or a module of the project that it imports, may ask for with `get_var`."""
    here = f"{os.getcwd()}{os.sep}"
    files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
    own = {file for file in files if os.path.abspath(file).startswith(here) and "site-packages" not in file}
    found: set[str] = set()
    for file in own | {"dodo.py"}:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            found |= set(re.findall(r"""get_var\(\s*['"](\w+)['"]""", Path(file).read_text(encoding="utf-8")))
    return found
