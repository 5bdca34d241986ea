"""`doit layers explain`: why a layer has another key, or is built though its key is known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from layerdoit.core.console import say
from layerdoit.front.verbs import JSON, Verb, text

if TYPE_CHECKING:
    from layerdoit.explain.rendering import Explanation
    from layerdoit.flows.session import Session


def run(params: Any, words: Sequence[str]) -> int:
    """Print the difference between two sides in words."""
    from layerdoit.explain import answer
    from layerdoit.flows.session import Session
    from layerdoit.front import projects
    from layerdoit.project.run import Run

    session = Session(Run(goals=("app",)), projects.opened(params))

    def explained(one: Session, given: Sequence[str]) -> Explanation:
        return answer.explain(one.inputs, one.engine, list(given), params["from"], params["to"])

    services = _services(session, params["service"])
    if session.project.elsewhere and session.project.way is not None and not params["json"]:
        say(session.project.way.words)
    if not services:
        found = explained(session, words)
        say(json.dumps(found.as_json(), indent=2, ensure_ascii=False) if params["json"] else "\n".join(found.lines()))
        return 0
    # Of a project with services, base and deps are explained once, and the app of each.
    below = [] if "app" in words or params["service"] else [explained(session, words)]
    apps = {} if {"base", "deps"} & set(words) else {one: explained(services[one], _of_app(words)) for one in services}
    if params["json"]:
        told = below[0].as_json() if below else {}
        each = {name: found.as_json() for name, found in apps.items()}
        say(json.dumps({**told, "services": each}, indent=2, ensure_ascii=False))
        return 0
    for found in below:
        say("\n".join(found.lines()))
    for name, found in apps.items():
        say("\n".join((f"{name}:", *(f"  {line}" for line in found.lines()))))
    return 0


def _services(session: Session, named: str) -> Mapping[str, Session]:
    """Those that are explained: all, or the one that `--service` names."""
    if named:
        return {named: session.service(named)}
    return {one.project.service: one for one in session.built if one.project.service}


def _of_app(words: Sequence[str]) -> list[str]:
    return [*words] if "app" in words else ["app", *words]


VERB: Final = Verb(
    "explain why a layer changed: compare two keys, images or commits",
    run,
    (
        text("from", "SIDE", "a key or its beginning, a tag, a git revision, tree, last (the default) or before"),
        text("to", "SIDE", "the same; tree, the current one, is the default"),
        text("service", "NAME", "only this one of the services"),
        JSON,
    ),
    words="[LAYER] [SIDE..SIDE]",
    when="When something was compiled, or is going to be, and you want to know which edit it is owed to.",
    example="doit layers explain deps v1.4..tree",
)
