"""Why a rollout does not come to an end, from the states of its pods and from events; and whether it never will.

What may pass is not certain: a pull may work the next time, a program may wait for its database and be started again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from layerdoit.deploy.kubernetes.workloads import Workload, is_ready

Json = dict[str, Any]

CRASHES: Final = 2
"""Restarts after which a program that ends again is not waiting for anything."""
_NEVER: Final = (
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "StartError",
    "ContainerCannotRun",
)
_PULLS: Final = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ErrImageInspect")
_PULL_REFUSED: Final = re.compile(
    r"not found|unauthorized|denied|forbidden|no basic auth|manifest unknown|does not exist|no match for platform",
    re.IGNORECASE,
)
_PULL_MAY_WORK: Final = re.compile(r"timeout|timed out|connection re|too many requests|temporar", re.IGNORECASE)


class Trouble(NamedTuple):
    """What is wrong. `certain`: it does not get better by itself. `log`: pod, container, whether of the run before."""

    what: str
    certain: bool
    log: tuple[str, str, bool] | None = None
    hint: str = ""


def of(workload: Workload, events: Sequence[Json] = ()) -> Trouble | None:
    """What keeps a rollout, the gravest first; None where nothing is known to."""
    revision = workload.current
    pods = [one for one in workload.pods(revision) if not is_ready(one)] if revision else []
    found = [*_refused(workload, events), *(one for pod in pods for one in _of_pod(pod, events))]
    return max(found, key=lambda one: one.certain, default=None)


def _refused(workload: Workload, events: Sequence[Json]) -> Iterator[Trouble]:
    """Pods that were not even made: a quota, a rule of admission."""
    status = workload.body.get("status") or {}
    for one in status.get("conditions") or ():
        if one.get("type") == "ReplicaFailure" and one.get("status") == "True":
            yield _not_made(str(one.get("message") or one.get("reason")))
    for message in _said(events, workload.body, "FailedCreate"):
        yield _not_made(message)


def _not_made(message: str) -> Trouble:
    # An error of the API server: 'pods "web-6d4" is forbidden: exceeded quota: …'.
    reason = re.sub(r'^.*?pods "[^"]*" is forbidden: ', "", message, flags=re.DOTALL)
    quota = "exceeded quota" in reason
    hint = "free some of it, or let the rollout take pods away first (maxUnavailable)" if quota else ""
    # With a quota, the end of an old pod may make room: at the deadline it is the reason.
    return Trouble(f"no pod was made: {reason}", not quota, hint=hint)


def _of_pod(pod: Json, events: Sequence[Json]) -> Iterator[Trouble]:
    status = pod.get("status") or {}
    for one in status.get("conditions") or ():
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            never = any(_said(events, pod, "NotTriggerScaleUp"))
            yield Trouble(f"not scheduled: {one.get('message') or one.get('reason')}", never)
    name = str(pod["metadata"]["name"])
    states = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    found = list(filter(None, (_of_container(name, one) for one in states)))
    yield from found
    if not found:
        unready = next((str(one["name"]) for one in states if not one.get("ready") and _runs(one)), None)
        if unready is not None:
            probe = next(iter(_said(events, pod, "Unhealthy")), "it is not ready, as its readiness probe says")
            yield Trouble(_flat(probe), False, (name, unready, False))
    if not states:
        for message in _said(events, pod, "FailedMount", "FailedCreatePodSandBox", "FailedAttachVolume"):
            yield Trouble(_flat(message), False)


def _of_container(pod: str, state: Json) -> Trouble | None:
    name, restarts = str(state.get("name")), int(state.get("restartCount") or 0)
    waiting = (state.get("state") or {}).get("waiting") or {}
    reason, message = str(waiting.get("reason") or ""), _flat(str(waiting.get("message") or ""))
    if reason in _NEVER:
        return Trouble(f"{reason}: {message}" if message else reason, True)
    if reason in _PULLS:
        certain = bool(_PULL_REFUSED.search(message)) and not _PULL_MAY_WORK.search(message)
        hint = "let the cluster's nodes pull from the registry: an imagePullSecret in the pod's spec" if certain else ""
        return Trouble(f"{reason}: {message or state.get('image')}", certain, hint=hint)
    ended = (state.get("state") or {}).get("terminated") or (state.get("lastState") or {}).get("terminated") or {}
    now_ended = bool((state.get("state") or {}).get("terminated"))
    if ended and (reason == "CrashLoopBackOff" or (now_ended and int(ended.get("exitCode") or 0) != 0)):
        return Trouble(_how_ended(ended, restarts), restarts >= CRASHES, (pod, name, not now_ended))
    if reason == "CrashLoopBackOff":
        return Trouble(reason, restarts >= CRASHES, (pod, name, True))
    return None


def _how_ended(ended: Json, restarts: int) -> str:
    times = "once" if restarts == 0 else f"{restarts + 1} times"
    reason, code = str(ended.get("reason") or "Error"), ended.get("exitCode")
    if reason == "OOMKilled":
        return f"OOMKilled: it needs more memory than its limit, {times}"
    said = _flat(str(ended.get("message") or ""))
    return f"it ended with exit code {code}, {times}" + (f": {said}" if said else "")


def _runs(state: Json) -> bool:
    return "running" in (state.get("state") or {})


def _said(events: Sequence[Json], body: Json, *reasons: str) -> list[str]:
    """The messages of an object's events for these reasons, the newest first."""
    uid = body["metadata"].get("uid")
    found = [
        one
        for one in events
        if one.get("reason") in reasons and (one.get("involvedObject") or {}).get("uid") == uid and one.get("message")
    ]
    found.sort(key=lambda one: str(one.get("lastTimestamp") or one.get("eventTime") or ""), reverse=True)
    return [str(one["message"]) for one in found]


def _flat(text: str) -> str:
    return " ".join(text.split())
