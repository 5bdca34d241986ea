"""What runs in the cluster, as the rest of layerdoit sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerdoit.deploy.kubernetes import manifests
from layerdoit.deploy.kubernetes.rendered_release import COMMIT, DIGEST, ENVIRONMENT, RELEASE
from layerdoit.deploy.kubernetes.workloads import KEY, Revision, Workload, annotation, image_of, notes
from layerdoit.deploy.provider import Held, Release, Service

Json = dict[str, Any]


def service_of(found: Sequence[Workload], names: Sequence[str]) -> Service | None:
    """What serves: of a rollout that has not ended, the release that still has ready pods."""
    if not found:
        return None
    one = found[0]
    template, noted = one.state if one.progress().done else one.serving() or one.state
    digest = noted.get(DIGEST) or manifests.split(image_of(template, names))[1].removeprefix("@")
    return Service(
        id=one.title,
        name=one.title,
        key=annotation({"metadata": template.get("metadata")}, KEY),
        running=_runs(one),
        since=_since(one),
        release=noted.get(RELEASE, ""),
        commit=noted.get(COMMIT, ""),
        digest=digest if digest.startswith("sha256:") else "",
    )


def unwaited(body: Json) -> Service:
    """A workload whose rollout nobody waits for, such as a CronJob."""
    noted = notes(body)
    title = f"{body['kind']}/{body['metadata']['name']}"
    facts = {"release": noted.get(RELEASE, ""), "commit": noted.get(COMMIT, ""), "digest": noted.get(DIGEST, "")}
    return Service(title, title, noted.get(KEY, ""), running=True, **facts)


def holds_of(found: Sequence[Workload], names: Sequence[str]) -> tuple[Held, ...]:
    """The images of all revisions that the cluster keeps: it may go back to each."""
    return tuple(
        Held(f"{one.title}, revision {revision.number}", reference, revision.key)
        for one in found
        for revision in one.revisions
        if (reference := _reference(revision, names))
    )


def earlier_of(one: Workload, names: Sequence[str]) -> tuple[Release, ...]:
    """The releases of the revisions that the cluster keeps besides the one that it wants now, the newest first."""
    now = one.current
    found = []
    for revision in one.revisions:
        noted, reference = revision.state.notes, image_of(revision.template, names)
        # Neither the same once more nor what somebody else has made.
        if reference and revision.key and (now is None or revision.number < now.number):
            facts = (noted.get(DIGEST, ""), noted.get(ENVIRONMENT, ""), noted.get(COMMIT, ""), noted.get(RELEASE, ""))
            found.append(Release(reference, revision.key, *facts))
    return tuple(found)


def _reference(revision: Revision, names: Sequence[str]) -> str:
    image = image_of(revision.template, names)
    _, pinned = manifests.split(image)
    return pinned.removeprefix("@") if pinned.startswith("@") else image


def _since(one: Workload) -> str:
    """Since when its newest release is there, as far as it says."""
    for condition in (one.body.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Progressing":
            return str(condition.get("lastUpdateTime") or "")
    return str(one.body["metadata"].get("creationTimestamp") or "")


def _runs(one: Workload) -> bool:
    status = one.body.get("status") or {}
    return bool(status.get("readyReplicas") or status.get("numberReady"))
