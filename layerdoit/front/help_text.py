"""What the help of a task and of a verb says: usage, purpose, options, variables, an example, how long it took here.

The pages in docs/ are made from the same tables (tools/docs.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from layerdoit.front.task_table import TASKS

if TYPE_CHECKING:
    from layerdoit.front.task_table import TaskDoc
    from layerdoit.front.verbs import Option, Verb
    from layerdoit.history import Figures
    from layerdoit.project.project import Project

ASKS: Final = ("-h", "--help")


def of_task(task: TaskDoc, prefix: str, took: Figures | None, service: str = "") -> Iterator[str]:
    """What `doit help TASK` and `doit TASK --help` print. `took`: seconds of earlier calls here; `service`: whose it is
    about, where it is not about all."""
    before, of = f"{prefix}:" if prefix else "", f":{service}" if service else ""
    yield f"{usage_of_task(f'{before}{task.name}{of}', task)} [NAME=value ...]"
    yield f"{task.doc}\nOf {service}." if service else task.doc
    yield ""
    yield f"when: {task.when}"
    yield from _options(task.params)
    yield from _variables()
    yield f"example: doit {before}{task.example.replace(task.name, f'{task.name}{of}', 1)}"
    if took is not None:
        yield f"here: {_took(took)}"


def overview() -> Iterator[str]:
    """What `doit -h` prints where the tasks are ours."""
    yield "usage: doit [options] [TASK ...] [NAME=value ...]"
    yield "builds a Rust project into a container image in three layers, and runs it; without a task: image"
    yield ""
    yield "tasks:"
    yield from _columns([(task.name, task.line) for task in TASKS])
    yield ""
    yield "doit help TASK  a task's options and an example"
    yield "doit layers     what can be asked about the layers: plan, explain, doctor, bench ..."
    yield "doit list       all tasks of this dodo.py"
    yield "doit help run   doit's own options"


def of_verb(name: str, verb: Verb, common: Sequence[Option]) -> Iterator[str]:
    """What `doit layers VERB --help` prints."""
    yield f"{usage_of_verb(name, verb, common)} [NAME=value ...]"
    yield verb.purpose
    yield ""
    yield f"when: {verb.when}"
    yield from _options((*verb.options, *common))
    yield from _variables()
    if verb.ends:
        yield f"exit code: {verb.ends}"
    yield f"example: {verb.example}"


def usage_of_verb(name: str, verb: Verb, common: Sequence[Option]) -> str:
    """The one line that an error of usage shows."""
    return " ".join(filter(None, ("usage: doit layers", name, verb.words, *map(_in_usage, (*verb.options, *common)))))


def usage_of_task(name: str, task: TaskDoc) -> str:
    """The same for a task."""
    words = [f"[{task.words} ...]"] if task.words else []
    return " ".join(["usage: doit", name, *map(_in_usage, task.params), *words])


def _options(options: Sequence[Option]) -> Iterator[str]:
    shown = [*((typed(option), meaning(option)) for option in options), (", ".join(ASKS), "show this help")]
    yield ""
    yield "options:"
    yield from _columns(shown)
    yield ""


def _variables() -> Iterator[str]:
    from layerdoit.config import VARIABLES

    yield "variables:"
    yield from _columns([(f"{variable.name}=", variable.doc) for variable in VARIABLES])
    yield ""


def _columns(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    width = max(len(left) for left, _ in rows)
    yield from (f"  {left:<{width}}  {right}" for left, right in rows)


def _in_usage(option: Option) -> str:
    return f"[{typed(option).split(', ')[-1]}]"


def typed(option: Option) -> str:
    """An option as users type it: `-q, --quiet`, `--from SIDE`."""
    short = f"-{option['short']}, " if option.get("short") else ""
    return f"{short}--{option['long']}{' ' + option['metavar'] if 'metavar' in option else ''}"


def meaning(option: Option) -> str:
    """What an option is for, and what holds without it."""
    return f"{option['help']} (default: {option['default']})" if option["default"] else str(option["help"])


def _took(took: Figures) -> str:
    from layerdoit.core.units import duration_text

    if took.n == 1:
        return f"{duration_text(took.median)}, the one time that there was something to do"
    between = f"{duration_text(took.low)} to {duration_text(took.high)}"
    return f"{duration_text(took.median)} ({between}; median of the n={took.n} times that there was something to do)"


def took_here(project: Project, task: TaskDoc, name: str) -> Figures | None:
    """How long the task took in this checkout when it had something to do; None where that is not known."""
    from layerdoit import history

    names = [name, ""] if task.name == "image" else [name]
    return history.of_task(project.state.folder, project.variant(), names)
