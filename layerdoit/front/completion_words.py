"""What can be typed after `doit`, and what it is: for the scripts that complete it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from layerdoit.config import VARIABLES
from layerdoit.core.platform import PLATFORMS
from layerdoit.front.help_text import ASKS
from layerdoit.front.task_table import TASKS
from layerdoit.front.verbs import COMMON, VERBS, Option, load
from layerdoit.layers.key import LAYERS

VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "PROFILE": ("dev", "release"),
    "PLATFORM": tuple(one.name for one in PLATFORMS),
    "YES": ("yes", "no"),
    "ON_MISSING": ("pull,build", "pull", "build", "fail"),
    **{one.name: tuple(one.kind.json["enum"]) for one in VARIABLES if "enum" in one.kind.json},
}
"""Of variables that have few. CONFIG and `--root`, `--html`, `--summary` take paths."""
WORDS: Final[Mapping[str, tuple[str, ...]]] = {"explain": LAYERS, "completion": ("bash", "zsh", "fish")}
"""What may follow a verb."""


VARIANTS: Final = r"sed -n '/^variants:/,/^[^ #]/s/^  \([a-z0-9][a-z0-9-]*\):.*/\1/p' layerdoit.yaml 2>/dev/null"
"""Prints the names of the variants, one a line, as the documentation writes them."""


class Word(NamedTuple):
    """What can be typed, and what it is."""

    text: str
    about: str


def commands() -> list[Word]:
    """Those of doit, and ours."""
    from doit.doit_cmd import DoitMain

    own = [Word(one.get_name(), one.doc_purpose) for one in DoitMain.DOIT_CMDS]
    return [*own, Word("layers", "container images of a Rust project: init, plan, explain, doctor, bench, report")]


def tasks() -> list[Word]:
    """Those of a dodo.py without prefixes."""
    return [Word(task.name, task.line) for task in TASKS]


def verbs() -> list[Word]:
    """Those of `doit layers`."""
    return [Word(name, load(name).purpose) for name in VERBS]


def variables() -> list[Word]:
    """Names with their equals sign."""
    return [Word(f"{variable.name}=", variable.doc) for variable in VARIABLES]


def of_tasks() -> list[tuple[str, list[Word]]]:
    """Task -> options."""
    return [(task.name, _options(task.params)) for task in TASKS]


def of_verbs() -> list[tuple[str, list[Word]]]:
    """Verb -> options."""
    return [(name, _options((*load(name).options, *COMMON))) for name in VERBS]


def _options(options: Iterable[Option]) -> list[Word]:
    found = [Word(f"--{option['long']}", str(option["help"])) for option in options]
    return [*found, Word(ASKS[-1], "show this help")]


# --- parts -----------------------------------------------------------------------------------------------------------


def texts(words: Sequence[Word]) -> list[str]:
    """Without what they are."""
    return [word.text for word in words]


def together(words: Sequence[Word]) -> str:
    """In one text."""
    return " ".join(texts(words))


def cases(table: Sequence[tuple[str, list[Word]]], line: str) -> str:
    """A line for each name: {0} is the name, {1} its options in quotes, {2} without."""
    return "\n".join(line.format(name, shlex.quote(together(options)), together(options)) for name, options in table)


def each_once() -> list[Word]:
    """All options, verbs, commands and tasks, by what they are called."""
    options = [option for _, found in (*of_tasks(), *of_verbs()) for option in found]
    return list({word.text: word for word in (*options, *verbs(), *commands(), *tasks())}.values())
