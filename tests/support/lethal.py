"""For programs that tests start: they end by a signal right after one of their changes, whichever it is."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def lethal(limit: int, signum: int, changes: Mapping[type, Iterable[str]]) -> None:
    """Have the `limit`th call of one of these methods be the last. `changes`: their names, by the class."""
    made = 0

    def deadly(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def wrapped(*args: Any, **options: Any) -> Any:
            nonlocal made
            result = method(*args, **options)
            made += 1
            if made == limit:
                os.kill(os.getpid(), signum)
            return result

        return wrapped

    for owner, names in changes.items():
        for name in names:
            setattr(owner, name, deadly(getattr(owner, name)))
