"""What is in the namespace: the workloads of a deployment with their revisions and pods, asked for with kubectl."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from layerdoit.core import process
from layerdoit.core.errors import LayerdoitError
from layerdoit.deploy.kubernetes import workloads
from layerdoit.deploy.kubernetes.kubectl import Kubectl
from layerdoit.deploy.kubernetes.pod_troubles import Trouble
from layerdoit.deploy.kubernetes.secret_objects import LABEL
from layerdoit.deploy.kubernetes.workloads import Workload

Json = dict[str, Any]

_KINDS: Final = "deployments,statefulsets,daemonsets"
_BELOW: Final = {
    "Deployment": "pods,replicasets",
    "StatefulSet": "pods,controllerrevisions",
    "DaemonSet": "pods,controllerrevisions",
}
LOG_LINES: Final = 40


class ClusterView:
    """Reads; changes nothing."""

    def __init__(self, kubectl: Kubectl, deployment: str) -> None:
        self._kubectl = kubectl
        self._deployment = deployment

    def mine(self) -> tuple[Workload, ...]:
        """The workloads that bear the deployment's label, with what belongs to them."""
        found = self._kubectl.objects(_KINDS, f"--selector={LABEL}={self._deployment}")
        return self.first(self.whole(found))

    def first(self, found: Iterable[Workload]) -> tuple[Workload, ...]:
        """What people mean by the deployment comes first: what is called like it, or has a port; then the others."""
        return tuple(sorted(found, key=lambda one: (not self._deployment.startswith(one.name), not _has_port(one))))

    def named(self, targets: Iterable[str]) -> list[Json]:
        """Objects by their names, such as `deployment/web`; those that are there."""
        names = list(targets)
        return self._kubectl.objects(*names) if names else []

    def whole(self, bodies: Sequence[Json]) -> tuple[Workload, ...]:
        """Workloads with their revisions and pods."""
        return tuple(self._whole(body) for body in bodies)

    def _whole(self, body: Json) -> Workload:
        alone = Workload(body)
        found = self._kubectl.objects(_BELOW[alone.kind], f"--selector={alone.selector}")
        return workloads.gathered(body, found)

    def events(self) -> list[Json]:
        """The events of the namespace; none where they may not be read."""
        with contextlib.suppress(LayerdoitError):
            return self._kubectl.objects("events")
        return []

    def log(self, trouble: Trouble) -> list[str]:
        """The last lines of the container that has the trouble; none where there are none."""
        if trouble.log is None:
            return []
        pod, container, before = trouble.log
        for previous in dict.fromkeys((before, not before)):
            words = [
                "logs",
                pod,
                f"--container={container}",
                f"--tail={LOG_LINES}",
                f"--previous={str(previous).lower()}",
            ]
            done = process.capture(self._kubectl.words("--request-timeout=5s", *words), check=False)
            if done.code == 0 and done.stdout.strip():
                return done.stdout.splitlines()
        return []


def _has_port(one: Workload) -> bool:
    return any(container.get("ports") for container in one.template["spec"].get("containers") or ())
