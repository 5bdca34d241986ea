"""How our service is started for a watch, which keeps one container of it; and for which services it cannot do that."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping, Sequence
from typing import Final

from layerdoit.core.errors import DeployError
from layerdoit.deploy.compose.members import TRY
from layerdoit.deploy.compose.our_service import GRACE, OurService, judged
from layerdoit.deploy.live import CONTROL, PROGRAMS, Live
from layerdoit.deploy.settings import DeploySettings
from layerdoit.deploy.supervision import Instead, Supervised, supervised
from layerdoit.engine.api import connect
from layerdoit.engine.images import PREFIX, label

SERVICE: Final = "service"
"""The label with what the compose file says of a service that a watch keeps."""
_PLACES: Final = {PROGRAMS: "where a watch puts the programs", CONTROL: "where a watch has its supervisor"}


def started(ours: OurService, live: Live, reference: str) -> Supervised:
    """For a container of an image, which is here: a new one each time. Makes the volumes where they are not there."""
    service, args = ours.service, ours.settings.config.args
    stop = str(service.values.get("stop_signal") or "")
    # What layerdoit.yaml gives as arguments is the command, and the entry point stays.
    found = supervised(ours.settings, live, reference, Instead(service.entrypoint, args or service.command, stop))
    # docker compose takes half a second to say it, which is too long after an edit.
    facts = {"port": next(iter(service.ports), None), "check": service.check, "grace": ours.grace}
    return found._replace(labels={**found.labels, PREFIX + SERVICE: json.dumps(facts)})


def facts_of(settings: DeploySettings, labels: Mapping[str, str]) -> tuple[DeploySettings, float]:
    """How a container that a watch keeps is judged, and the seconds that its program has to end."""
    facts = json.loads(label(labels, SERVICE) or "{}")
    return judged(settings, facts.get("port"), facts.get("check")), float(facts.get("grace", GRACE))


def of_trial(found: Supervised) -> Sequence[str]:
    """What a container starts that only tries whether it becomes healthy: it listens on a socket of its own."""
    socket = f"{CONTROL}/{found.token}"
    return [f"{socket}{TRY}" if word == socket else word for word in found.entrypoint]


def refuse(ours: OurService) -> None:
    """Raise where no watch can keep the service. The image may still be unbuilt."""
    service = ours.service
    if service.replicas != 1:
        key = ("scale",) if service.values.get("scale") else ("deploy", "replicas")
        what = f"{service.name} has {service.replicas} containers at once, and a watch keeps one"
        hint = 'have one in the environment that you watch, such as replicas: "${REPLICAS:-1}"'
        raise DeployError(what, where=ours.line(*key), hint=hint)
    for place in service.mounted:
        for own, use in _PLACES.items():
            if place == own or own.startswith(f"{place.rstrip('/')}/"):
                raise _in_the_way(ours, place, use)


def refuse_for(ours: OurService, reference: str) -> None:
    """Raise, with file and line, where no watch can keep the service with this image, which is here."""
    refuse(ours)
    # What lies over a program keeps edits from it; beside the programs it may lie.
    config = (connect().get(f"/images/{reference}/json") or {}).get("Config") or {}
    programs = {*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())}
    for place in ours.service.mounted:
        if posixpath.dirname(place) == PROGRAMS and place in programs:
            raise _in_the_way(ours, place, "over the program of the image")


def unwritable(ours: OurService, name: str) -> DeployError:
    """For assets that a service does not let into its container."""
    what = f"{name} has read_only: true: changed assets cannot be put into it"
    hint = "leave read_only out in the environment that you watch, or deploy changes of assets with doit cycle_fast"
    return DeployError(what, where=ours.line("read_only"), hint=hint)


def _in_the_way(ours: OurService, place: str, use: str) -> DeployError:
    what = f"{ours.service.name} mounts something at {place}, {use}"
    hint = "mount it elsewhere in the environment that you watch, or deploy each change with doit cycle_fast"
    return DeployError(what, where=ours.line("volumes"), hint=hint)
