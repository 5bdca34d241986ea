"""Rollouts on a real API server: what serves afterwards, and what the user is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from layerdoit.config import Deploy
from layerdoit.config.deploy_section import Kubernetes
from layerdoit.core import process
from layerdoit.core.errors import LayerdoitError
from layerdoit.deploy.kubernetes.cluster import KubernetesProvider
from layerdoit.deploy.provider import Release
from tests.support.kube_node import PANIC, PROBE
from tests.support.kube_project import SERVICE, Place, workload

Releases = Callable[..., Release]


CRONJOB = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: shop}]}}}
"""


def text(error: LayerdoitError | None) -> str:
    assert error is not None
    return str(error)


def test_first_deployment_then_nothing_to_do_then_a_new_release(place: Place, release: Releases) -> None:
    place.write(workload(), SERVICE)
    provider = place.provider()
    provider.check(release())
    first = provider.deploy(release())
    assert first.error is None
    assert [name for name, _ in first.phases] == ["apply", "rollout"]
    assert not first.replaced
    assert place.image() == release().reference
    assert first.service is not None
    assert (first.service.key, first.service.commit, first.service.release) == (release().key, release().commit, "0")

    entered: list[str] = []
    again = place.provider().deploy(release(), anew=True, on_phase=entered.append)
    assert (again.error, again.phases, again.replaced, entered) == (None, (), False, [])
    place.kubectl("scale", "deployment/web", "--replicas=3")
    assert place.provider().deploy(release(), on_phase=entered.append).remarks
    assert entered == ["apply", "rollout"]

    second = place.provider().deploy(release(number=1))
    assert second.error is None
    assert second.replaced
    assert place.ready_images() == {release(number=1).reference}
    status = place.provider().status()
    assert (status.health, status.remark) == ("healthy", "")
    assert status.service is not None
    assert (status.service.key, status.service.digest) == (release(number=1).key, release(number=1).digest)
    held = place.provider().holds()
    assert {one.reference for one in held} == {release().digest, release(number=1).digest}
    assert {one.key for one in held} == {release().key, release(number=1).key}


REASONS = {
    "crash": ["it ended with exit code 101, 3 times", PANIC],
    "oom": ["OOMKilled"],
    "pull": ["ImagePullBackOff", "401 Unauthorized", "imagePullSecret"],
}


@pytest.mark.parametrize("fate", REASONS)
def test_what_never_gets_well_is_told_at_once_and_the_old_release_serves(
    place: Place, release: Releases, fate: str
) -> None:
    place.write(workload())
    good = release()
    place.provider().deploy(good)
    failed = place.provider(deadline=120).deploy(release(fate, 1))
    assert sum(seconds for _, seconds in failed.phases) < 60
    assert (failed.failed_in, failed.replaced) == ("rollout", False)
    for words in REASONS[fate]:
        assert words in text(failed.error)
    assert failed.service is not None
    assert failed.service.key == good.key
    assert place.image() == good.reference
    assert place.ready_images() == {good.reference}
    assert place.provider().status().health == "healthy"
    # And what is good again is nothing to do.
    assert place.provider().deploy(good).phases == ()


@pytest.mark.parametrize(
    ("fate", "words"), [("unready", PROBE), ("unschedulable", "0/1 nodes are available: 1 Insufficient memory.")]
)
def test_what_may_get_well_has_until_the_deadline(place: Place, release: Releases, fate: str, words: str) -> None:
    place.write(workload())
    place.provider().deploy(release())
    # Long enough for the cluster to make the pods.
    failed = place.provider(deadline=10).deploy(release(fate, 1))
    assert "within 10 s" in text(failed.error)
    assert words in text(failed.error)
    assert place.image() == release().reference


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_other_kinds_go_back_too(place: Place, release: Releases, kind: str) -> None:
    more = {"StatefulSet": "replicas: 2\n  serviceName: web", "DaemonSet": "minReadySeconds: 0"}[kind]
    place.write(workload(kind, more=more))
    first = place.provider().deploy(release())
    assert first.error is None
    assert place.provider().deploy(release(number=1)).replaced
    failed = place.provider().deploy(release("crash", 2))
    assert PANIC in text(failed.error)
    assert place.image(kind.lower()) == release(number=1).reference
    assert place.ready_images() == {release(number=1).reference}
    back = place.provider().roll_back(release())
    assert back.error is None
    assert place.ready_images() == {release().reference}


def test_a_first_release_that_fails_leaves_nothing(place: Place, release: Releases) -> None:
    place.write(workload(), SERVICE)
    failed = place.provider().deploy(release("crash"))
    assert "Deployment/web was not there before, and was removed again" in text(failed.error)
    assert place.objects("deployments") == []
    assert failed.service is None


def test_what_is_not_waited_for(place: Place, release: Releases) -> None:
    place.write(CRONJOB)
    done = place.provider().deploy(release())
    assert done.error is None
    assert done.service is not None
    assert (done.service.name, done.service.key) == ("CronJob/nightly", release().key)
    assert done.remarks == ("applied, but not waited for: CronJob/nightly",)


def test_two_workloads_are_one_release(place: Place, release: Releases) -> None:
    """One of them fails: both go back."""
    place.write(workload(), workload(name="worker"))
    place.provider().deploy(release())
    place.write(
        workload(), workload(name="worker", container="command: [worker]").replace("image: shop", "image: shop")
    )
    assert place.provider().deploy(release(number=1)).error is None
    failed = place.provider().deploy(release("crash", 2))
    assert failed.error is not None
    assert {place.image(name="web"), place.image(name="worker")} == {release(number=1).reference}


def test_rollback_is_to_the_pods_as_they_were(place: Place, release: Releases) -> None:
    place.write(workload(container="env: [{name: LEVEL, value: first}]"))
    place.provider().deploy(release())
    place.write(workload(container="env: [{name: LEVEL, value: second}]"))
    place.provider().deploy(release(number=1))
    back = place.provider().roll_back(release())
    assert back.error is None
    assert back.replaced
    (body,) = place.objects("deployments")
    container = body["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["env"][0]["value"]) == (release().reference, "first")
    # The next deployment is as if nothing had been.
    after = place.provider().deploy(release(number=2))
    assert (after.error, after.remarks) == (None, ())


def test_the_cluster_remembers_what_another_machine_deployed(place: Place, release: Releases) -> None:
    place.write(workload())
    assert place.provider().put_back() == ""
    for number in range(2):
        place.provider().deploy(release(number=number))
    elsewhere = place.provider()
    assert [(one.id, one.reference) for one in elsewhere.earlier()] == [("0", release().reference)]
    assert elsewhere.put_back() == "release 0 serves again"
    assert place.ready_images() == {release().reference}


def test_rollback_to_a_release_whose_image_is_gone_changes_nothing(place: Place, release: Releases) -> None:
    place.write(workload())
    place.provider().deploy(release())
    failed = place.provider().roll_back(release("pull", 7))
    assert "ImagePullBackOff" in text(failed.error)
    assert place.ready_images() == {release().reference}


def test_by_hand_in_an_emergency_then_by_layerdoit_again(place: Place, release: Releases) -> None:
    place.write(workload())
    for number in range(2):
        place.provider().deploy(release(number=number))
    place.kubectl("rollout", "undo", "deployment/web")
    place.kubectl("rollout", "status", "deployment/web")
    assert place.ready_images() == {release().reference}
    service = place.provider().status().service
    assert service is not None
    assert service.key == release().key
    done = place.provider().deploy(release(number=2))
    assert done.error is None
    assert place.ready_images() == {release(number=2).reference}


def test_changes_are_shown_and_none_is_made(place: Place, release: Releases) -> None:
    place.write(workload())
    place.provider().deploy(release())
    assert list(place.provider().changes(release())) == ["nothing would change"]
    lines = list(place.provider().changes(release(number=1)))
    assert lines[0] == "Deployment/web:"
    assert any(line.startswith("-") and release().reference in line for line in lines)
    assert any(line.startswith("+") and release(number=1).reference in line for line in lines)
    assert place.image() == release().reference


def test_logs(place: Place, release: Releases, capsys: pytest.CaptureFixture[str]) -> None:
    place.write(workload())
    place.provider().deploy(release())
    assert list(place.provider().logs(tail=1)) == []
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("[pod/web-") and line.endswith(PANIC) for line in lines)


def test_commands_run_in_a_ready_pod_of_ours(place: Place, release: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    """No container runs in this cluster, so that what would be typed is all there is to see."""
    typed: list[Sequence[str]] = []

    def interactive(argv: Sequence[str]) -> int:
        typed.append(argv)
        return 7

    monkeypatch.setattr(process, "interactive", interactive)
    place.write(workload(), workload(name="shop", more="replicas: 1"))
    place.provider().deploy(release())
    assert place.provider().execute(["ls", "-l"]) == 7
    assert place.provider().shell() == 7
    command, shell = typed
    assert command[:3] == ["kubectl", "--context=lab", f"--namespace={place.namespace}"]
    assert command[-4:] == ["--container=main", "--", "ls", "-l"]
    assert any(word.startswith("shop-") for word in command)
    assert shell[-3:-1] == ["sh", "-c"]


def test_a_folder_of_kustomize(place: Place, release: Releases) -> None:
    place.write(workload())
    (place.root / "k8s/kustomization.yaml").write_text("namePrefix: eu-\nresources: [web.yaml]\n")
    kubernetes = Kubernetes(context="lab", namespace=place.namespace, kustomize="k8s")
    provider = KubernetesProvider(replace(place.settings(), config=Deploy(kubernetes=kubernetes)))
    assert provider.deploy(release()).error is None
    assert place.image(name="eu-web") == release().reference
    (place.root / "k8s/kustomization.yaml").write_text("resources: [web.yaml]\nimages: [{name: shop, newTag: v1}]\n")
    provider = KubernetesProvider(replace(place.settings(), config=Deploy(kubernetes=kubernetes)))
    assert str(provider.deploy(release()).error).startswith("k8s: the image of Deployment/web is fixed to shop:v1\n")
    (place.root / "k8s/kustomization.yaml").write_text("resources: [none.yaml]\n")
    provider = KubernetesProvider(replace(place.settings(), config=Deploy(kubernetes=kubernetes)))
    assert str(provider.deploy(release()).error).startswith("k8s: kustomize: ")


def test_destroy_takes_our_workloads_and_nothing_else(place: Place, release: Releases) -> None:
    other = workload(name="db").replace("image: shop", "image: postgres")
    place.write(workload(), SERVICE, other)
    place.provider().deploy(release())
    assert place.provider().destroy()
    assert [one["metadata"]["name"] for one in place.objects("deployments,services,leases")] == ["db", "web"]
    assert place.provider().status().service is None
    assert not place.provider().destroy()
