"""A container app and its revisions, as Azure Resource Manager describes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

MARK: Final = "LAYERDOIT_RELEASE"
"""The variable of a container that says which release it is: a revision has no labels."""

Json = Mapping[str, Any]


class Weight(NamedTuple):
    """A share of the traffic. `revision`: '' where it is the latest one's; `label`: a user's own name for it."""

    revision: str
    weight: int
    label: str = ""

    def json(self) -> dict[str, Any]:
        """As Azure wants it."""
        found: dict[str, Any] = {"weight": self.weight}
        found |= {"revisionName": self.revision} if self.revision else {"latestRevision": True}
        return {**found, "label": self.label} if self.label else found


class Mark(NamedTuple):
    """What a revision says about the release that it runs.

    `variables`: those that were set for it; `before`: the revisions that had served before it, the last one first.
    `revision`: its name; a revision that somebody else makes of the same template has another one.
    """

    key: str
    commit: str = ""
    environment: str = ""
    id: str = ""
    variables: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    args: bool = False
    project: str = ""
    revision: str = ""

    def text(self) -> str:
        """As it stands in the variable."""
        return json.dumps({name: value for name, value in self._asdict().items() if value}, separators=(",", ":"))


@dataclass(frozen=True)
class Revision:
    """`running`, `health`, `provisioning`: Azure's words; `details`, `error`: its reasons, '' where it gives none."""

    name: str
    active: bool = True
    created: str = ""
    fqdn: str = ""
    running: str = ""
    health: str = ""
    provisioning: str = ""
    details: str = ""
    error: str = ""
    replicas: int | None = None
    template: Json = field(default_factory=dict, compare=False)
    mark: Mark | None = None
    container: Json = field(default_factory=dict, compare=False)

    @property
    def image(self) -> str:
        """What its container runs."""
        return str(self.container.get("image", ""))

    @property
    def digest(self) -> str:
        """Of the image; '' where it is named by a tag."""
        return self.image.partition("@")[2]


@dataclass(frozen=True)
class App:
    """`latest`: the newest revision; `latest_ready`: the newest that came to run.

    `container`: the one that runs the image; None where that is not clear. `busy`: a change is under way.
    """

    name: str
    multiple: bool
    ingress: bool
    external: bool
    fqdn: str
    target_port: int | None
    traffic: tuple[Weight, ...]
    latest: str
    latest_ready: str
    busy: bool
    failed: bool
    error: str
    container: Json | None
    containers: tuple[str, ...]
    template: Json
    secrets: tuple[str, ...]
    registries: tuple[str, ...]
    tags: Mapping[str, str]

    @property
    def ours(self) -> str:
        """The name of the container of ours."""
        return str((self.container or {}).get("name", ""))

    def weight(self, revision: str) -> int:
        """The share of a revision."""
        return sum(one.weight for one in self.traffic if (one.revision or self.latest_ready) == revision)

    def labels(self, revision: str) -> tuple[str, ...]:
        """The names that a user gave to a revision."""
        return tuple(one.label for one in self.traffic if one.label and one.revision == revision)


def app_of(found: Json, container: str | None) -> App:
    """Read an app; `container`: the setting that names the one of ours."""
    properties = found["properties"]
    configuration = properties.get("configuration") or {}
    ingress = configuration.get("ingress") or {}
    template = properties.get("template") or {}
    containers = template.get("containers") or []
    state = str(properties.get("provisioningState", "")).casefold()
    return App(
        str(found.get("name", "")),
        str(configuration.get("activeRevisionsMode", "single")).casefold() == "multiple",
        bool(ingress),
        bool(ingress.get("external")),
        str(ingress.get("fqdn") or ""),
        ingress.get("targetPort") or None,
        tuple(_weight(one) for one in ingress.get("traffic") or []),
        str(properties.get("latestRevisionName") or ""),
        str(properties.get("latestReadyRevisionName") or ""),
        state in ("inprogress", "updating", "deleting"),
        state in ("failed", "canceled"),
        str(properties.get("deploymentErrors") or ""),
        _ours(containers, container),
        tuple(str(one.get("name", "")) for one in containers),
        template,
        tuple(str(one["name"]) for one in configuration.get("secrets") or []),
        tuple(str(one.get("server", "")) for one in configuration.get("registries") or []),
        found.get("tags") or {},
    )


def revision_of(found: Json, container: str | None) -> Revision:
    """Read a revision."""
    properties, name = found["properties"], str(found.get("name", ""))
    template = properties.get("template") or {}
    ours = _ours(template.get("containers") or [], container) or {}
    mark = mark_of(ours)
    return Revision(
        name,
        bool(properties.get("active")),
        str(properties.get("createdTime") or ""),
        str(properties.get("fqdn") or ""),
        str(properties.get("runningState") or ""),
        str(properties.get("healthState") or ""),
        str(properties.get("provisioningState") or ""),
        str(properties.get("runningStateDetails") or ""),
        str(properties.get("provisioningError") or ""),
        properties.get("replicas"),
        template,
        mark if mark is not None and mark.revision in (name, "") else None,
        ours,
    )


def mark_of(container: Json) -> Mark | None:
    """What a container says about its release; None where it is none of ours."""
    text = next((one.get("value") for one in container.get("env") or [] if one.get("name") == MARK), None)
    try:
        found = json.loads(text or "")
        words = {name: str(found.get(name, "")) for name in ("commit", "environment", "id", "project", "revision")}
        variables, before = (tuple(str(one) for one in found.get(name) or ()) for name in ("variables", "before"))
        return Mark(str(found["key"]), **words, variables=variables, before=before, args=bool(found.get("args")))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _ours(containers: list[Json], name: str | None) -> Json | None:
    if name is not None:
        return next((one for one in containers if one.get("name") == name), None)
    return containers[0] if len(containers) == 1 else None


def _weight(found: Json) -> Weight:
    name = "" if found.get("latestRevision") else str(found.get("revisionName") or "")
    return Weight(name, int(found.get("weight") or 0), str(found.get("label") or ""))
