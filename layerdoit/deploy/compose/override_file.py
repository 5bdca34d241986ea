"""The file that is laid over the user's compose files: our image for our service, and what we add to it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from layerdoit.deploy.compose.composition import Service
from layerdoit.deploy.live import Supervised

_RESET: Final = "\0reset"


class Carried(NamedTuple):
    """A volume that is there already: one of a watch, or one without a name, which docker compose, too, hands on."""

    volume: str
    target: str


class Wanted(NamedTuple):
    """What is added to a service. `labels`: of our service; `shared`: of `siblings`, which run the image, too.

    `secrets`: names of variables whose values are in the environment of docker compose, and nowhere else.
    `supervised`: how a container is started that a watch keeps.
    """

    image: str
    labels: Mapping[str, str]
    env: Mapping[str, str]
    secrets: Collection[str] = ()
    args: Sequence[str] = ()
    siblings: Collection[Service] = ()
    shared: Mapping[str, str] = {}
    carried: Sequence[Carried] = ()
    supervised: Supervised | None = None


def text(service: Service, wanted: Wanted) -> str:
    """The content of the file."""
    variables = {**{name: _literal(value) for name, value in wanted.env.items()}, **dict.fromkeys(wanted.secrets)}
    ours = {**_run(service, wanted.image, wanted.labels, variables), "container_name": _RESET}
    if wanted.args:
        ours["command"] = [_literal(one) for one in wanted.args]
    whole: dict[str, Any] = {"services": {service.name: ours}}
    for one in wanted.siblings:
        whole["services"][one.name] = _run(one, wanted.image, wanted.shared, variables)
    carried = [*wanted.carried]
    if wanted.supervised is not None:
        # It starts what the file, or the image, says; and it is the init process itself.
        words = [_literal(one) for one in wanted.supervised.entrypoint]
        ours |= {"entrypoint": words, "command": _RESET, "init": False}
        ours["labels"] |= {name: _literal(value) for name, value in wanted.supervised.labels.items()}
        carried += [Carried(*one.split(":")) for one in wanted.supervised.volumes]
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


def image_of(written: str) -> str:
    """The image that such a file names."""
    found = re.search(r'"image": "([^"]*)"', written)
    return found[1] if found else ""


def _run(
    service: Service, image: str, labels: Mapping[str, str], variables: Mapping[str, str | None]
) -> dict[str, Any]:
    marked = {name: _literal(value) for name, value in labels.items()}
    found: dict[str, Any] = {"image": image, "build": _RESET, "pull_policy": "never", "labels": marked}
    # A program without a handler for SIGTERM ends at once then, and not after ten seconds.
    if service.values.get("init") is None:
        found["init"] = True
    if variables:
        found["environment"] = variables
    return found


def _literal(value: str) -> str:
    """A value in which docker compose fills in no variable."""
    return value.replace("$", "$$")
