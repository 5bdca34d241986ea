"""How a command ends: the one table, for the docs (tools/docs.py) and for the tests that hold it true."""

from __future__ import annotations

import signal
from typing import Final, NamedTuple

from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.front.loading import BROKEN_PIPE
from layerdoit.front.verbs import CHANGES


class ExitCode(NamedTuple):
    """A code, who ends with it (`doit`: the tasks; `doit layers`: the verbs), and what it means."""

    code: int
    of: str
    meaning: str


_BOTH: Final = "`doit`, `doit layers`"
TABLE: Final = (
    ExitCode(0, _BOTH, "Done, or there was nothing to do."),
    ExitCode(
        LayerdoitError.exit_code,
        _BOTH,
        "It failed: a build, a test, a container, the engine, the registry. Of a question: you said no. Of `doctor`: it"
        " found an error. Of `report --check`: a target is missed or has no data.",
    ),
    ExitCode(
        ConfigError.exit_code,
        _BOTH,
        "Used wrongly: a word, an option, a variable, layerdoit.yaml, a manifest or the lockfile. Nothing was begun, or"
        " what was begun was undone.",
    ),
    ExitCode(
        CHANGES,
        "`doit layers plan` and `doctor`, with `--exit-code`",
        "A layer would be pulled or built; there are warnings. Wrong usage is 1 then.",
    ),
    ExitCode(
        2,
        "`doit --continue`",
        "doit left out tasks because one that they need failed.",
    ),
    ExitCode(3, "`doit`", "doit itself could not begin: dodo.py is missing, or has an error."),
    ExitCode(128 + signal.SIGHUP, _BOTH, "Ended by SIGHUP: the terminal is gone."),
    ExitCode(128 + signal.SIGINT, _BOTH, "Ended by Ctrl-C. Nothing half-done is left."),
    ExitCode(
        BROKEN_PIPE,
        _BOTH,
        "Whoever read the output is gone, such as `head` after its last line; of doit's own `list` and `help` it is 0.",
    ),
    ExitCode(128 + signal.SIGTERM, _BOTH, "Ended by SIGTERM, as CI services and `timeout` do."),
)
