"""Groups of CI logs."""

from __future__ import annotations

import pytest

from layerdoit.core.errors import BuildError
from layerdoit.engine import groups


def test_github_folds_between_its_commands() -> None:
    github = {"GITHUB_ACTIONS": "true", "GITLAB_CI": "false"}
    assert groups.begin("deps", "deps: building", github, 7) == "::group::deps: building"
    assert groups.end("deps", github, 7) == "::endgroup::"


def test_gitlab_folds_between_its_sections() -> None:
    gitlab = {"GITLAB_CI": "true"}
    assert groups.begin("shop:deps", "shop:deps: building", gitlab, 7) == (
        "\x1b[0Ksection_start:7:layerdoit_shop_deps\r\x1b[0Kshop:deps: building"
    )
    assert groups.end("shop:deps", gitlab, 9) == "\x1b[0Ksection_end:9:layerdoit_shop_deps\r\x1b[0K"


def test_elsewhere_nothing_folds() -> None:
    assert groups.begin("deps", "deps", {"GITHUB_ACTIONS": ""}, 7) == groups.end("deps", {}, 7) == ""


def test_a_group_ends_before_the_error_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with pytest.raises(BuildError), groups.group("deps", "deps: building"):
        raise BuildError("it did not build")
    assert capsys.readouterr().err == "::group::deps: building\n::endgroup::\n"
