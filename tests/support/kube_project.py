"""A project that is deployed to the test cluster."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from layerdoit.config import Config, Deploy
from layerdoit.config.deploy_section import Kubernetes
from layerdoit.deploy.kubernetes.cluster import KubernetesProvider
from layerdoit.deploy.settings import DeploySettings
from tests.support.kube_cluster import Cluster

WORKLOAD: Final = """\
apiVersion: apps/v1
kind: {kind}
metadata: {{name: {name}}}
spec:
  {more}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: main
          image: shop
          {container}
"""
SERVICE: Final = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""


def workload(kind: str = "Deployment", name: str = "web", more: str = "replicas: 2", container: str = "") -> str:
    """A manifest of a workload with the project's image."""
    return WORKLOAD.format(kind=kind, name=name, more=more, container=container)


@dataclass(frozen=True)
class Place:
    """A namespace, and a project's folder with manifests for it."""

    cluster: Cluster
    namespace: str
    root: Path

    def write(self, *documents: str) -> None:
        """The manifests."""
        folder = self.root / "k8s"
        folder.mkdir(exist_ok=True)
        (folder / "web.yaml").write_text("---\n".join(documents))

    def settings(self, deadline: float = 120.0, context: str = "lab", **more: Any) -> DeploySettings:
        """The settings of a deployment. `more`: of the section deploy."""
        kubernetes = Kubernetes(context=context, namespace=self.namespace, manifests=("k8s",), deadline=deadline)
        deploy = Deploy(provider="kubernetes", kubernetes=kubernetes, **more)
        where = {"deploy.kubernetes.context": "layerdoit.prod.yaml:4", "deploy.secrets": "layerdoit.prod.yaml:7"}
        return DeploySettings(
            deploy, "shop-prod", "shop", self.root, where=where, environment="prod", whole=Config(deploy=deploy)
        )

    def provider(self, deadline: float = 120.0, context: str = "lab", **more: Any) -> KubernetesProvider:
        """A deployment."""
        return KubernetesProvider(self.settings(deadline, context, **more))

    def objects(self, kinds: str) -> list[Any]:
        """What there is in the namespace."""
        return self.cluster.objects(self.namespace, kinds)

    def image(self, kind: str = "deployment", name: str = "web") -> str:
        """The image that a workload is to have."""
        body = json.loads(self.kubectl("get", f"{kind}/{name}", "--output=json"))
        return str(body["spec"]["template"]["spec"]["containers"][0]["image"])

    def kubectl(self, *words: str, fine: bool = True) -> str:
        """As a user without layerdoit."""
        return self.cluster.kubectl("--namespace", self.namespace, *words, fine=fine)

    def ready_images(self) -> set[str]:
        """The images of the pods that serve."""
        return {
            pod["spec"]["containers"][0]["image"]
            for pod in self.objects("pods")
            if any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions") or ())
            and not pod["metadata"].get("deletionTimestamp")
        }
