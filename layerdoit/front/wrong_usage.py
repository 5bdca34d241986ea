"""The answer to a command line of doit that is wrong, or asks for help. Imported only then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from doit.cmdparse import CmdParseError

from layerdoit.core.console import warn
from layerdoit.core.errors import ConfigError
from layerdoit.front import guesses, help_text, option_parsing
from layerdoit.front.loading import Ended, print_help
from layerdoit.front.option_parsing import WrongOption
from layerdoit.front.task_table import TASKS, TaskDoc

DODO: Final = "dodo.py"
OURS: Final = {task.name: task for task in TASKS}
VERBOSE: Final = ("-v", "--verbose")
META: Final = "layerdoit"
"""What a task of ours carries in doit's `meta`: its name without prefix."""


def completed(command: Any, typed: Sequence[str]) -> list[str] | None:
    """The command line that was meant by `-v` without doit's number, before or after a task. None: it is another error.

    `-v` means all there is to say, as it does of other programs.
    """
    tasks = getattr(command, "task_list", None)
    words = list(typed)
    if tasks is None:
        at = next((at for at, word in enumerate(words) if word in VERBOSE), -1)
        if at < 0 or (words[at + 1 : at + 2] and words[at + 1].isdigit()) or not _is_ours(_dodo(command)):
            return None
        return [*words[:at], "-v", "2", *words[at + 1 :]]
    found = _not_understood(command, {task.name: task for task in tasks})
    if found is None or found.doc is None or found.wrong is None or found.wrong.unknown not in VERBOSE:
        return None
    words.reverse()
    words.remove(found.wrong.unknown)
    words.reverse()
    return ["-v", "2", *words]


def answered(command: Any, typed: Sequence[str], error: Exception) -> int | None:
    """Say what is wrong, or show the help that was asked for: the exit code. None: it is none of ours."""
    tasks = getattr(command, "task_list", None)
    try:
        if tasks is None:
            return before_loading(command, typed, error)
        if not any(our_name(task) for task in tasks):
            return None
        return _after_loading(command, {task.name: task for task in tasks})
    except ConfigError as found:
        warn(f"error: {found}")
        return found.exit_code


def named(command: Any, names: Sequence[str]) -> bool:
    """Of names given to `doit help`, `doit info` and the like: end at one that is no task. True: its help was shown."""
    known = [task.name for task in command.task_list]
    # Tasks that are made later may have any name.
    later = any(task.loader for task in command.task_list)
    for name in names:
        if name not in known and "*" not in name and not later:
            error = guesses.unknown_word(name, known, _commands(command))
            warn(f"error: {error}")
            raise Ended(error.exit_code)
    return command.name == "help" and any(_helped(task) for task in command.task_list if task.name in names)


def _helped(task: Any) -> bool:
    doc = OURS.get(our_name(task))
    if doc is not None:
        print_help(task_help(task, doc))
    return doc is not None


def our_name(task: Any) -> str:
    """A task's name in our table; empty for a user's own task."""
    return str((task.meta or {}).get(META, ""))


# --- with the tasks of the dodo --------------------------------------------------------------------------------------


class _Found(NamedTuple):
    """The first word of a command line that doit did not understand: no task of this name, or a task's option."""

    name: str
    task: Any = None
    doc: TaskDoc | None = None
    wrong: WrongOption | None = None


def _not_understood(command: Any, tasks: Mapping[str, Any]) -> _Found | None:
    """Look through the words as doit does."""
    rest = list(command.sel_tasks or ())
    while rest:
        name = rest.pop(0)
        task = tasks.get(name)
        if task is None:
            if "*" in name or any(name in other.targets for other in tasks.values()):
                continue
            # Tasks that are made later may have this name.
            return None if any(other.loader for other in tasks.values()) else _Found(name)
        try:
            rest = option_parsing.parse_first(option_parsing.of_task(task), rest)[1]
        except WrongOption as wrong:
            return _Found(name, task, OURS.get(our_name(task)), wrong)
        if task.pos_arg:
            return None
    return None


def _after_loading(command: Any, tasks: Mapping[str, Any]) -> int | None:
    found = _not_understood(command, tasks)
    if found is None:
        return None
    if found.wrong is None:
        raise guesses.unknown_word(found.name, list(tasks), _commands(command))
    if found.doc is None:
        return None
    if found.wrong.unknown not in help_text.ASKS:
        raise _wrong_option(command, found.name, found.doc, found.wrong)
    print_help(task_help(found.task, found.doc))
    return 0


def _wrong_option(command: Any, name: str, doc: TaskDoc, wrong: WrongOption) -> ConfigError:
    usage = help_text.usage_of_task(name, doc)
    if not wrong.unknown:
        return ConfigError(f"doit {name}: {wrong}", hint=usage)
    own = [str(option["long"]) for option in doc.params]
    doits = {one for option in command.cmdparser.options for one in (option.short, option.long) if one}
    guess = guesses.unknown_option(wrong.unknown, own, doits)
    return ConfigError(f"doit {name} takes no {wrong.unknown}", hint=f"{guess} {usage}".strip())


def task_help(task: Any, doc: TaskDoc) -> Iterator[str]:
    """With what the history of its project says; help is shown, too, where that cannot be read."""
    from layerdoit.core.errors import LayerdoitError

    session = task.actions[0].args[0]
    try:
        took = help_text.took_here(session.project, doc, task.name)
    except (LayerdoitError, OSError):
        took = None
    yield from help_text.of_task(doc, session.run.prefix, took, session.project.service)


def _commands(command: Any) -> list[str]:
    return list(getattr(command.loader, "cmd_names", ()))


# --- before or without them ------------------------------------------------------------------------------------------


def before_loading(command: Any, typed: Sequence[str], error: Exception) -> int | None:
    """Show help, or raise a ConfigError, where there is something better to say than doit does."""
    if not _dodo(command).exists():
        if not command.opt_vals:  # the user says where it is
            _without_dodo(typed)
    elif isinstance(error, CmdParseError) and _is_ours(_dodo(command)):
        wrong = WrongOption.of(error, [vars(option) for option in command.cmdparser.options])
        if wrong.unknown in help_text.ASKS:
            print_help(help_text.overview())
            return 0
        raise _wrong_doit_option(command, wrong)
    return None


def _without_dodo(typed: Sequence[str]) -> None:
    words = [word for word in typed if not word.startswith("-")]
    what = f"there is no {DODO} in this folder"
    meant = guesses.without_dodo(words[0]) if words else None
    if meant:
        raise ConfigError(what, hint=f"did you mean `{meant}`?")
    above = _dodo_above()
    if above is not None:
        raise ConfigError(what, hint=f"`{' '.join(['doit -k', *typed])}` takes that of {above}")
    if _project_above() is not None:
        raise ConfigError(what, hint="`doit layers init` looks at the Rust project here and writes one")


def _dodo(command: Any) -> Path:
    return Path(command.opt_vals.get("dodoFile") or DODO)


def _dodo_above() -> Path | None:
    here = Path.cwd()
    return next((folder for folder in here.parents if _is_ours(folder / DODO)), None)


def _is_ours(dodo: Path) -> bool:
    try:
        return META in dodo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _project_above() -> Path | None:
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "Cargo.toml").is_file()), None)


def _wrong_doit_option(command: Any, wrong: WrongOption) -> ConfigError:
    if not wrong.unknown:
        return ConfigError(f"doit: {wrong}", hint="`doit help run` shows doit's own options")
    name, what = wrong.unknown.lstrip("-"), f"doit takes no {wrong.unknown}"
    taking = [task.name for task in TASKS if any(name in (one["long"], one.get("short")) for one in task.params)]
    if taking:
        line = f"doit {taking[0]} {wrong.unknown}"
        return ConfigError(what, hint=f"options of a task come after it, such as `{line}`")
    guess = guesses.unknown_option(wrong.unknown, [one.long for one in command.cmdparser.options if one.long])
    hint = f"{guess} `doit help run` shows doit's own options, `doit help <task>` those of a task"
    return ConfigError(what, hint=hint.strip())
