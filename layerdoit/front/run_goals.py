"""The layers that a call of doit wants for themselves; what else there is, is made where one of these needs it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from layerdoit.front.task_table import TASKS
from layerdoit.layers.key import LAYERS

_GOALS: Final = {
    "base": ("base",),
    "deps": ("deps",),
    "cache_warm": ("base", "deps"),
    "cache_refresh": ("base", "deps"),
}


# Each of these comes after those before it.
_CHAIN: Final = ("base", "deps", "app", "image", "cycle_fast")


def of(words: Sequence[str], prefix: str, prefixes: Collection[str]) -> tuple[str, ...]:
    """By the tasks that were named; all layers where one is of the dodo's own: what it needs of ours is not known.

    `prefix`: this project's; `prefixes`: those of all in the dodo.
    """
    own = {task.name.partition(":")[0] for task in TASKS}
    found: set[str] = set()
    for word in words or ("image",):
        first, _, rest = word.partition(":")
        ours = bool(prefix) and first == prefix
        if not ours and first and first in prefixes:
            continue
        name = (rest or "image") if ours else word
        if name.partition(":")[0] not in own:
            return LAYERS
        found.update(_GOALS.get(name, ("app",)))
    return tuple(layer for layer in LAYERS if layer in found) or ("app",)


def goes_on(task: str, words: Sequence[str], prefix: str) -> bool:
    """Whether a later task of the call follows for certain, which then waits for the pushes."""
    start = f"{prefix}:" if prefix else ""
    names = [word.removeprefix(start).partition(":")[0] for word in words if word.startswith(start)] or ["image"]
    later = _CHAIN[_CHAIN.index(task) + 1 :] if task in _CHAIN else ()
    return any(name in later for name in names)
