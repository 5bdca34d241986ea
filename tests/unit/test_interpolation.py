"""Variables in deploy.env: what is filled in, and what is refused, never the literal text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from layerdoit.config import Deploy
from layerdoit.core.errors import ConfigError
from layerdoit.deploy.docker.deployment import DockerProvider
from layerdoit.deploy.interpolation import filled
from layerdoit.deploy.provider import Release
from layerdoit.deploy.settings import DeploySettings

KNOWN = {"HOST": "db", "PORT": "5432", "EMPTY": ""}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("plain", "plain"),
        ("${HOST}", "db"),
        ("postgres://${HOST}:${PORT}/shop", "postgres://db:5432/shop"),
        ("${UNSET:-default}", "default"),
        ("${UNSET:-}", ""),
        ("${EMPTY:-default}", "default"),
        ("${EMPTY-default}", ""),
        ("${EMPTY}", ""),
        ("${UNSET:-a:-b}", "a:-b"),
        ("${UNSET:-${HOST}:${OTHER:-1}}", "db:1"),
        ("${HOST:-${NOBODY}}", "db"),
        ("$$HOST and $${HOST}", "$HOST and ${HOST}"),
        ("$2b$12$/x costs 5$", "$2b$12$/x costs 5$"),
        ("two\nlines ${UNSET:-a\nb}", "two\nlines a\nb"),
    ],
)
def test_what_is_filled_in(written: str, expected: str) -> None:
    assert filled(written, KNOWN, "deploy.env.A", None) == expected


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("${UNSET}", "the variable UNSET is not set"),
        ("${A:-${UNSET}}", "the variable UNSET is not set"),
        ("${HOST", "is not closed"),
        ("${}", "is no variable"),
        ("${HOST:+x}", "is no variable"),
        ("${a b}", "is no variable"),
        ("x $HOST", r"\$\{HOST\} for the variable, or \$\$HOST"),
    ],
)
def test_what_is_refused(written: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        filled(written, KNOWN, "deploy.env.A", "layerdoit.yaml:3")
    assert caught.value.where == "layerdoit.yaml:3"


def test_a_deployment_fills_in_what_this_machine_and_the_file_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDT_HOST", "db")
    (tmp_path / ".env").write_text("LDT_HOST=file\nLDT_PORT=81\n")
    env = {"URL": "http://${LDT_HOST}:${LDT_PORT}", "MISSING": "${LDT_NOBODY}"}
    where = {"deploy.env.MISSING": "layerdoit.yaml:7"}
    made = DeploySettings(Deploy(env={"URL": env["URL"]}, env_file=".env"), "api", "shop", tmp_path)
    assert made.env["URL"] == "http://db:81"
    monkeypatch.setenv("LDT_HOST", "other")
    assert replace(made).digest() != made.digest(), "another value is another container"
    with pytest.raises(ConfigError, match="LDT_NOBODY is not set") as caught:
        DockerProvider(replace(made, config=Deploy(env=env, env_file=".env"), where=where)).check(Release("i", "k"))
    assert caught.value.where == "layerdoit.yaml:7"
