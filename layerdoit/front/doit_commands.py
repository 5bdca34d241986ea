"""doit's command `run`, whose errors of usage are in our words where the tasks are ours.

doit loads it as a plugin in place of its own, in every folder: what is no business of ours stays as it is.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from doit import plugin
from doit.cmd_run import Run as DoitsRun
from doit.cmdparse import CmdParseError
from doit.exceptions import InvalidCommand, InvalidDodoFile


class Run(DoitsRun):  # type: ignore[misc]  # doit carries no types
    """`doit`, `doit run`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        with _installed_read_once():
            super().__init__(*args, **kwargs)

    def parse_execute(self, in_args: Sequence[str]) -> int:
        """Run tasks; the return value is the exit code."""
        typed = list(in_args)
        try:
            done = int(super().parse_execute(typed))
        except (CmdParseError, InvalidCommand, InvalidDodoFile) as error:
            from layerdoit.front import wrong_usage

            fixed = wrong_usage.completed(self, typed)
            if fixed is not None:
                return self.parse_execute(fixed)
            code = wrong_usage.answered(self, typed, error)
            if code is None:
                raise
            return code
        _tell_unasked()
        return done


@contextlib.contextmanager
def _installed_read_once() -> Iterator[None]:
    """doit reads the metadata of all that is installed for each kind of its plugins: 4 ms each time."""
    asks = getattr(plugin, "entry_points_impl", None)
    if asks is None:
        yield  # another doit than we know
        return
    every = asks()()
    plugin.entry_points_impl = lambda: every.select
    try:
        yield
    finally:
        plugin.entry_points_impl = asks


def _tell_unasked() -> None:
    """What a dodo.py makes of ours and does not hand to doit. Nothing is imported where it makes none."""
    registry = sys.modules.get("layerdoit.front.project_registry")
    for words in registry.unasked() if registry is not None else ():
        from layerdoit.core.console import warn

        warn(words)
