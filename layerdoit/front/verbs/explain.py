"""`doit layers explain`: why a layer has another key, or is built though its key is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from layerdoit.core.console import say
from layerdoit.front.verbs import JSON, Verb, text


def run(params: Any, words: Sequence[str]) -> int:
    """Print the difference between two sides in words."""
    from layerdoit.explain import answer
    from layerdoit.flows.session import Session
    from layerdoit.front.variables import variables
    from layerdoit.project.project import Project
    from layerdoit.project.run import Run

    session = Session(Run(), Project.open(Path(params["root"]), variables()))
    found = answer.explain(session.inputs, session.engine, list(words), params["from"], params["to"])
    if params["json"]:
        say(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        say("\n".join(found.lines()))
    return 0


VERB: Final = Verb(
    "explain why a layer changed: compare two keys, images or commits",
    run,
    (
        text("from", "SIDE", "a key or its beginning, a tag, a git revision, tree, last (the default) or before"),
        text("to", "SIDE", "the same; tree, the current one, is the default"),
        JSON,
    ),
    words="[LAYER] [SIDE..SIDE]",
    when="When something was compiled, or is going to be, and you want to know which edit it is owed to.",
    example="doit layers explain deps v1.4..tree",
)
