"""What may have been meant by a word that is no task, no verb, no option: near ones, and names that other tools use."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from layerdoit.core.errors import ConfigError
from layerdoit.core.prose import nearest
from layerdoit.front.task_table import TASKS
from layerdoit.front.verbs import VERBS

ALIASES: Final[Mapping[str, str]] = {
    "build": "image",
    "cache": "cache_status",
    "build_from_source": "from_source",
    "clear": "cache_clear:soft",
    "cycle": "cycle_fast",
    "down": "destroy",
    "gc": "cache_gc",
    "lint": "check",
    "pin": "cache_pin",
    "prune": "cache_gc",
    "ps": "status",
    "rebuild": "cycle_clean",
    "restart": "deploy",
    "undo": "rollback",
    "serve": "cycle_fast",
    "shell": "connect",
    "start": "cycle_fast",
    "stop": "destroy",
    "test": "check",
    "up": "cycle_fast",
    "warm": "cache_warm",
}
"""What other tools call it -> our task."""
LEVELS: Final = "cache_clear"
_NEAR: Final = 0.65
"""How alike a word and what was meant are: below, guesses are noise (`nothere`: ignore)."""


def unknown_word(word: str, tasks: Collection[str], commands: Collection[str] = ()) -> ConfigError:
    """Of a word after `doit`. `tasks`: names of all tasks of the dodo; `commands`: those of doit itself."""
    group, colon, _ = word.rpartition(":")
    siblings = [name for name in tasks if colon and name.startswith(f"{group}:")]
    what = f'there is no task "{word}"'
    levels = [name for name in tasks if name.startswith(f"{word}:")]
    if levels:
        return ConfigError(what, hint=f"choose one of {', '.join(levels)}")
    meant = list(_meant(word, tasks, commands, siblings))
    if meant:
        return ConfigError(what, hint=_did_you_mean(meant))
    if siblings:
        return ConfigError(what, hint=f"choose one of {', '.join(siblings)}")
    return ConfigError(what, hint="`doit list` shows the tasks, `doit layers` the verbs")


def _meant(word: str, tasks: Collection[str], commands: Collection[str], siblings: Sequence[str]) -> Iterator[str]:
    """Command lines, the most likely first."""
    if word in VERBS:
        yield f"doit layers {word}"
        return
    if word.upper() in _variables():
        yield f"doit {word.upper()}=<value>"
        return
    group, _, name = word.rpartition(":")
    if name in VERBS and any(one.startswith(f"{group}:") for one in siblings):
        yield f"doit layers {name} --root {group}"
        return
    if siblings:
        ends = {one.removeprefix(f"{group}:"): one for one in siblings}
        ends |= {other: task for other, target in ALIASES.items() if (task := f"{group}:{target}") in tasks}
        yield from (f"doit {ends[found]}" for found in nearest(name, list(ends), cutoff=_NEAR))
        return
    if (turned := f"{name}:{group}") in tasks:
        yield f"doit {turned}"
        return
    under = [one for one in tasks if one.endswith((f":{word}", f":{ALIASES.get(word, word)}"))]
    if f"cycle_fast:{word}" in under:
        # It is a service: of its tasks, the ones of every day.
        under = [one for one in under if one.startswith(("cycle_fast:", "status:", "logs:"))]
    if word in ALIASES and ALIASES[word] in tasks:
        yield f"doit {ALIASES[word]}"
    elif under:
        yield from (f"doit {one}" for one in under)
    else:
        known = {name: f"doit layers {name}" for name in VERBS}
        known |= {other: f"doit {target}" for other, target in ALIASES.items() if target in tasks}
        known |= {one: f"doit {one}" for one in (*commands, *tasks)}
        yield from (known[found] for found in nearest(word, list(known), cutoff=_NEAR))


def without_dodo(word: str) -> str | None:
    """The command line that was meant where no dodo.py lies, and no dodo.py is needed; None: none."""
    found = [word] if word in VERBS else nearest(word, [*VERBS, *_plain_tasks()], cutoff=_NEAR)
    return f"doit layers {found[0]}" if found and found[0] in VERBS else None


def unknown_verb(word: str, prefixes: Sequence[str] = ()) -> ConfigError:
    """Of a word after `doit layers`. `prefixes`: of the dodo's projects; '' of one without."""
    tasks, target = _plain_tasks(), ALIASES.get(word, word)
    before = [f"{prefix}:" if prefix else "" for prefix in prefixes or ("",)]
    what = f'doit layers: there is no verb "{word}"'
    verbs = f"verbs: {', '.join(VERBS)}"
    if target in tasks or word == LEVELS:
        return ConfigError(what, hint=_did_you_mean([f"doit {one}{target}" for one in before]))
    near = nearest(word, [*VERBS, *tasks], cutoff=_NEAR)
    if not near:
        return ConfigError(what, hint=verbs)
    meant = [f"doit layers {near[0]}"] if near[0] in VERBS else [f"doit {one}{near[0]}" for one in before]
    return ConfigError(what, hint=f"{_did_you_mean(meant)} {verbs}")


def unknown_option(option: str, own: Collection[str], doits: Collection[str] = ()) -> str:
    """The hint for an option that a task or a verb does not take; "" without a guess.

    `own`: the long names of those that it takes; `doits`: doit's own, long and short.
    """
    name = option.lstrip("-").partition("=")[0]
    if name.upper() in _variables():
        return f"a variable is given without dashes: {name.upper()}=<value>"
    if name in ("release", "debug"):
        return f"did you mean PROFILE={'release' if name == 'release' else 'dev'}?"
    near = nearest(name, own) if len(name) > 1 else []
    if near:
        return f"did you mean --{near[0]}?"
    if name in doits:
        return f"doit's own options come before the task: doit {option} <task>"
    return ""


def _variables() -> list[str]:
    from layerdoit.config import VARIABLES

    return [variable.name for variable in VARIABLES]


def _plain_tasks() -> list[str]:
    return [task.name for task in TASKS]


def _did_you_mean(lines: Sequence[str]) -> str:
    return f"did you mean {' or '.join(f'`{line}`' for line in lines)}?"
