"""The lock of a deployment in the cluster, and what was good there last: a Lease named `layerdoit-<deployment>`.

It outlives a process that is killed: the next deployment from this machine sees that the holder is gone and takes it
over; one from elsewhere says who has it and since when.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from layerdoit.core.errors import DeployError, LayerdoitError
from layerdoit.core.signals import ignored
from layerdoit.deploy import deploy_lock, process_mark
from layerdoit.deploy.kubernetes.kubectl import Kubectl
from layerdoit.deploy.kubernetes.workloads import PREFIX, State, annotation

Json = dict[str, Any]

_PROCESS = f"{PREFIX}process"
_GOOD = f"{PREFIX}good"
_MOST = 200_000


@dataclass
class Lock:
    """While it is held. `good`: what each workload was when it was good last, by what kubectl calls it; noted when the
    lock is let go. `recovered`: what was taken over.
    """

    good: dict[str, State]
    recovered: tuple[str, ...] = ()


class Lease:
    """The Lease of one deployment."""

    def __init__(self, kubectl: Kubectl, deployment: str) -> None:
        self._kubectl = kubectl
        self._deployment = deployment
        self.name = f"layerdoit-{deployment}"
        self._body: Json | None = None

    @contextlib.contextmanager
    def held(self, found: Json | None) -> Iterator[Lock]:
        """Hold it. `found`: the Lease as it is. DeployError where somebody else has it."""
        lock = Lock(good_of(found))
        if found is not None and holder(found):
            lock.recovered = (self._taken_over(found),)
        try:
            self._write(found)
            yield lock
        finally:
            with ignored(), contextlib.suppress(LayerdoitError):
                self._let_go(lock.good)

    def find(self) -> Json | None:
        """The Lease as it is."""
        return next(iter(self._kubectl.objects(f"lease/{self.name}")), None)

    def refuse_held(self) -> None:
        """DeployError where somebody else holds it now."""
        found = self.find()
        if found is not None and holder(found):
            self._taken_over(found)

    def unlock(self) -> str:
        """Let the lock of somebody else go; what was done, in words."""
        found = self.find()
        if found is None or not holder(found):
            return f"nobody holds the lock {self.name}"
        change = {
            "spec": {"holderIdentity": None, "acquireTime": None},
            "metadata": {"annotations": {_PROCESS: None}},
        }
        self._kubectl.run("patch", f"lease/{self.name}", "--type=merge", f"--patch={json.dumps(change)}")
        return f"removed the lock of {holder(found)}, since {since(found)}"

    def remove(self) -> None:
        """Take it away, with what was good."""
        self._kubectl.run("delete", f"lease/{self.name}", "--ignore-not-found", "--wait=false")

    def _taken_over(self, found: Json) -> str:
        who = f"{holder(found)}, since {since(found)}"
        if not process_mark.is_gone(annotation(found, _PROCESS)):
            raise self._busy(who)
        return f"took over the lock of a deployment that was interrupted ({who})"

    def _write(self, found: Json | None) -> None:
        metadata: Json = {"name": self.name, "labels": {f"{PREFIX}deployment": self._deployment}}
        annotations = {_PROCESS: process_mark.mine(), **_noted(good_of(found))}
        if found is not None:
            # Whoever writes in between changes the version, and we are refused.
            metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {**metadata, "annotations": annotations},
            "spec": {"holderIdentity": deploy_lock.who(), "acquireTime": moment()},
        }
        verb = "create" if found is None else "replace"
        try:
            said = self._kubectl.run(verb, "--filename=-", "--output=json", fed=json.dumps(body)).stdout
            self._body = json.loads(said)
        except DeployError as error:
            if not any(words in error.what for words in ("AlreadyExists", "already exists", "modified")):
                raise
            now_held = self.find()
            who = f"{holder(now_held)}, since {since(now_held)}" if now_held else "somebody else"
            raise self._busy(who) from error

    def _busy(self, who: str) -> DeployError:
        what = f"{self._deployment} is being deployed by {who}"
        return DeployError(what, hint="wait for it; if it was ended by force, doit deploy_unlock removes its lock")

    def _let_go(self, good: Mapping[str, State]) -> None:
        """Only where it is ours: a deployment that was refused must not free the other's."""
        # An interrupt may have come before the answer did.
        body = self._body or self.find()
        if body is not None and annotation(body, _PROCESS) == process_mark.mine():
            annotations = _noted(good)
            kept = {name: body["metadata"][name] for name in ("name", "labels", "resourceVersion")}
            free = {**body, "metadata": {**kept, "annotations": annotations}, "spec": {}}
            self._kubectl.run("replace", "--filename=-", fed=json.dumps(free))


def moment() -> str:
    """Now, as the cluster writes it."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def good_of(found: Json | None) -> dict[str, State]:
    """What a Lease notes as good."""
    try:
        noted = json.loads(annotation(found, _GOOD) or "{}") if found else {}
        return {str(name): State(*value) for name, value in noted.items()}
    except (ValueError, TypeError, AttributeError):
        # Written by hand, or by a later layerdoit: then ReplicaSets and pods say what was good.
        return {}


def _noted(good: Mapping[str, State]) -> dict[str, str]:
    text = json.dumps(dict(good), separators=(",", ":"))
    # The cluster takes 256 KiB of annotations. Without a note, ReplicaSets and pods say what was good.
    return {_GOOD: text} if len(text) < _MOST else {}


def holder(found: Json) -> str:
    """Who holds it, '' for nobody."""
    return str((found.get("spec") or {}).get("holderIdentity") or "")


def since(found: Json) -> str:
    """Since when, as the cluster writes it."""
    return str((found.get("spec") or {}).get("acquireTime") or "an unknown time").split(".")[0]
