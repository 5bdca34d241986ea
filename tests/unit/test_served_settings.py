"""What the settings of a page are: its own, what is meant for all, and what it has by default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from layerdoit.config import Config
from layerdoit.project.project import Project

TEXT = """
project: shop
components: {web: {path: web}}
image: {user: www, cmd: [serve], env: {A: top}, smoke: [--version], labels: {of: all}}
deploy:
  args: [--verbose]
  env: {DATABASE: here}
  secrets: [TOKEN]
  volumes: [data:/data]
  port: 9000
  health: {command: [shop, check]}
  gap: none
base: {runtime_packages: [curl]}
services:
  page: {serve: web%s}
"""


def page(folder: Path, more: str = "", top: str = "", **variables: str) -> Config:
    (folder / "layerdoit.yaml").write_text(TEXT % more + top)
    return Project.open(folder, variables).services["page"].config


def test_what_the_top_says_of_programs_is_not_meant(tmp_path: Path) -> None:
    config = page(tmp_path)
    assert (config.deploy.port, config.deploy.health.path, config.deploy.health.command) == (8080, "/", None)
    assert (config.deploy.args, config.deploy.env, config.deploy.secrets, config.deploy.volumes) == ((), {}, {}, ())
    assert (config.image.cmd, config.image.env, config.image.smoke) == ((), {}, ())
    assert (config.image.user, config.image.labels, config.deploy.gap) == ("www", {"of": "all"}, "none")
    assert config.base.runtime_packages == ("curl", "nginx", "brotli", "libnginx-mod-http-brotli-static")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (", port: 81", {"port": 81, "path": "/"}),
        (", health: /about", {"port": 8080, "path": "/about"}),
        (", deploy: {health: {timeout: 5}}", {"port": 8080, "path": "/", "timeout": 5}),
        (", deploy: {health: {tcp: true}}", {"port": 8080, "path": None, "tcp": True}),
    ],
)
def test_its_own_word_is_the_last(tmp_path: Path, more: str, expected: dict[str, Any]) -> None:
    deploy = page(tmp_path, more).deploy
    found = {name: getattr(deploy.health, name) for name in expected if name != "port"}
    assert {"port": deploy.port, **found} == expected


def test_a_variable_is_laid_over(tmp_path: Path) -> None:
    assert page(tmp_path, PORT="82").deploy.port == 82


def test_a_suite_without_the_module(tmp_path: Path) -> None:
    (tmp_path / "layerdoit.yaml").write_text(
        "project: shop\nbase: {suite: bullseye}\ncomponents: {web: {}}\nservices: {page: {serve: web}}\n"
    )
    config = Project.open(tmp_path, {}).services["page"].config
    assert config.base.runtime_packages == ("nginx", "brotli")
