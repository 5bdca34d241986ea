"""`NAME=value` words of the command line."""

from __future__ import annotations

import os
from collections.abc import Iterable

from layerdoit import config as configuration
from layerdoit.core.errors import ConfigError
from layerdoit.front.loading import dodo_variables, loading, typed_variables

_ONLY = {"REF": "from_source", "REPO": "from_source"}


def variables() -> dict[str, str]:
    """Those that are ours. One that neither we nor the dodo know is an error."""
    given = typed_variables()
    ours = {variable.name for variable in configuration.VARIABLES}
    if not ours.issuperset(given):
        configuration.check_variables(given, sorted(dodo_variables() - ours))
    found = {name: value for name, value in given.items() if name in ours}
    _refuse_idle(found)
    if written := found.pop("COLOR", ""):
        from layerdoit.core import terminal

        # It is about this call, not about the project.
        terminal.want_colour(configuration.variable_value("COLOR", written))
    return {**_of_the_process(), **found}


def _of_the_process() -> dict[str, str]:
    """Those that may stand before the command, too: `ENV=prod doit cycle_fast`.

    A POSIX shell knows an ENV of its own, a path; it names no environment.
    """
    from layerdoit.config import environments

    given = {name: os.environ.get(name, "") for name in ("ENV", "LOCAL_ONLY")}
    return {name: value for name, value in given.items() if value and (name != "ENV" or environments.is_name(value))}


def _refuse_idle(given: Iterable[str]) -> None:
    """A variable that only one task reads says nothing to the others, which would seem to heed it."""
    run = loading()
    if run is None or run.command.name != "run":
        return
    named = {word.rpartition(":")[2] for word in run.to_run}
    for name in given:
        if name in _ONLY and _ONLY[name] not in named and name not in dodo_variables():
            raise ConfigError(
                f"only {_ONLY[name]} reads {name}: other tasks build the working tree",
                hint=f"doit {_ONLY[name]} {name}=…",
            )
