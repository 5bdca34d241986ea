"""A namespace of a real Kubernetes API server for each test, and a deployment in it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from layerdoit.deploy.provider import Release
from tests.support import kube_cluster
from tests.support.kube_cluster import Cluster
from tests.support.kube_node import digest
from tests.support.kube_project import Place


@pytest.fixture(scope="session")
def one_base_for_all() -> None:
    """No image is built here."""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One for all workers; skipped where its programs cannot be had."""
    programs, why = kube_cluster.ensure()
    if programs is None:
        pytest.skip(why)
    base = tmp_path_factory.getbasetemp()
    run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with kube_cluster.using(run / "kubernetes", programs) as found:
        yield found


@pytest.fixture
def place(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A project with manifests, and an empty namespace that they go to."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv("PATH", f"{cluster.programs}{os.pathsep}{os.environ['PATH']}")
    namespace = f"lt-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", namespace)
    (cluster.folder / "allowed").unlink(missing_ok=True)
    yield Place(cluster, namespace, tmp_path)
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def release() -> Callable[..., Release]:
    """`release("crash")`: one whose pods have that fate."""

    def made(fate: str = "ready", number: int = 0, **more: Any) -> Release:
        found = digest(fate, number)
        facts: Mapping[str, Any] = {"environment": "prod", "commit": f"{number:040x}", "id": str(number), **more}
        return Release(f"registry.test/shop@{found}", f"{fate}{number}".ljust(64, "0"), found, **facts)

    return made
