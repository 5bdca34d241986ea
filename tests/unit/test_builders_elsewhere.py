"""Builders that are not the engine's own: what stands in a Dockerfile, and what is said of one that does not answer."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from layerdoit.config.builders_section import native
from layerdoit.core import command_errors, process
from layerdoit.core.errors import EngineError
from layerdoit.dockerfile.named_images import named
from layerdoit.engine.builder_platform import pods, silent
from layerdoit.engine.buildx import Build, failure
from layerdoit.engine.handle import Engine
from layerdoit.engine.progress import Report

DOCKERFILE = """\
ARG OS=debian:trixie-slim
ARG TRIED=${RUNTIME}
ARG RUNTIME
FROM ${OS} AS os
FROM os AS builder
COPY --from=tools:1 /bin/x /bin/
COPY --from=os /etc /etc
FROM ${TRIED}
COPY --from=0 /a /a
FROM scratch
"""


def test_the_images_that_a_dockerfile_names() -> None:
    assert named(DOCKERFILE, {"RUNTIME": "app:runtime-1", "TRIED": "app:runtime-2"}) == (
        *("debian:trixie-slim", "tools:1", "app:runtime-2"),
    )
    assert named(DOCKERFILE, {"OS": "own:1", "OTHER": "x"})[0] == "own:1"


def test_a_remote_builder_that_nobody_answers_for(tmp_path: Path) -> None:
    def written(address: str, driver: str = "remote") -> str:
        return json.dumps({"Driver": driver, "Nodes": [{"Endpoint": address}]})

    place = tmp_path / "socket"
    assert silent(written(f"unix://{place}")) == f"nothing answers at unix://{place} (No such file or directory)"
    assert silent(written(f"unix://{place}", "docker-container")) == ""
    assert (silent(""), silent("[]")) == ("", "")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        server.listen()
        assert silent(written(f"unix://{place}")) == ""


def test_where_to_look_for_pods_that_do_not_come_up() -> None:
    nodes = [{"Name": "k0", "DriverOpts": {"namespace": "ci"}}, {"Name": "k1", "DriverOpts": None}]
    written = json.dumps({"Driver": "kubernetes", "Nodes": nodes})
    look = "kubectl describe pods --namespace ci --selector app=k0; kubectl describe pods --selector app=k1"
    assert (pods(written), pods(written.replace("kubernetes", "remote"))) == (look, "")


def test_a_builder_that_does_not_start_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float | None] = []

    def late(argv: list[str], *, seconds: float | None = None) -> bytes:
        asked.append(seconds)
        raise command_errors.TookTooLong("late")

    monkeypatch.setattr(process, "capture_quick", late)
    engine = Engine("slow")
    for ask in (lambda: engine.platform, lambda: engine.is_local):
        with pytest.raises(EngineError, match="builder slow cannot be used: it did not start within 300 s"):
            ask()
    assert asked == [300.0]


def test_a_builder_that_goes_in_the_middle_is_named(tmp_path: Path) -> None:
    said = "failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF"
    build = Build("app", tmp_path / "Dockerfile", tmp_path, [], {}, builder="farm")
    error = failure(build, Report(errors=[f"ERROR: {said}"]), tmp_path / "log")
    assert isinstance(error, EngineError)
    assert error.what == f"builder farm was gone while app was built: {said}"


@pytest.mark.parametrize(
    ("platform", "name"), [("linux/arm64", "far"), ("linux/amd64", "near"), ("linux/riscv64", None)]
)
def test_the_builder_of_a_platform(platform: str, name: str | None) -> None:
    assert native({"arm64": "far", "linux/amd64": "near"}, platform) == name
