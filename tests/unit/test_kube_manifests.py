"""The image of a release in the user's manifests."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from layerdoit.core.errors import ConfigError
from layerdoit.deploy.kubernetes import kube_yaml, manifests
from layerdoit.deploy.kubernetes.manifests import Rendered, Wanted

REFERENCE = "registry.test/team/shop@sha256:" + "a" * 64
WANTED = Wanted(
    ("shop", "registry.test/team/shop"), REFERENCE, "prod", secret="layerdoit-shop", secret_now="layerdoit-shop-1"
)

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      initContainers: [{name: migrate, image: "shop:latest"}]
      containers:
        - name: web
          image: shop
          envFrom: [{secretRef: {name: layerdoit-shop}}]
        - {name: proxy, image: "envoy:1.2"}
"""
CRONJOB = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: "registry.test/team/shop:app-0123456789ab"}]}}}}
"""


def render(*documents: str) -> Rendered:
    return manifests.render(manifests.parse("---\n".join(documents), "k8s/web.yaml"), WANTED)


def images(rendered: Rendered) -> list[str]:
    return [image for body in rendered.objects for image in manifests.images(body)]


def test_every_container_of_every_workload() -> None:
    rendered = render(DEPLOYMENT, CRONJOB)
    assert images(rendered) == [REFERENCE, REFERENCE, "envoy:1.2", REFERENCE]
    assert [one["kind"] for one in rendered.workloads] == ["Deployment"]
    assert rendered.remarks == ("applied, but not waited for: CronJob/nightly",)
    assert rendered.secrets_used
    web = rendered.objects[0]["spec"]["template"]["spec"]["containers"][0]
    assert web["envFrom"] == [{"secretRef": {"name": "layerdoit-shop-1"}}]


def test_a_list_and_a_namespace_first() -> None:
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: prod}\n"
    rendered = render(
        "apiVersion: v1\nkind: List\nitems:\n- " + DEPLOYMENT.strip().replace("\n", "\n  ") + "\n", namespace
    )
    assert [one["kind"] for one in rendered.objects] == ["Namespace", "Deployment"]


@pytest.mark.parametrize("image", ["shop:1.4", "shop@sha256:" + "b" * 64, "shop:latest@sha256:" + "b" * 64])
def test_an_image_that_is_fixed_by_hand(image: str) -> None:
    with pytest.raises(ConfigError) as caught:
        render(DEPLOYMENT.replace("image: shop\n", f"image: {image}\n"))
    assert caught.value.where == "k8s/web.yaml:10"
    assert "write `image: shop`" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DEPLOYMENT.replace("shop", "shopp"), "kubernetes: {image: shopp}"),
        ("kind: Deployment\n", "is no manifest"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a-}\n", "a ConfigMap without a name"),
        ("a: [\n", "is no YAML"),
        ("image: {{ .Values.image }}\nb: }\n", "a template of Helm is rendered by Helm"),
        (DEPLOYMENT + "---\n" + DEPLOYMENT, "Deployment/web is there twice: k8s/web.yaml:2 too"),
        (DEPLOYMENT.replace("name: web}", "name: web, namespace: other}"), "is of the namespace other"),
        ("- 1\n", "is no manifest"),
        ("", "no manifest has the image shop"),
    ],
)
def test_what_is_wrong_is_one_message(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"(?s).") as caught:
        render(text)
    assert said in str(caught.value)


def test_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "k8s/more").mkdir(parents=True)
    (tmp_path / "k8s/b.yaml").write_text(DEPLOYMENT)
    (tmp_path / "k8s/more/a.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}})
    )
    (tmp_path / "k8s/README.md").write_text("text")
    found = manifests.read(tmp_path, ["k8s"], None)
    assert [(one.title, one.where) for one in found] == [
        ("Deployment/web", "k8s/b.yaml"),
        ("Service/web", "k8s/more/a.json"),
    ]
    (tmp_path / "k8s/kustomization.yaml").write_text("resources: [b.yaml]")
    for path, said in (("k8s", "kustomize: k8s"), ("other", "other is not there")):
        with pytest.raises(ConfigError) as caught:
            manifests.read(tmp_path, [path], "layerdoit.prod.yaml:5")
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-01-01", "2024-01-01"),
        ("22:22", "22:22"),
        ("0644", 0o644),
        ("0o17", 0o17),
        ("0x1F", 31),
        ("1e3", 1000.0),
        ("1_000", 1000),
        ("-5", -5),
        ("1.5", 1.5),
        ("1.2.3", "1.2.3"),
        ("08", 8.0),
        ("on", True),
        ("~", None),
        ("'1'", "1"),
    ],
)
def test_values_are_those_that_kubectl_reads(text: str, value: Any) -> None:
    (found,) = kube_yaml.documents(f"a: {text}")
    assert found["a"] == value
    assert isinstance(found["a"], type(value))


def test_the_user_s_objects_stay_as_they_are() -> None:
    found = manifests.parse(DEPLOYMENT, "k8s/web.yaml")
    before = json.dumps([one.body for one in found])
    manifests.render(found, WANTED)
    assert json.dumps([one.body for one in found]) == before


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("shop", ("shop", "")),
        ("localhost:5000/shop", ("localhost:5000/shop", "")),
        ("localhost:5000/shop:1", ("localhost:5000/shop", ":1")),
        ("a/b@sha256:12", ("a/b", "@sha256:12")),
        ("a/b:1@sha256:12", ("a/b", "@sha256:12")),
    ],
)
def test_an_image_s_name(image: str, parts: tuple[str, str]) -> None:
    assert manifests.split(image) == parts


WORKER = (
    DEPLOYMENT.replace("name: web}", "name: worker}")
    .replace("image: shop\n", "image: shop-worker\n")
    .replace('initContainers: [{name: migrate, image: "shop:latest"}]\n      ', "")
)
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: common}\n"


def of_service(*documents: str) -> Rendered:
    found = manifests.parse("---\n".join(documents), "k8s/web.yaml")
    return manifests.render(found, replace(WANTED, names=("shop",), others=("shop-worker",)))


def test_the_workloads_of_other_services_stay_as_they_run() -> None:
    rendered = of_service(DEPLOYMENT, WORKER, CONFIG_MAP)
    assert [one["metadata"]["name"] for one in rendered.objects] == ["web", "common"]
    assert "shop-worker" not in str(rendered.objects)
    with pytest.raises(ConfigError, match="no manifest has the image shop; their images are envoy, shop-worker"):
        of_service(WORKER)


def test_a_workload_with_the_images_of_two_services() -> None:
    both = DEPLOYMENT.replace('"envoy:1.2"', '"shop-worker:latest"')
    with pytest.raises(ConfigError) as caught:
        of_service(both)
    said = str(caught.value)
    assert said.startswith("k8s/web.yaml:12: Deployment/web holds the images of two services, shop and shop-worker")
    assert "give each service a workload of its own" in said
