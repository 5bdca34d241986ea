"""Settings of registries: what is public is keyed and sent, what is a login goes to the download alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.node import npmrc

TOKEN = "planted-4b1e"


@pytest.mark.parametrize(
    ("line", "public"),
    [
        ("registry=https://a/", True),
        ("@scope:registry = https://a/", True),
        ("save-exact=true", True),
        ("//a/:_authToken=${NPM_TOKEN}", False),
        ("//a/:_authToken=abc", False),
        ("_auth=abc", False),
        ("//a/:_password=abc", False),
        ("//a/:username=me", False),
        ("registry=https://me:pw@a/", False),
        ("cafile=/home/me/ca.pem", False),
        ("# //a/:_authToken=abc", False),
    ],
)
def test_a_line_of_npmrc_is_public_or_not(line: str, public: bool) -> None:
    assert bool(npmrc.public("web/.npmrc", f"{line}\n")) is public


def test_a_login_of_yarn_is_not_public() -> None:
    text = f"nodeLinker: node-modules\nnpmScopes:\n  a:\n    npmRegistryServer: https://a\n    npmAuthToken: {TOKEN}\n"
    found = npmrc.public(".yarnrc.yml", text)
    assert TOKEN not in found
    assert "https://a" in found
    assert "node-modules" in found


@given(st.lists(st.sampled_from([f"//a/:_authToken={TOKEN}", f"_password={TOKEN}", "registry=https://a", "x=1"])))
def test_no_login_is_ever_public(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    assert TOKEN not in npmrc.public(".npmrc", text)


def test_variables_are_filled_in_on_this_machine(tmp_path: Path) -> None:
    files = {"web/.npmrc": "registry=https://a/\n//a/:_authToken=${NPM_TOKEN}\n//b/:_authToken=${OTHER_TOKEN}\n"}
    found = npmrc.logins(files, {"HOME": str(tmp_path), "NPM_TOKEN": TOKEN})
    assert f"//a/:_authToken={TOKEN}" in found.npmrc
    assert TOKEN in found.secrets
    assert found.unset == ("OTHER_TOKEN",)
    assert "registry=" not in found.npmrc


def test_the_user_s_own_file_counts_as_far_as_it_says_where_packages_come_from(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text(f"registry=https://a/\n//a/:_authToken={TOKEN}\ncache=/home/me\ncolor=false\n")
    found = npmrc.logins({}, {"HOME": str(tmp_path)})
    assert found.npmrc == f"registry=https://a/\n//a/:_authToken={TOKEN}\n"


def test_the_file_that_the_environment_names_counts_instead(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text("registry=https://no/\n")
    (tmp_path / "ci").write_text("//a/:_authToken=${NODE_AUTH_TOKEN}\n")
    environment = {"HOME": str(tmp_path), "NPM_CONFIG_USERCONFIG": str(tmp_path / "ci"), "NODE_AUTH_TOKEN": TOKEN}
    assert npmrc.logins({}, environment).npmrc == f"//a/:_authToken={TOKEN}\n"


def test_settings_of_the_environment_are_settings(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "npm_config_registry": "https://a/", "npm_config_cache": "/x"}
    assert npmrc.logins({}, environment).npmrc == "registry=https://a/\n"


def test_yarn_s_logins_come_from_its_files_and_variables(tmp_path: Path) -> None:
    (tmp_path / ".yarnrc.yml").write_text("npmRegistryServer: https://a\nenableColors: false\n")
    text = "nodeLinker: pnp\nnpmAuthToken: ${NPM_TOKEN-}\n"
    found = npmrc.logins({".yarnrc.yml": text}, {"HOME": str(tmp_path), "NPM_TOKEN": TOKEN})
    assert found.yarnrc == f"npmAuthToken: {TOKEN}\nnpmRegistryServer: https://a\n"
    assert found.secrets == (TOKEN,)
