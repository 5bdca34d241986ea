"""A builder of the driver `kubernetes`. The node of the test cluster plays its pod: BuildKit runs beside that."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layerdoit.core.errors import EngineError, LayerdoitError
from layerdoit.engine import builders, handle
from layerdoit.engine.handle import Engine
from layerdoit.layers.key import Spec
from tests.engine.builder_fixture import built_on, small
from tests.support import buildkitd
from tests.support.buildkitd import buildx
from tests.support.kube_node import digest
from tests.support.kube_project import Place
from tests.support.waiting import until

__all__ = ["small"]

NAME = "pods"
ROOTLESS = ",rootless=true"
Make = Callable[..., Engine]


@pytest.fixture
def make(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """`make(fate, more)`: an engine whose builder has pods of that fate."""
    monkeypatch.setenv("KUBECONFIG", str(place.cluster.folder / "admin"))

    def new(fate: str, more: str = "") -> Engine:
        options = f"image=registry.test/buildkit@{digest(fate)},namespace={place.namespace}{more}"
        buildx("create", "--name", NAME, "--driver", "kubernetes", "--driver-opt", options)
        return Engine(NAME)

    with buildkitd.own_builders():
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
    monkeypatch.setattr(builders, "STARTS", 10.0)
    engine = make("pull", ROOTLESS)
    error = failed(lambda: engine.platform)
    assert isinstance(error, EngineError)
    assert error.what == f"builder {NAME} cannot be used: it did not start within 10 s"
    look = f"kubectl describe pods --namespace {place.namespace} --selector app={NAME}0; "
    assert (error.hint or "").startswith(look)
    assert capsys.readouterr().out.count(f"builder {NAME} is being started") == 1
    (pod,) = until(lambda: place.objects("pods"), 30, "its pod")
    assert pod["metadata"]["labels"]["app"] == f"{NAME}0", "what the hint selects"
    begun = time.monotonic()
    assert failed(lambda: engine.is_local) is error, "it is asked once"
    assert time.monotonic() - begun < 1


def test_a_build_in_a_pod(make: Make, place: Place, small: Spec, tmp_path: Path) -> None:
    """All of it goes through the API server, as the streams of a command that runs in the pod."""
    with buildkitd.running() as daemon:
        dials = [str(buildkitd.programs() / "buildctl"), "--addr", daemon.address, "dial-stdio"]
        (place.cluster.folder / "commands").write_text(json.dumps({"buildctl dial-stdio": dials}))
        assert make("ready", ROOTLESS).platform == Engine().platform
        for text in ("one", "two"):
            said, log = built_on(small, NAME, text, tmp_path / text)
            assert said == f"below{text}"
            assert f"{small.tag}=oci-layout://" in log
