"""A deployment in one namespace of a Kubernetes cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from layerdoit.core import process, terminal
from layerdoit.core.console import pass_on
from layerdoit.core.errors import ConfigError, DeployError
from layerdoit.deploy.kubernetes import kube_diff, pod_troubles
from layerdoit.deploy.kubernetes.cluster_service import earlier_of, holds_of, service_of
from layerdoit.deploy.kubernetes.cluster_view import ClusterView
from layerdoit.deploy.kubernetes.kubectl import Kubectl
from layerdoit.deploy.kubernetes.kubectl_errors import Unreached
from layerdoit.deploy.kubernetes.lease import Lease, holder, since
from layerdoit.deploy.kubernetes.release_rollout import ReleaseRollout
from layerdoit.deploy.kubernetes.rendered_release import Rendering
from layerdoit.deploy.kubernetes.secret_objects import SecretObjects
from layerdoit.deploy.kubernetes.workloads import Workload, is_ready
from layerdoit.deploy.provider import SHELL, Deployed, Held, Release, Status
from layerdoit.deploy.settings import DeploySettings

Json = dict[str, Any]


class KubernetesProvider:
    """`Provider` by kubectl. Asks nothing before it is asked."""

    needs_registry = True

    def __init__(self, settings: DeploySettings) -> None:
        self.settings = settings
        self._config = settings.config.kubernetes

    def check(self, release: Release, /) -> None:
        """See `Provider`. The server itself tries the manifests, and keeps nothing of it."""
        _ = self.settings.secrets
        rendered = self._rendering.of(release)
        self._kubectl.apply(rendered, dry=True)
        self._lease.refuse_held()

    def deploy(
        self,
        release: Release,
        *,
        anew: bool = False,  # noqa: ARG002 - the interface's
        on_phase: Callable[[str], None] = lambda _: None,
    ) -> Deployed:
        """See `Provider`. The same digest is the same image: with `anew` too, it is left alone."""
        return self._rollout.deploy(release, on_phase)

    def roll_back(self, release: Release, *, on_phase: Callable[[str], None] = lambda _: None) -> Deployed:
        """See `Provider`."""
        return self._rollout.roll_back(release, on_phase)

    def earlier(self) -> tuple[Release, ...]:
        """See `Remembers`."""
        found = self._view.mine()
        return earlier_of(found[0], self._names) if found else ()

    def put_back(self) -> str:
        """See `Remembers`."""
        before = next(iter(self.earlier()), None)
        if before is None:
            return ""
        done = self.roll_back(before)
        if done.error is not None:
            raise done.error
        return f"release {before.id or before.key[:12]} serves again"

    def changes(self, release: Release) -> Iterator[str]:
        """See `Provider`."""
        last = self.settings.last
        if last is not None and last.key == release.key and "@" not in release.reference:
            # It serves already, by the digest that it got in the registry.
            release = last
        secret = self._secrets.known(self.settings.secrets) if self.settings.secrets else None
        if self.settings.secrets and secret is None:
            yield f"Secret {self._secrets.name}: new, with {', '.join(self.settings.secrets)}"
        yield from kube_diff.lines(self._kubectl, self._rendering.of(release, secret or "").objects)

    def status(self) -> Status:
        """See `Provider`."""
        found = self._view.mine()
        if not found:
            return Status(None, "not deployed")
        lease = self._lease.find()
        remark = f"it is being deployed by {holder(lease)}, since {since(lease)}" if lease and holder(lease) else ""
        return Status(service_of(found, self._names), self._health(found), remark)

    def _health(self, found: Sequence[Workload]) -> str:
        for one in found:
            progress = one.progress()
            if not progress.done:
                trouble = pod_troubles.of(one) or pod_troubles.of(one, self._view.events())
                return f"{one.title}: {trouble.what if trouble else progress.words}"
            if not one.wanted:
                return f"{one.title} runs nowhere: no pods are wanted of it"
        return "healthy"

    def logs(self, *, follow: bool = False, tail: int | None = None, since: float | None = None) -> Iterator[str]:
        """See `Provider`. Of all pods of the workload, each line with its pod where there are several."""
        one = self._deployed()
        words = ["logs", f"--selector={one.selector}", f"--container={one.container(self._names)}"]
        words += [f"--tail={-1 if tail is None else tail}", f"--max-log-requests={max(len(one.pods()), 5)}"]
        words += ["--prefix"] if len(one.pods()) > 1 else []
        words += ["--follow"] if follow else []
        words += [f"--since={max(int(since), 1)}s"] if since is not None else []
        code = process.stream(self._kubectl.words(*words), on_line=lambda _, line: pass_on(line))
        if code:
            raise DeployError(f"kubectl logs ended with exit code {code}", hint="its own words are above")
        yield from ()

    def execute(self, command: Sequence[str]) -> int:
        """See `Provider`."""
        one = self._deployed()
        container = one.container(self._names)
        kept = ["--stdin", "--tty"] if terminal.at_both_ends() else ["--stdin"]
        words = ["exec", *kept, self._ready_pod(one), f"--container={container}", "--", *command]
        return process.interactive(self._kubectl.words(*words))

    def shell(self) -> int:
        """See `Provider`."""
        return self.execute(SHELL)

    def destroy(self) -> bool:
        """See `Provider`. Of the namespace it takes only the workloads with the image, our Secrets and our Lease.

        Services, volumes and whatever else the manifests hold may be others' too: they stay.
        """
        found = self._view.mine()
        if found:
            self._kubectl.run("delete", *(one.target for one in found), "--ignore-not-found", "--wait=false")
        self._secrets.remove()
        self._lease.remove()
        return bool(found)

    def holds(self) -> tuple[Held, ...]:
        """See `Provider`. Where the cluster cannot be asked, the log of releases says what is needed."""
        try:
            found = self._view.mine()
        except Unreached:
            last = self.settings.last
            return (Held(self.settings.name, last.digest or last.reference, last.key),) if last else ()
        return holds_of(found, self._names)

    def unlock(self) -> str:
        """See `Provider`."""
        return self._lease.unlock()

    # --- what it is made of ------------------------------------------------------------------------------------------

    @cached_property
    def _kubectl(self) -> Kubectl:
        where = self.settings.where
        for name in ("context", "namespace"):
            if getattr(self._config, name) is None:
                what = f"deploy.kubernetes.{name} is not set: the current one of kubectl is never used"
                place = where.get("deploy.kubernetes") or where.get("deploy.provider")
                known = Kubectl.contexts() if name == "context" else []
                hint = f"known contexts: {', '.join(known)}" if known else f"deploy: {{kubernetes: {{{name}: …}}}}"
                raise ConfigError(what, where=place, hint=hint)
        place = where.get("deploy.kubernetes.context")
        return Kubectl(self._config.context or "", self._config.namespace or "", place)

    @cached_property
    def _view(self) -> ClusterView:
        return ClusterView(self._kubectl, self.settings.name)

    @cached_property
    def _lease(self) -> Lease:
        return Lease(self._kubectl, self.settings.name)

    @cached_property
    def _secrets(self) -> SecretObjects:
        return SecretObjects(self._kubectl, self.settings.name)

    @cached_property
    def _rendering(self) -> Rendering:
        return Rendering(self.settings, self._kubectl, self._secrets.name)

    @property
    def _rollout(self) -> ReleaseRollout:
        return ReleaseRollout(self.settings, self._kubectl, self._rendering, self._secrets, self._lease)

    @property
    def _names(self) -> tuple[str, ...]:
        return self._rendering.names(self.settings.last.reference if self.settings.last else "")

    def _deployed(self) -> Workload:
        found = self._view.mine()
        if not found:
            raise DeployError(f"{self.settings.name} is not deployed", hint="doit cycle_fast")
        return found[0]

    def _ready_pod(self, one: Workload) -> str:
        pods = sorted(one.pods(), key=lambda pod: not is_ready(pod))
        if not pods:
            raise DeployError(f"{one.title} has no pods", hint=self._kubectl.hint("describe", one.target))
        return str(pods[0]["metadata"]["name"])
