"""`NAME=value` words of the command line."""

from __future__ import annotations

import os

from layerdoit import config as configuration
from layerdoit.front.loading import dodo_variables, typed_variables


def variables() -> dict[str, str]:
    """Those that are ours. One that neither we nor the dodo know is an error."""
    given = typed_variables()
    ours = {variable.name for variable in configuration.VARIABLES}
    if not ours.issuperset(given):
        configuration.check_variables(given, sorted(dodo_variables() - ours))
    found = {name: value for name, value in given.items() if name in ours}
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
