"""What watches keep of a project, for `doit layers plan`: it says what the image would be that they are ahead of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from layerdoit.core.errors import EngineError
from layerdoit.deploy.live import LABEL
from layerdoit.engine import removal
from layerdoit.engine.images import label

if TYPE_CHECKING:
    from layerdoit.flows.session import Session


def found(session: Session) -> Mapping[str, str]:
    """What each serves, in words after `live:`, by the name of its container. The engine is asked one question."""
    whole = (session.whole or session).project
    try:
        there = [one for one in removal.deployments(whole.name) if one.serves and label(one.labels, LABEL)]
    except EngineError:
        return {}
    if not there:
        return {}
    from layerdoit import deploy as providers
    from layerdoit.deploy import supervision
    from layerdoit.engine.containers import Containers

    ours = {providers.settings_of(one).name for one in whole.services.values() or (whole,)}
    words: dict[str, str] = {}
    for one in there:
        inside = Containers(whole.name, one.deployment, whole.owner)
        if one.deployment in ours and whole.owner.owns(one.labels) and (container := inside.inspect(one.id)):
            words[one.name] = supervision.state(container, inside)
    return words
