"""What the cluster says of a workload: how far its rollout is, which revisions it keeps, which pods are of which.

Pure functions over the objects as kubectl prints them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from layerdoit.deploy.kubernetes.manifests import containers, split

Json = dict[str, Any]

PREFIX: Final = "io.layerdoit/"
"""Before the name of each annotation and label of ours."""
KEY: Final = f"{PREFIX}key"
_NUMBER: Final = "deployment.kubernetes.io/revision"


class Progress(NamedTuple):
    """How far a rollout is. `failed`: why Kubernetes has given it up."""

    done: bool
    words: str
    failed: str = ""


class State(NamedTuple):
    """What a workload can go back to: its pods, and our notes on the workload."""

    template: Json
    notes: dict[str, str]


@dataclass(frozen=True)
class Revision:
    """What a workload was, or is: a ReplicaSet or a ControllerRevision."""

    name: str
    number: int
    body: Json

    @cached_property
    def template(self) -> Json:
        """The pods' template, as it can be applied again."""
        spec = self.body.get("spec") or self.body["data"]["spec"]
        template: Json = copy.deepcopy(spec["template"])
        template.pop("$patch", None)
        (template.get("metadata", {}).get("labels") or {}).pop("pod-template-hash", None)
        return template

    @property
    def state(self) -> State:
        """The same, as something to go back to."""
        return State(self.template, notes(self.body))

    @property
    def key(self) -> str:
        """The key of the app layer that it runs, '' where it is not of layerdoit."""
        return annotation(self.template, KEY)

    @property
    def ready(self) -> int:
        """How many of its pods are ready, as far as the object itself says."""
        return int((self.body.get("status") or {}).get("readyReplicas") or 0)


@dataclass(frozen=True)
class Workload:
    """A Deployment, StatefulSet or DaemonSet. `children`: what has it, or a ReplicaSet of it, as its owner."""

    body: Json
    children: tuple[Json, ...] = ()

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def title(self) -> str:
        """As kubectl names it: `Deployment/web`."""
        return f"{self.kind}/{self.name}"

    @property
    def target(self) -> str:
        """As kubectl is told of it: `deployment/web`."""
        return f"{self.kind.lower()}/{self.name}"

    @property
    def generation(self) -> int:
        """How often what is wanted of it has changed."""
        return int(self.body["metadata"].get("generation") or 0)

    @property
    def template(self) -> Json:
        """What its pods are to be."""
        found: Json = self.body["spec"]["template"]
        return found

    @property
    def selector(self) -> str:
        """What selects its pods, as `kubectl -l` takes it."""
        chosen = self.body["spec"].get("selector") or {}
        words = [f"{name}={value}" for name, value in (chosen.get("matchLabels") or {}).items()]
        return ",".join([*words, *map(_expression, chosen.get("matchExpressions") or ())])

    @property
    def wanted(self) -> int:
        """How many pods it is to have."""
        if self.kind == "DaemonSet":
            return _count((self.body.get("status") or {}).get("desiredNumberScheduled"))
        replicas = self.body["spec"].get("replicas")
        return 1 if replicas is None else int(replicas)

    def progress(self) -> Progress:
        """How far its rollout is; the questions of `kubectl rollout status`."""
        status = self.body.get("status") or {}
        if int(status.get("observedGeneration") or 0) < self.generation:
            return Progress(False, "waiting for the cluster to see the change")
        if self.body["spec"].get("paused"):
            return Progress(False, "its rollouts are paused", "its rollouts are paused (kubectl rollout resume)")
        return {"Deployment": _deployment, "StatefulSet": _stateful, "DaemonSet": _daemon}[self.kind](
            self.body["spec"], status
        )

    @cached_property
    def revisions(self) -> tuple[Revision, ...]:
        """What it is and was, the newest first."""
        found = [
            Revision(str(one["metadata"]["name"]), _number(one), one)
            for one in self.children
            if one["kind"] in ("ReplicaSet", "ControllerRevision")
        ]
        return tuple(sorted(found, key=lambda one: -one.number))

    @property
    def current(self) -> Revision | None:
        """The revision that is wanted now; None where the cluster has not made it yet."""
        status = self.body.get("status") or {}
        if int(status.get("observedGeneration") or 0) < self.generation:
            return None
        if self.kind == "Deployment":
            number = int(annotation(self.body, _NUMBER) or 0)
            return next((one for one in self.revisions if one.number == number), None)
        if self.kind == "StatefulSet":
            return next((one for one in self.revisions if one.name == status.get("updateRevision")), None)
        return self.revisions[0] if self.revisions else None

    def pods(self, revision: Revision | None = None) -> tuple[Json, ...]:
        """Its pods that are not about to go, all or those of a revision."""
        found = (one for one in self.children if one["kind"] == "Pod")
        alive = (one for one in found if not one["metadata"].get("deletionTimestamp"))
        return tuple(one for one in alive if revision is None or self._is_of(one, revision))

    def _is_of(self, pod: Json, revision: Revision) -> bool:
        if self.kind == "Deployment":
            return any(one.get("uid") == revision.body["metadata"].get("uid") for one in owners(pod))
        hashed = (pod["metadata"].get("labels") or {}).get("controller-revision-hash", "")
        labels = revision.body["metadata"].get("labels") or {}
        return bool(hashed) and hashed in (revision.name, labels.get("controller-revision-hash"))

    def ready(self, revision: Revision) -> int:
        """How many pods of a revision are ready."""
        return sum(is_ready(pod) for pod in self.pods(revision))

    @property
    def state(self) -> State:
        """What it is to be now."""
        return State(self.template, notes(self.body))

    def serving(self) -> State | None:
        """What serves although its rollout has not ended: an older revision with ready pods goes first."""
        now = self.current
        served = [one for one in self.revisions if self.ready(one)]
        served.sort(key=lambda one: one == now)
        return served[0].state if served else None

    def container(self, names: Sequence[str]) -> str:
        """The container that has an image of one of these names, else the first one."""
        found = list(self.template["spec"].get("containers") or ())
        found.sort(key=lambda one: not is_named(str(one.get("image")), names))
        return str(found[0]["name"]) if found else ""


def image_of(template: Json, names: Sequence[str]) -> str:
    """The image of one of these names in a pod's template; '' where there is none."""
    found = (str(one.get("image")) for one in containers(template["spec"]))
    return next((one for one in found if is_named(one, names)), "")


def is_named(image: str, names: Sequence[str]) -> bool:
    """Whether an image has one of these names, in whatever registry."""
    name, _ = split(image)
    return any(name == one or name.endswith(f"/{one}") for one in names)


def notes(body: Json) -> dict[str, str]:
    """Our annotations of an object."""
    found = (body.get("metadata") or {}).get("annotations") or {}
    return {name: str(value) for name, value in found.items() if name.startswith(PREFIX)}


def gathered(body: Json, found: Sequence[Json]) -> Workload:
    """A workload, and which of the objects in its namespace are of it."""
    uids = {body["metadata"].get("uid")}
    mine = [one for one in found if _owned(one, uids)]
    uids |= {one["metadata"].get("uid") for one in mine}
    below = [one for one in found if _owned(one, uids) and one not in mine]
    return Workload(body, (*mine, *below))


def owners(body: Json) -> Iterator[Json]:
    """What an object belongs to."""
    yield from body["metadata"].get("ownerReferences") or ()


def annotation(body: Json, name: str) -> str:
    """An annotation of an object or a template; '' where it has none of the name."""
    return str(((body.get("metadata") or {}).get("annotations") or {}).get(name) or "")


def is_ready(pod: Json) -> bool:
    """Whether a pod is ready."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _owned(body: Json, uids: set[Any]) -> bool:
    return any(one.get("uid") in uids for one in owners(body))


def _number(body: Json) -> int:
    return int(body.get("revision") or annotation(body, _NUMBER) or 0)


def _expression(one: Mapping[str, Any]) -> str:
    key, values = one["key"], ",".join(one.get("values") or ())
    return {
        "In": f"{key} in ({values})",
        "NotIn": f"{key} notin ({values})",
        "Exists": str(key),
        "DoesNotExist": f"!{key}",
    }[one["operator"]]


def _deployment(spec: Json, status: Json) -> Progress:
    wanted = _count(spec.get("replicas"), 1)
    there, updated, available = (
        _count(status.get(name)) for name in ("replicas", "updatedReplicas", "availableReplicas")
    )
    gave_up = _condition(status, "Progressing", "ProgressDeadlineExceeded")
    if updated < wanted:
        return Progress(False, f"{updated} of {wanted} pods are of the new release", gave_up)
    if there > updated:
        return Progress(False, f"{there - updated} pods of the old release are ending", gave_up)
    if available < updated:
        return Progress(False, f"{available} of {updated} pods are available", gave_up)
    return Progress(True, f"{available} of {wanted} pods are available")


def _stateful(spec: Json, status: Json) -> Progress:
    wanted = _count(spec.get("replicas"), 1)
    ready, updated = _count(status.get("readyReplicas")), _count(status.get("updatedReplicas"))
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return Progress(True, "its pods are replaced when somebody deletes them (OnDelete)")
    wanted_new = max(wanted - _count((strategy.get("rollingUpdate") or {}).get("partition")), 0)
    same = status.get("updateRevision") == status.get("currentRevision")
    if not same and updated < wanted_new:
        return Progress(False, f"{updated} of {wanted_new} pods are of the new release")
    if ready < wanted:
        return Progress(False, f"{ready} of {wanted} pods are ready")
    return Progress(True, f"{ready} of {wanted} pods are ready")


def _daemon(spec: Json, status: Json) -> Progress:
    wanted, updated, available = (
        _count(status.get(name)) for name in ("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable")
    )
    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        return Progress(True, "its pods are replaced when somebody deletes them (OnDelete)")
    if updated < wanted:
        return Progress(False, f"{updated} of {wanted} nodes have the new release")
    if available < wanted:
        return Progress(False, f"it is available on {available} of {wanted} nodes")
    return Progress(True, f"it is available on {available} of {wanted} nodes")


def _count(value: Any, default: int = 0) -> int:
    return default if value is None else int(value)


def _condition(status: Json, kind: str, reason: str) -> str:
    for one in status.get("conditions") or ():
        if one.get("type") == kind and one.get("reason") == reason:
            return str(one.get("message") or reason)
    return ""
