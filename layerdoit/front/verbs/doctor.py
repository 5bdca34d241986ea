"""`doit layers doctor`: what is wrong, or could go wrong, with engine, host, project and Dockerfiles; and the fix."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def run(params: Any, _words: Sequence[str]) -> int:
    """Print the report; 1 for errors, with `--exit-code` 2 for warnings, otherwise 0. Builds only with `--measure`."""
    from layerdoit.doctor.examination import examine
    from layerdoit.front.variables import variables
    from layerdoit.project.project import Project

    found = examine(Project(Path(params["root"]), variables()), measure=params["measure"])
    if params["json"]:
        print(json.dumps(found.as_json(), indent=2))
    else:
        print("\n".join(found.lines()))
    return found.exit_code(strict=params["exit_code"])
