"""From a release to pods that run it, and back to what served where they do not come up."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from layerdoit.core.errors import DeployError, LayerdoitError
from layerdoit.core.prose import listed
from layerdoit.core.signals import as_errors, ignored
from layerdoit.deploy.kubernetes import manifests, rendered_release
from layerdoit.deploy.kubernetes.cluster_service import service_of, unwaited
from layerdoit.deploy.kubernetes.cluster_view import ClusterView
from layerdoit.deploy.kubernetes.kube_phases import APPLY, ROLLOUT
from layerdoit.deploy.kubernetes.kubectl import Kubectl
from layerdoit.deploy.kubernetes.lease import Lease, Lock, moment
from layerdoit.deploy.kubernetes.manifests import Rendered
from layerdoit.deploy.kubernetes.rendered_release import MANIFESTS, Rendering
from layerdoit.deploy.kubernetes.secret_objects import SecretObjects
from layerdoit.deploy.kubernetes.workload_rollout import Rollout
from layerdoit.deploy.kubernetes.workloads import KEY, State, Workload, annotation, is_named, notes
from layerdoit.deploy.phase_watch import Watch
from layerdoit.deploy.provider import Deployed, Release, Service
from layerdoit.deploy.settings import DeploySettings

Json = dict[str, Any]


class ReleaseRollout:
    """One deployment, or one way back. It keeps what it has found: make a new one each time."""

    def __init__(
        self, settings: DeploySettings, kubectl: Kubectl, rendering: Rendering, secrets: SecretObjects, lease: Lease
    ) -> None:
        self._settings = settings
        self._kubectl = kubectl
        self._rendering = rendering
        self._secrets = secrets
        self._lease = lease
        self._view = ClusterView(kubectl, settings.name)
        self._rollout = Rollout(kubectl, self._view, settings.config.kubernetes.deadline)
        self._names: tuple[str, ...] = ()
        self._recovered: list[str] = []
        self._remarks: list[str] = []

    def deploy(self, release: Release, on_phase: Callable[[str], None]) -> Deployed:
        """As `Provider.deploy`."""
        return self._guarded(release, Watch(on_phase), self._deploy)

    def roll_back(self, release: Release, on_phase: Callable[[str], None]) -> Deployed:
        """As `Provider.roll_back`."""
        return self._guarded(release, Watch(on_phase), self._roll_back)

    def _guarded(self, release: Release, watch: Watch, steps: Callable[[Release, Watch], Deployed]) -> Deployed:
        """An error that a user can act on is part of the result, with what serves now."""
        self._names = self._rendering.names(release.reference)
        with as_errors():
            try:
                return steps(release, watch)
            except LayerdoitError as error:
                failed = watch.now
                watch.leave()
                with ignored():
                    return Deployed(
                        self._serving(), tuple(watch.done), False, tuple(self._recovered), (), failed, error
                    )

    def _deploy(self, release: Release, watch: Watch) -> Deployed:
        # The manifests are read before anything is asked or held.
        rendered = self._rendering.of(release)
        targets = _targets(rendered)
        lease, was = self._before(targets)
        with self._lease.held(lease) as lock:
            self._recover(lock, was)
            lock.good = {**lock.good, **self._rollout.good(was, lock.good)}
            secret = self._secrets.known(self._settings.secrets) if self._settings.secrets else ""
            rendered = self._rendering.of(release, secret or "")
            if secret is not None and self._serves(rendered, was):
                return self._done(was, watch, rendered)
            watch.enter(APPLY)
            if secret is None:
                rendered = self._rendering.of(release, self._secrets.create(self._settings.secrets))
            self._remarks += rendered.remarks
            with self._or_back(was, lock, targets):
                applied, by_hand = self._kubectl.apply(rendered)
                if by_hand:
                    self._remarks.append(f"changed by hand before, now as the manifests say: {listed(by_hand)}")
                watch.enter(ROLLOUT)
                begun = [one for one in applied if Workload(one).target in targets]
                found = self._rollout.wait(begun)
            watch.leave()
            self._remarks += self._orphans(lock, targets)
            lock.good = {one.target: one.state for one in found}
        self._prune()
        return self._done([one.body for one in found], watch, rendered, replaced=bool(was))

    def _roll_back(self, release: Release, watch: Watch) -> Deployed:
        mine = self._view.mine()
        if not mine:
            raise DeployError(f"{self._settings.name} is not deployed", hint="doit deploy brings a release there")
        was = [one.body for one in mine]
        targets = [one.target for one in mine]
        with self._lease.held(self._lease.find()) as lock:
            self._recover(lock, was)
            lock.good = {**lock.good, **self._rollout.good(was, lock.good)}
            watch.enter(APPLY)
            with self._or_back(was, lock, targets):
                begun = self._rollout.put({one.target: _then(one, release, self._names) for one in mine})
                watch.enter(ROLLOUT)
                found = self._rollout.wait(begun)
            watch.leave()
            lock.good = {one.target: one.state for one in found}
        return self._done([one.body for one in found], watch, None, replaced=True)

    def _before(self, targets: Sequence[str]) -> tuple[Json | None, list[Json]]:
        """The Lease and the workloads as they are, by one question."""
        found = self._view.named([f"lease/{self._lease.name}", *targets])
        lease = next((one for one in found if one["kind"] == "Lease"), None)
        return lease, [one for one in found if one["kind"] != "Lease"]

    def _recover(self, lock: Lock, was: Sequence[Json]) -> None:
        """Say how far an interrupted deployment had come: the cluster went on with it by itself."""
        self._recovered += lock.recovered
        if not lock.recovered:
            return
        for body in was:
            one = Workload(body)
            if not one.progress().done:
                self._recovered.append(f"{one.title} was left half rolled out: {one.progress().words}")
            elif one.target in lock.good and lock.good[one.target] != one.state:
                self._recovered.append(f"the cluster had rolled out what was interrupted: {one.title} serves it")

    @contextlib.contextmanager
    def _or_back(self, was: Sequence[Json], lock: Lock, targets: Sequence[str]) -> Iterator[None]:
        """Whatever fails meanwhile, or whoever interrupts: what was good serves."""
        try:
            yield
        except BaseException as error:
            with ignored():
                self._rollout.go_back(was, lock.good, targets, error)
            raise

    def _orphans(self, lock: Lock, targets: Sequence[str]) -> list[str]:
        """What an earlier release had, and this one's manifests have no more, still runs: nobody else says so."""
        left = [name for name in lock.good if name not in targets]
        left = [Workload(one).target for one in self._view.named(left)]
        remove = f"{self._kubectl.hint('delete', *left)} removes it"
        return [f"{listed(left)} is not in the manifests any more, and still runs: {remove}"] if left else []

    def _prune(self) -> None:
        """Old Secrets are of no use once no revision names them. A failure is no failure of the release."""
        if self._settings.config.secrets:
            try:
                self._secrets.prune([each.template for one in self._view.mine() for each in one.revisions])
            except LayerdoitError as error:
                self._remarks.append(f"old Secrets were not removed: {error.what}")

    def _serves(self, rendered: Rendered, was: Sequence[Json]) -> bool:
        """Whether the same release serves already, healthy, and nobody has changed it by hand."""
        there = {Workload(one).target: one for one in was if Workload(one).progress().done}
        for one in rendered.workloads:
            found = there.get(Workload(one).target)
            if found is None or annotation(found, MANIFESTS) != annotation(one, MANIFESTS):
                return False
        # Nothing is kept of this; the server says what each would be.
        applied, _ = self._kubectl.apply(rendered, dry=True)
        would_be = [one for one in applied if Workload(one).target in there]
        return bool(would_be) and all(one["spec"] == there[Workload(one).target]["spec"] for one in would_be)

    def _done(
        self, now: Sequence[Json], watch: Watch, rendered: Rendered | None, *, replaced: bool = False
    ) -> Deployed:
        found = [Workload(body) for body in now]
        nowhere = [one.title for one in found if not one.wanted]
        if nowhere and watch.done:
            self._remarks.append(f"no pods are wanted of {listed(nowhere)}: it runs nowhere")
        service = service_of(self._view.first(found), self._names)
        if service is not None and watch.done:
            service = replace(service, running=not nowhere, since=moment())
        if service is None and rendered is not None:
            service = unwaited(rendered.holders[0])
        return Deployed(service, tuple(watch.done), replaced, tuple(self._recovered), tuple(self._remarks))

    def _serving(self) -> Service | None:
        try:
            return service_of(self._view.mine(), self._names)
        except LayerdoitError:
            # The first error is the one to show, also when the cluster is gone altogether.
            return None


def _targets(rendered: Rendered) -> list[str]:
    return [f"{one['kind'].lower()}/{one['metadata']['name']}" for one in rendered.workloads]


def _then(one: Workload, release: Release, names: Sequence[str]) -> State:
    """A workload as it was with this release; where the cluster has forgotten, as it is now, with its image."""
    alike = [each for each in one.revisions if release.key and each.key == release.key]
    # One image with other settings is another release.
    exactly = [each for each in alike if release.id and each.state.notes.get(rendered_release.RELEASE) == release.id]
    kept = next(iter(exactly or alike), None)
    if kept is not None:
        return kept.state
    template = copy.deepcopy(one.template)
    for container in manifests.containers(template["spec"]):
        if is_named(str(container.get("image")), names):
            container["image"] = release.reference
    metadata = template.setdefault("metadata", {})
    metadata["annotations"] = {**(metadata.get("annotations") or {}), KEY: release.key}
    return State(template, {**notes(one.body), **rendered_release.notes_of(release)})
