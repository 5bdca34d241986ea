"""Which version is published: VERSION, a tag of git, Cargo.toml; and where images go."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.core.errors import ConfigError
from layerdoit.project.project import Project
from layerdoit.publish import place, pulled_check, release_facts
from layerdoit.publish.pulled_check import Check
from layerdoit.publish.release_facts import Commit
from tests.support.files import write

MANIFEST = '[package]\nname = "shop"\nversion = "1.4.0"\nedition = "2021"\n'
LOCK = 'version = 3\n\n[[package]]\nname = "shop"\nversion = "1.4.0"\n'


def project(folder: Path, config: str = "", manifest: str = MANIFEST, **variables: str) -> Project:
    write(
        folder,
        {"Cargo.toml": manifest, "Cargo.lock": LOCK, "src/main.rs": "fn main() {}", "layerdoit.yaml": config},
    )
    return Project.open(folder, variables)


def test_the_version_is_given_else_of_git_else_of_cargo(tmp_path: Path) -> None:
    def found(*tags: str, manifest: str = MANIFEST, **variables: str) -> str:
        return str(release_facts.version_of(project(tmp_path, manifest=manifest, **variables), Commit("c", tags)))

    assert found() == "1.4.0"
    assert found("v1.4.0", "nightly") == "1.4.0"
    assert found("shop-v1.4.0", "other-2.0.0") == "1.4.0"
    assert found("v2.0.0", VERSION="v3.0.0-rc.1") == "3.0.0-rc.1"
    assert found("v2.0.0", "v2.1.0", manifest=MANIFEST.replace("1.4.0", "0.0.0")) == "2.1.0"
    with pytest.raises(ConfigError, match=r"says version 2\.0\.0, and the package shop says 1\.4\.0") as caught:
        found("v2.0.0")
    assert caught.value.where == "Cargo.toml:3"
    assert "VERSION=2.0.0" in str(caught.value.hint)
    with pytest.raises(ConfigError, match=r"VERSION: expected a version such as 1\.4\.0"):
        found(VERSION="1.4")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("publish: {repository: r.example/team/shop}\nimage: {repository: r.example/x}", "r.example/team/shop"),
        ("image: {repository: 'localhost:5000/shop'}\nregistry: {repository: r.example/l}", "localhost:5000/shop"),
        ("image: {repository: team/shop}\nregistry: {repository: r.example/layers}", "r.example/layers"),
    ],
)
def test_where_images_go(tmp_path: Path, config: str, expected: str) -> None:
    assert place.of(project(tmp_path, config)) == expected


def test_without_a_registry_there_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing says where images are pushed") as caught:
        place.of(project(tmp_path, "project: x\nimage:\n  repository: team/shop"))
    assert caught.value.where == "layerdoit.yaml:3"


def test_what_is_checked(tmp_path: Path) -> None:
    def checks(config: str) -> tuple[Check, ...]:
        return pulled_check.of_app(project(tmp_path, config).config)

    assert checks("") == (Check(("--version",), must=False),)
    assert checks("image: {smoke: [\"a 'b c'\"]}") == (Check(("a", "b c"), must=True),)
    assert checks("image: {smoke: [a]}\npublish: {check: [b]}") == (Check(("b",), must=True),)
    assert checks("publish: {check: []}") == ()


def test_another_version_than_is_published_is_noticed() -> None:
    assert pulled_check.other_version("shop 1.3.9", "1.4.0") == "1.3.9"
    assert pulled_check.other_version("shop 1.4.0 (abc)", "1.4.0+build") == ""
    assert pulled_check.other_version("starts", "1.4.0") == ""
