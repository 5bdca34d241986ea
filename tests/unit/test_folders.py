"""Folders of the image that its user owns: which they are, how they are made, and which nobody but root may enter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from layerdoit.core.errors import ConfigError
from layerdoit.dockerfile import folders
from layerdoit.project import question
from layerdoit.project.inputs import Inputs
from layerdoit.project.project import Project
from layerdoit.project.snapshot import Tree
from tests.support.scratch import make_crate


@pytest.mark.parametrize(
    ("user", "workdir", "volumes", "made"),
    [
        ("app", "/srv", (), ("/srv",)),
        ("1000:1000", "/srv/", ("data:/var/lib/x", "data2:/a/b:ro"), ("/a/b", "/srv", "/var/lib/x")),
        ("app", "/", ("./data:/data", "/host/file:/etc/file", "~/x:/y"), ()),
        ("app", "/tmp", ("d1:/usr/local/bin", "d2:/dev/x"), ()),
        ("app", "/app", ("d1:/app/data", "d2:/app/./data"), ("/app", "/app/data")),
        ("root", "/srv", ("data:/data",), ()),
        ("0:0", "/srv", (), ()),
    ],
)
def test_what_the_user_owns(user: str, workdir: str, volumes: tuple[str, ...], made: tuple[str, ...]) -> None:
    assert folders.owned(user, workdir, volumes) == made


def test_they_come_from_the_context_and_what_is_above_them_stays() -> None:
    owned = ("/srv", "/var/lib/x")
    assert folders.staged(owned) == ["folders/0/srv", "folders/1/x"]
    assert folders.instructions(owned, "app", "\\") == [
        'COPY --chown=app ["folders/0/", "/"]',
        'COPY --chown=app ["folders/1/", "/var/lib/"]',
    ]


@pytest.fixture
def inputs(tmp_path: Path) -> Callable[[str], Inputs]:
    root = make_crate(tmp_path, "hello").folder

    def read(text: str) -> Inputs:
        (root / "layerdoit.yaml").write_text(text)
        project = Project.open(root, {})
        return Inputs(Tree(project), question.build(project, "linux/amd64"))

    return read


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("image:\n  workdir: /root\n", "image.workdir"),
        ("image:\n  workdir: /root/x/\n", "image.workdir"),
        ("deploy:\n  volumes:\n    - data:/root/data\n", "deploy.volumes"),
    ],
)
def test_a_folder_that_only_root_may_enter_is_one_message(
    inputs: Callable[[str], Inputs], text: str, setting: str
) -> None:
    with pytest.raises(ConfigError, match="may not enter /root") as caught:
        _ = inputs(text).specs
    assert caught.value.what.startswith(f"{setting}: the user app")
    assert caught.value.where == "layerdoit.yaml:2"


def test_they_are_in_the_key(inputs: Callable[[str], Inputs]) -> None:
    plain = inputs("").specs[-1]
    more = inputs("deploy:\n  volumes: [data:/data]\n").specs[-1]
    bound = inputs("deploy:\n  volumes: [./data:/data]\n").specs[-1]
    assert plain.key != more.key
    assert plain.key == bound.key
    root = inputs("image:\n  user: root\n  workdir: /root\n").specs[-1]
    assert "image folders" not in root.inputs


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("image: {entrypoint: /opt/start.sh, assets: {docker: /opt}}", "docker/start.sh is not executable"),
        ("image: {entrypoint: /opt/other.sh, assets: {docker: /opt}}", "the image has no /opt/other.sh"),
        ("image: {entrypoint: /opt/start.sh, assets: {docker: /opt}}\nbase: {runtime_image: x}", "not executable"),
        ("image: {entrypoint: /opt/other.sh}\nbase: {runtime_image: x}", None),
        ("image: {entrypoint: /bin/sh}", None),
    ],
)
def test_what_is_started_in_the_place_of_a_binary_can_be_started(
    inputs: Callable[[str], Inputs], tmp_path: Path, text: str, problem: str | None
) -> None:
    one = inputs(text)
    script = one.project.root / "docker/start.sh"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    if problem is None:
        assert one.settings["entrypoint"] == one.script
        assert one.entrypoint == "hello", "the smoke test runs the binary"
        return
    with pytest.raises(ConfigError, match=problem) as caught:
        _ = one.specs
    assert caught.value.where == "layerdoit.yaml:1"
    if "executable" in problem:
        script.chmod(0o755)
        assert one.settings["entrypoint"] == "/opt/start.sh"
