"""One rollout: apply, wait until every workload with the image has it, else go back to what was good.

Kubernetes itself keeps the old pods until new ones are ready. What it does not do is to give up early, to say why, and
to go back: that is what happens here. Also after `kill -9` the cluster goes on by itself; the Lease says from where.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from layerdoit.core import doing, process
from layerdoit.core.errors import DeployError, Interrupted, LayerdoitError
from layerdoit.core.prose import listed
from layerdoit.deploy.docker import container_log
from layerdoit.deploy.kubernetes import pod_troubles
from layerdoit.deploy.kubernetes.cluster_view import ClusterView
from layerdoit.deploy.kubernetes.kubectl import Kubectl
from layerdoit.deploy.kubernetes.kubectl_errors import Unreached
from layerdoit.deploy.kubernetes.manifests import containers
from layerdoit.deploy.kubernetes.rendered_release import MANIFESTS
from layerdoit.deploy.kubernetes.workloads import State, Workload, annotation, is_ready

Json = dict[str, Any]

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 1.0
_LOOK: Final = 1.0
"""Seconds between two looks at the pods; the workloads themselves are asked more often."""
_OUTAGE: Final = 20.0
"""Seconds for which the cluster may be out of reach while we wait."""
_BACK: Final = 60.0
"""Seconds that the release before has to be there again. Its pods mostly still are."""


class Unhealthy(DeployError):
    """A workload that did not come up, with the reason."""


class Rollout:
    """The steps on the workloads of one deployment."""

    def __init__(self, kubectl: Kubectl, view: ClusterView, deadline: float) -> None:
        self._kubectl = kubectl
        self._view = view
        self._deadline = deadline

    def wait(self, begun: Sequence[Json], *, deadline: float | None = None) -> tuple[Workload, ...]:
        """The workloads as they are once all are rolled out. Unhealthy as soon as it is certain that one never will be.

        `begun`: what the server said of them when it took the change. DeployError where something else came up: a
        kubectl of a killed deployment may go on without it.
        """
        asked = {one.target: _asked_for(one) for one in map(Workload, begun)}
        limit = self._deadline if deadline is None else deadline
        started = looked = time.monotonic()
        pause = _FIRST_PAUSE
        bodies = list(begun)
        while True:
            alone = [Workload(body) for body in bodies]
            self._all_there(asked, alone)
            now = time.monotonic()
            left = [one for one in alone if not one.progress().done]
            if not left:
                others = [one.title for one in alone if _asked_for(one) != asked[one.target]]
                if others:
                    what = f"somebody else changed {listed(others)} while it was rolled out"
                    raise DeployError(what, hint="deploy again")
                return tuple(alone)
            late = now - started >= limit
            if late or now - looked >= _LOOK:
                looked = now
                self._judge(self._view.whole(bodies), late, limit)
            doing.tell(doing.Doing(f"{left[0].title}: {left[0].progress().words}"))
            self._until_ended(left[0].target, pause)
            # Also at the end: it may be another release by now.
            bodies = self._asked(list(asked))
            pause = min(pause * 1.2, _LONGEST_PAUSE)

    def _until_ended(self, target: str, pause: float) -> None:
        """Wait for the end of a rollout, or a second: kubectl is told of it by the server at once, and need not ask."""
        begun = time.monotonic()
        words = self._kubectl.words("rollout", "status", target, f"--timeout={_LOOK:g}s")
        if process.capture(words, check=False).code and time.monotonic() - begun < pause:
            # It may not watch, or the server is away.
            time.sleep(pause)

    def _asked(self, targets: Sequence[str]) -> list[Json]:
        """The workloads; a connection that fails for a moment is no failure of the release."""
        begun = time.monotonic()
        while True:
            try:
                return self._view.named(targets)
            except Unreached:
                if time.monotonic() - begun > _OUTAGE:
                    raise
                time.sleep(_LONGEST_PAUSE)

    @staticmethod
    def _all_there(targets: Iterable[str], found: Sequence[Workload]) -> None:
        gone = [one for one in targets if one not in {each.target for each in found}]
        if gone:
            raise DeployError(f"somebody removed {listed(gone)} meanwhile", hint="deploy again")

    def _judge(self, found: Sequence[Workload], late: bool, limit: float) -> None:
        """Raise where one workload never gets there; with `late`, where one is not there."""
        for one in found:
            progress = one.progress()
            if progress.done:
                continue
            trouble = pod_troubles.of(one)
            if trouble is None or not trouble.certain or late:
                # What events alone tell is asked for where the rest says nothing certain.
                trouble = pod_troubles.of(one, self._view.events()) or trouble
            if trouble is not None and (trouble.certain or late or progress.failed):
                raise self._unhealthy(one, trouble, limit if late and not trouble.certain else None)
            if late or progress.failed:
                words = progress.failed or progress.words
                raise Unhealthy(f"{one.title} was not rolled out within {limit:g} s: {words}", hint=self._describe(one))

    def _unhealthy(self, one: Workload, trouble: pod_troubles.Trouble, limit: float | None) -> Unhealthy:
        within = f" within {limit:g} s" if limit is not None else ""
        what = f"{one.title} did not become healthy{within}: {trouble.what}"
        lines = container_log.plain(self._view.log(trouble))
        if lines:
            what += f"\n{container_log.quoted(lines)}"
        return Unhealthy(what, hint=trouble.hint or self._describe(one))

    def _describe(self, one: Workload) -> str:
        return self._kubectl.hint("describe", one.target)

    # --- going back --------------------------------------------------------------------------------------------------

    def put(self, states: Mapping[str, State]) -> list[Json]:
        """Let workloads be these; what the server says of them then."""
        taken = []
        for target, state in states.items():
            changes = [{"op": "replace", "path": "/spec/template", "value": state.template}]
            # One by one: the cluster has annotations of its own there.
            for name, value in state.notes.items():
                path = f"/metadata/annotations/{name.replace('/', '~1')}"
                changes.append({"op": "add", "path": path, "value": value})
            taken.append(self._kubectl.patch(target, changes))
        return taken

    def good(self, bodies: Sequence[Json], noted: Mapping[str, State]) -> dict[str, State]:
        """What each workload that is there can go back to; nothing for one that never became healthy."""
        found: dict[str, State] = {}
        for body in bodies:
            one = Workload(body)
            if one.progress().done:
                found[one.target] = one.state
            elif one.target in noted:
                found[one.target] = noted[one.target]
            elif (served := self._view.whole([body])[0].serving()) is not None:
                found[one.target] = served
        return found

    def go_back(
        self, was: Sequence[Json], good: Mapping[str, State], targets: Sequence[str], cause: BaseException
    ) -> None:
        """After a failure: let what was good serve again. It has no error of its own: the cause tells of it.

        `was`: the workloads as they were before; `targets`: those of the release. After an interrupt, going back is
        begun and not waited for: the old pods serve meanwhile.
        """
        try:
            now = self._view.whole(self._view.named(targets))
            there = {Workload(body).target for body in was}
            fresh = [one for one in now if one.target not in there]
            back = [one for one in now if one.target in good and one.state != good[one.target]]
            begun = self.put({one.target: good[one.target] for one in back})
            for one in fresh:
                self._kubectl.run("delete", one.target, "--wait=false")
            for one in back:
                self._delete_stuck(one)
            if back and not isinstance(cause, Interrupted):
                self.wait(begun, deadline=min(_BACK, self._deadline))
        except LayerdoitError as error:
            _told(cause, f"and the release before could not be restored: {error.what}", error.hint)
            return
        if fresh and not back:
            _told(cause, f"{listed([one.title for one in fresh])} was not there before, and was removed again")

    def _delete_stuck(self, one: Workload) -> None:
        """A StatefulSet waits for ever for a pod of the failed release: it replaces those that are deleted."""
        if one.kind != "StatefulSet" or one.current is None:
            return
        stuck = [str(pod["metadata"]["name"]) for pod in one.pods(one.current) if not is_ready(pod)]
        if stuck:
            self._kubectl.run("delete", "pod", *stuck, "--wait=false", "--ignore-not-found")


def _asked_for(one: Workload) -> tuple[str, list[str]]:
    """What tells one release from another. Controllers may change the pods' annotations, to have them restarted."""
    return annotation(one.body, MANIFESTS), [str(each.get("image")) for each in containers(one.template["spec"])]


def _told(cause: BaseException, more: str, hint: str | None = None) -> None:
    # The cause is what the user must see first.
    if isinstance(cause, LayerdoitError):
        cause.reworded(what=f"{cause.what}\n{more}", hint=hint)
