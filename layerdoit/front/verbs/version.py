"""`doit layers version`: what works together here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from layerdoit.front.verbs import JSON, Verb


def run(params: Any, _words: Sequence[str]) -> int:
    """Print versions; an engine that does not answer is part of the answer."""
    from doit import version as doit_version

    from layerdoit.core import process
    from layerdoit.core.errors import LayerdoitError
    from layerdoit.core.version import __version__
    from layerdoit.engine import api

    lines = {"layerdoit": __version__, "doit": ".".join(map(str, doit_version.VERSION))}
    try:
        lines["engine"] = str((api.connect().get("/version") or {}).get("Version"))
        lines["buildx"] = process.capture(["docker", "buildx", "version"]).stdout.split()[1]
    except LayerdoitError as error:
        lines.setdefault("engine", f"none ({error.what})")
    if params["json"]:
        print(json.dumps(lines))
    else:
        for name, value in lines.items():
            print(f"{name:<10} {value}")
    return 0


VERB: Final = Verb(
    "show the versions of layerdoit, doit, engine and buildx",
    run,
    (JSON,),
    when="For a report of a problem, and to see that the engine answers.",
    example="doit layers version --json",
    of_project=False,
)
