"""A builder of the driver `kubernetes`: its pod is played by the node of the test cluster, so that nothing is built."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layerdoit.core.errors import EngineError, LayerdoitError
from layerdoit.engine import builders, handle
from layerdoit.engine.handle import Engine
from tests.support.buildkitd import buildx
from tests.support.kube_node import digest
from tests.support.kube_project import Place

NAME = "pods"
Make = Callable[..., Engine]


@pytest.fixture
def make(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """`make(fate, more)`: an engine whose builder has pods of that fate."""
    monkeypatch.setenv("KUBECONFIG", str(place.cluster.folder / "admin"))
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path / "buildx"))

    def new(fate: str, more: str = "") -> Engine:
        options = f"image=registry.test/buildkit@{digest(fate)},namespace={place.namespace}{more}"
        buildx("create", "--name", NAME, "--driver", "kubernetes", "--driver-opt", options)
        return Engine(NAME)

    yield new
    buildx("rm", NAME)


def failed(ask: Callable[[], object]) -> LayerdoitError:
    with pytest.raises(LayerdoitError) as caught:
        ask()
    return caught.value


def test_a_cluster_that_refuses_the_pod_says_why(make: Make) -> None:
    error = failed(lambda: make("ready").platform)
    assert error.what.startswith(f"builder {NAME} cannot be used: error while calling deploymentClient.Create")
    assert error.what.endswith("privileged: Forbidden: disallowed by cluster policy")


def test_a_pod_that_does_not_come_up(
    make: Make, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(handle, "QUIET", 1.0)
    monkeypatch.setattr(builders, "STARTS", 4.0)
    engine = make("pull", ",rootless=true")
    error = failed(lambda: engine.platform)
    assert isinstance(error, EngineError)
    assert error.what == f"builder {NAME} cannot be used: it did not start within 4 s"
    look = f"kubectl describe pods --namespace {place.namespace} --selector app={NAME}0; "
    assert (error.hint or "").startswith(look)
    assert capsys.readouterr().out.count(f"builder {NAME} is being started") == 1
    (pod,) = place.objects("pods")
    assert pod["metadata"]["labels"]["app"] == f"{NAME}0", "what the hint selects"
    begun = time.monotonic()
    assert failed(lambda: engine.is_local) is error, "it is asked once"
    assert time.monotonic() - begun < 1
