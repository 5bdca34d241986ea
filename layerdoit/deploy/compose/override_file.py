"""The file that is laid over the user's compose files: our image for our service, and what layerdoit adds to it. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from layerdoit.deploy.compose.composition import Service

_RESET: Final = "\0reset"


class Carried(NamedTuple):
    """An anonymous volume of the old container, which docker compose itself would hand on to the new one, too."""

    volume: str
    target: str


def text(
    service: Service,
    image: str,
    labels: Mapping[str, str],
    *,
    env: Mapping[str, str],
    secrets: Collection[str] = (),
    args: Sequence[str] = (),
    siblings: Mapping[str, Mapping[str, str]] | None = None,
    carried: Sequence[Carried] = (),
) -> str:
    """`secrets`: names of variables whose values are in the environment of docker compose, and nowhere else.

    `siblings`: labels of the services that run the image, too.
    """
    ours: dict[str, Any] = {**_image(image, labels), "container_name": _RESET}
    # A program without a handler for SIGTERM ends at once then, and not after ten seconds.
    if service.values.get("init") is None:
        ours["init"] = True
    variables = {**{name: _literal(value) for name, value in env.items()}, **dict.fromkeys(secrets)}
    if variables:
        ours["environment"] = variables
    if args:
        ours["command"] = [_literal(one) for one in args]
    whole: dict[str, Any] = {"services": {service.name: ours}}
    for name, theirs in (siblings or {}).items():
        whole["services"][name] = _image(image, theirs)
        if variables:
            whole["services"][name]["environment"] = variables
    if carried:
        ours["volumes"] = [
            {"type": "volume", "source": f"layerdoit-{number}", "target": one.target}
            for number, one in enumerate(carried)
        ]
        whole["volumes"] = {
            f"layerdoit-{number}": {"name": one.volume, "external": True} for number, one in enumerate(carried)
        }
    # JSON is YAML; only a tag has no form in it.
    return json.dumps(whole, indent=1).replace(json.dumps(_RESET), "!reset null") + "\n"


def _image(image: str, labels: Mapping[str, str]) -> dict[str, Any]:
    marked = {name: _literal(value) for name, value in labels.items()}
    return {"image": image, "build": _RESET, "pull_policy": "never", "labels": marked}


def _literal(value: str) -> str:
    """A value in which docker compose fills in no variable."""
    return value.replace("$", "$$")
