"""`doit layers doctor`: what is wrong, or could go wrong, with engine, host, project and Dockerfiles; and the fix."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from layerdoit.core.console import say
from layerdoit.front.verbs import JSON, Verb, flag


def run(params: Any, _words: Sequence[str]) -> int:
    """Print the report; 1 for errors, with `--exit-code` 2 for warnings, otherwise 0. Builds only with `--measure`."""
    from layerdoit.doctor.examination import examine
    from layerdoit.front import projects
    from layerdoit.front.variables import variables

    found = examine(Path(params["root"]), variables(), measure=params["measure"], call=params.get(projects.CALL))
    if params["json"]:
        say(json.dumps(found.as_json(), indent=2))
    else:
        say("\n".join(found.lines()))
    return found.exit_code(strict=params["exit_code"])


VERB: Final = Verb(
    "find problems with engine, project and Dockerfiles, and show how to fix them",
    run,
    (
        JSON,
        flag("exit_code", "exit with 2 when there are warnings"),
        flag("measure", "measure what faster settings would save on this project; takes minutes"),
    ),
    when="First, on a new machine or in a new project; then whenever something is slower or redder than it should be.",
    example="doit layers doctor --json",
    ends="1 when it finds an error; with --exit-code, 2 when it finds warnings",
)
