"""What cannot be deployed: one message, with the place and the next step, and nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from layerdoit.config import Deploy
from layerdoit.config.deploy_section import Kubernetes
from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.deploy.kubernetes.cluster import KubernetesProvider
from layerdoit.deploy.provider import Release
from tests.support.kube_cluster import ROOT
from tests.support.kube_project import SERVICE, Place, workload
from tests.support.waiting import until

Releases = Callable[..., Release]
Refused = Callable[..., str]

WRONG_FIELD = workload().replace("replicas: 2", "replicas: two")
HPA = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {replicas: 7}
"""


@pytest.fixture
def refused(place: Place, release: Releases) -> Refused:
    """The message of `check`, after which nothing is there."""

    def said(*documents: str, context: str = "lab", namespace: str | None = None, **more: Any) -> str:
        place.write(*(documents or (workload(),)))
        elsewhere = replace(place, namespace=namespace) if namespace else place
        provider = elsewhere.provider(context=context, **more)
        with pytest.raises(LayerdoitError) as caught:
            provider.check(release())
        assert caught.value.exit_code
        assert provider.deploy(release()).error is not None
        assert place.objects("deployments,services") == []
        return str(caught.value)

    return said


def test_of_the_cluster(refused: Refused) -> None:
    said = refused(context="labb")
    assert said.startswith('layerdoit.prod.yaml:4: the kubeconfig has no context "labb"\n')
    assert 'did you mean "lab"? known contexts: away, expired, lab, reader' in said
    said = refused(namespace="shp")
    assert "the cluster lab has no namespace shp" in said
    assert "next: kubectl --context=lab create namespace shp" in said
    assert "the cluster expired does not accept the login" in refused(context="expired")
    assert "the cluster away cannot be reached" in refused(context="away")
    said = refused(context="reader")
    assert "reader may not patch deployments in the namespace" in said
    assert "docs/kubernetes.md" in said


def test_what_the_section_must_say(place: Place, release: Releases) -> None:
    place.write(workload())
    for given, said in (
        (Kubernetes(namespace="shop"), "kubernetes.context is not set"),
        (Kubernetes(context="lab"), "kubernetes.namespace is not set"),
        (Kubernetes(context="lab", namespace="shop", manifests=("other",)), "other is not there"),
        (Kubernetes(context="lab", namespace="shop", manifests=("k8s",), kustomize="k8s"), "manifests and kustomize"),
        (Kubernetes(context="lab", namespace="shop", kustomize="other"), "other is not there"),
    ):
        provider = KubernetesProvider(replace(place.settings(), config=Deploy(kubernetes=given)))
        with pytest.raises(ConfigError, match=said):
            provider.check(release())


def test_of_manifests(refused: Refused) -> None:
    assert refused(WRONG_FIELD).startswith("k8s/web.yaml:2: Deployment/web is not valid: .spec.replicas: expected")
    said = refused(workload(container="volumeMounts: [{name: a, mountPath: /x}]"))
    assert 'containers[0].volumeMounts[0].name: Not found: "a"' in said
    other = workload().replace("image: shop", "image: shop-web")
    said = refused(other)
    assert "no manifest has the image shop; their images are shop-web" in said
    assert "kubernetes: {image: shop-web}" in said
    assert "no manifest has the image shop; they have no containers at all" in refused(SERVICE)
    said = refused(SERVICE, workload().replace("image: shop", "image: shop:1.4"))
    assert said.startswith("k8s/web.yaml:17: the image of Deployment/web is fixed to shop:1.4\n")
    assert "the namespace other" in refused(
        workload().replace("{name: web}\nspec", "{name: web, namespace: other}\nspec")
    )
    assert "knows no Widget of example.org/v1" in refused(
        workload(), "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: a}\n"
    )


def test_fields_that_another_program_manages(place: Place, release: Releases) -> None:
    place.write(workload())
    assert place.provider().deploy(release()).error is None
    apply = ("apply", "--server-side", "--force-conflicts", "--field-manager=keda", "--filename=-")
    place.cluster.kubectl("--namespace", place.namespace, *apply, fed=HPA)
    place.write(workload(), SERVICE)
    failed = place.provider().deploy(release(number=1))
    assert ".spec.replicas (keda)" in str(failed.error)
    assert place.ready_images() == {release().reference}
    # What people set by hand is as the manifests say again, and the user is told.
    place.write(workload(more="replicas: 7"))
    place.kubectl("set", "image", "deployment/web", "main=other:1")
    done = place.provider().deploy(release(number=1))
    assert done.error is None
    assert any("image" in remark and "by hand" in remark for remark in done.remarks)


def test_a_quota(place: Place, release: Releases) -> None:
    place.write(workload())
    assert place.provider().deploy(release()).error is None
    place.kubectl("create", "quota", "small", "--hard=pods=2")
    # Before the cluster has counted, it refuses nothing.
    until(lambda: place.objects("resourcequotas")[0].get("status", {}).get("used"), 60, "a quota that holds")
    failed = place.provider(deadline=10).deploy(release(number=1))
    assert "exceeded quota: small" in str(failed.error)
    assert place.image() == release().reference


def test_the_rights_on_the_page_are_enough(
    place: Place, release: Releases, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With deploy.secrets, and on the way back, too."""
    role = (ROOT / "docs/kubernetes.md").read_text().split("```yaml\n")[1].split("```")[0]
    place.cluster.kubectl("--namespace", place.namespace, "create", "--filename=-", fed=role)
    place.kubectl("create", "rolebinding", "layerdoit", "--role=layerdoit", "--user=reader")
    asked = ("auth", "can-i", "patch", "deployments", "--as=reader")
    until(lambda: place.kubectl(*asked, fine=False).strip() == "yes", 60, "the rights")
    monkeypatch.setenv("TOKEN", "a-value")
    place.write(workload(container="envFrom: [{secretRef: {name: layerdoit-shop-prod}}]"), SERVICE)
    provider = place.provider(context="reader", secrets={"TOKEN": None})
    provider.check(release())
    assert provider.deploy(release()).error is None
    assert any(line.startswith("+") for line in provider.changes(release(number=1)))
    assert provider.deploy(release(number=1)).error is None
    assert "exit code 101" in str(provider.deploy(release("crash", 2)).error)
    assert provider.roll_back(release()).error is None
    assert provider.status().health == "healthy"
    assert len(provider.holds()) == 3
    list(provider.logs(tail=1))
    assert provider.unlock().startswith("nobody holds")
    assert provider.destroy()
    assert place.objects("deployments,secrets,leases") == []
