"""What becomes of an engine's refusal to start a container."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from layerdoit.core.errors import DeployError
from layerdoit.engine import container
from layerdoit.engine.container import Container, NoNetwork, Spec
from layerdoit.engine.containers import Containers
from tests.support.server import Handler, serving

RUNC = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
DIED = RUNC + "waiting for init preliminary setup: read init-p: connection reset by peer: unknown"
NO_PROGRAM = RUNC + "exec: no such file or directory: unknown"
DESCRIBED = {
    "Id": "c0",
    "Name": "/web",
    "Config": {"Labels": {}},
    "State": {"Status": "running", "ExitCode": 0},
    "NetworkSettings": {},
}


@dataclass
class _Engine:
    """What it says to those who start a container: one refusal after the other, then yes."""

    refusals: list[str] = field(default_factory=list)
    starts: int = 0


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Engine]:
    said = _Engine()

    class Answers(Handler):
        def post(self) -> None:
            said.starts += 1
            if said.refusals:
                self.answer(500, json.dumps({"message": said.refusals.pop(0)}).encode())
            else:
                self.answer(204)

        def get(self) -> None:
            self.answer(200, json.dumps(DESCRIBED).encode())

    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/sock")
    with serving(tmp_path / "sock", Answers):
        yield said


def _started() -> Container:
    asked = Container("c0", "web", {}, "created", 0, {}, {}, "")
    return Containers("p", "d").start(asked, Spec("web", "image", "net", {}))


def test_a_runc_that_died_is_asked_once_more(engine: _Engine) -> None:
    engine.refusals = [DIED]
    assert _started().state == "running"
    assert engine.starts == 2


@pytest.mark.parametrize(("refusals", "starts"), [([DIED, DIED], 2), ([NO_PROGRAM], 1)])
def test_what_does_not_start_is_an_error(engine: _Engine, refusals: list[str], starts: int) -> None:
    engine.refusals = list(refusals)
    with pytest.raises(DeployError, match="could not start the container: failed to create shim task"):
        _started()
    assert engine.starts == starts


def test_a_network_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine has addresses for some thirty networks."""
    why = "could not find an available, non-overlapping IPv4 address pool"

    class Full(Handler):
        def get(self) -> None:
            found = self.path.endswith("/_ping")
            self.answer(200 if found else 404, b"OK" if found else b'{"message": "not found"}')

        def post(self) -> None:
            self.answer(500, json.dumps({"message": why}).encode())

    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/full")
    with serving(tmp_path / "full", Full), pytest.raises(NoNetwork) as caught:
        Containers("p", "d").ensure_network("layerdoit-p", internal=False)
    assert caught.value.what == f"the engine cannot make the network layerdoit-p: {why}"
    assert "docker network prune" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("state", "held"), [("running", True), ("paused", True), ("exited", False), ("created", False)]
)
def test_a_container_that_ended_with_its_engine_holds_no_port(state: str, held: bool) -> None:
    """The engine lists its ports still; somebody else may have them by now."""
    listed = {"Ports": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8081"}], "9090/tcp": None}}
    found = container.described({**DESCRIBED, "State": {"Status": state, "ExitCode": 255}, "NetworkSettings": listed})
    assert found.ports == ({8080: ("127.0.0.1", 8081)} if held else {})
