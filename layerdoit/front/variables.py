"""`NAME=value` words of the command line."""

from __future__ import annotations

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
    return found
