"""The verbs of `doit layers`: one module per verb, which declares its options beside its code.

A new one is a module with a `VERB` here, and a line in `VERBS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

CHANGES: Final = 2
"""Exit code of `--exit-code`: something would be done. 1 is an error."""

Option = Mapping[str, Any]

VERBS: Final[Mapping[str, str]] = {
    "plan": "layerdoit.front.verbs.plan",
    "explain": "layerdoit.front.verbs.explain",
    "doctor": "layerdoit.front.verbs.doctor",
    "report": "layerdoit.front.verbs.report",
    "history": "layerdoit.front.verbs.history",
    "bench": "layerdoit.front.verbs.bench",
    "init": "layerdoit.front.verbs.init",
    "ci": "layerdoit.front.verbs.ci",
    "completion": "layerdoit.front.verbs.completion",
    "version": "layerdoit.front.verbs.version",
}
"""Name -> module, imported when the verb is used."""


def flag(name: str, meaning: str, short: str = "") -> Option:
    """An option that is given or not."""
    return {"name": name, **_named(name, short), "type": bool, "default": False, "help": meaning}


def text(name: str, metavar: str, meaning: str, default: str = "") -> Option:
    """An option with a value."""
    return {"name": name, **_named(name, ""), "type": str, "default": default, "metavar": metavar, "help": meaning}


def _named(name: str, short: str) -> Option:
    return {"long": name.replace("_", "-"), "short": short}


JSON: Final = flag("json", "print one JSON object")
COMMON: Final = (
    text("root", "FOLDER", "folder of the Rust project, or its prefix in dodo.py; without it: the one of this folder"),
    flag("quiet", "no progress and no remarks: only the result, and errors", "q"),
)
"""Options of every verb."""


@dataclass(frozen=True)
class Verb:
    """What a verb does, and what it takes.

    `run` takes the values of the options and the words; it returns the exit code and may raise LayerdoitError.
    `when`: in which situation to use it; `words`: what may follow the name, such as `[LAYER]`; `ends`: what its exit
    codes mean beyond 0 and 1; `of_project`: it works on a project that is there.
    """

    purpose: str
    run: Callable[[Any, Sequence[str]], int]
    options: tuple[Option, ...] = ()
    words: str = ""
    example: str = ""
    ends: str = ""
    when: str = ""
    of_project: bool = True


def load(name: str) -> Verb:
    """The verb of a name that is in the table."""
    found: Verb = importlib.import_module(VERBS[name]).VERB
    return found
