"""One watch of a deployment at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from layerdoit.core.errors import DeployError
from layerdoit.project.project import Project
from layerdoit.watch import sole

SERVICES = "services: {api: {bins: [a]}, worker: {bins: [b]}}\n"


def opened(root: Path, text: str = "") -> Project:
    (root / "layerdoit.yaml").write_text(f"project: shop\n{text}", encoding="utf-8")
    return Project.open(root, {})


def test_a_second_watch_is_refused_with_who_has_it(tmp_path: Path) -> None:
    project = opened(tmp_path)
    with sole.held([project]):
        with pytest.raises(DeployError) as caught, sole.held([project]):
            pass
        said = str(caught.value)
        assert said.startswith(f"another watch keeps shop in {tmp_path} (process {os.getpid()}, begun ")
        assert "next: end that one first; or watch in a worktree" in said
    with sole.held([project]):
        pass


def test_services_of_a_project_may_be_watched_apart_and_one_twice_in_a_command_is_one(tmp_path: Path) -> None:
    project = opened(tmp_path, SERVICES)
    api, worker = project.of_service("api"), project.of_service("worker")
    with (
        sole.held([api, api]),
        sole.held([worker]),
        pytest.raises(DeployError, match="another watch keeps shop-api"),
        sole.held([project]),
    ):
        pass
