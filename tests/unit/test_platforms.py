"""Platforms: their names, the way to each, and what a session for one of them is about."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerdoit.config import variable_value
from layerdoit.core.errors import ConfigError, EngineError
from layerdoit.core.platform import PLATFORMS, platform_of
from layerdoit.flows.session import Session
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from tests.support import locked_workspace
from tests.support.locked_workspace import Tiny
from tests.support.server import Handler, serving


class Amd(Handler):
    """An engine on an amd64 machine."""

    def get(self) -> None:
        self.answer(200, json.dumps({"Os": "linux", "Arch": "amd64"}).encode())


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tiny]:
    socket = tmp_path / "amd.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    with serving(socket, Amd):
        yield locked_workspace.make(tmp_path / "tiny")


def session(tree: Tiny, **variables: str) -> Session:
    return Session(Run(), Project.open(tree.root, variables))


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("linux/arm64", "linux/arm64"),
        ("arm64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("arm", "linux/arm/v7"),
        ("amd64", "linux/amd64"),
    ],
)
def test_names(written: str, name: str) -> None:
    assert variable_value("PLATFORM", written) == name


@pytest.mark.parametrize("written", ["linux/arm46", "windows/amd64", "linux/", ""])
def test_unknown_names(written: str) -> None:
    with pytest.raises(ConfigError, match=r"PLATFORM") as caught:
        variable_value("PLATFORM", written)
    assert caught.value.exit_code == 2


def test_triples() -> None:
    assert [one.triple for one in PLATFORMS][:3] == [
        "x86_64-unknown-linux-gnu",
        "aarch64-unknown-linux-gnu",
        "armv7-unknown-linux-gnueabihf",
    ]
    arm = platform_of("arm64")
    assert arm is not None
    assert arm.with_library("musl") == "aarch64-unknown-linux-musl"


def test_the_engine_s_platform_is_the_default(tree: Tiny) -> None:
    plain = session(tree)
    assert plain.platforms == ("linux/amd64",)
    assert plain.project.way is None
    named = plain.on("linux/amd64")
    assert (named.engine.platform, named.engine.build_platform) == ("linux/amd64", "linux/amd64")
    assert [one.key for one in named.inputs.specs] == [one.key for one in plain.inputs.specs]
    assert named.inputs.variant == plain.inputs.variant


def test_the_configured_platforms_are_those_that_are_published(tree: Tiny) -> None:
    tree.replace("layerdoit.yaml", "toolchain:", "platforms: [amd64, arm64]\ntoolchain:")
    plain = session(tree)
    assert plain.platforms == ("linux/amd64", "linux/arm64")
    assert plain.engine.platform == "linux/amd64", "all other tasks are about the engine's"


def test_a_session_for_a_platform_stays_one(tree: Tiny) -> None:
    on = session(tree).on("linux/amd64")
    on.read_again()
    assert on.project.platform == "linux/amd64"
    assert pickle.loads(pickle.dumps(on)).project.platform == "linux/amd64"


def test_no_way_to_a_platform(tree: Tiny) -> None:
    with pytest.raises(EngineError, match="nothing here can build for linux/s390x"):
        _ = session(tree, PLATFORM="s390x").engine
