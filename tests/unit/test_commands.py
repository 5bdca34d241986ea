"""The user's own commands as a provider: run by a real shell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from layerdoit.config import Config, Deploy, Registry
from layerdoit.config.deploy_section import Commands
from layerdoit.core.errors import ConfigError, DeployError
from layerdoit.deploy.commands import CommandProvider
from layerdoit.deploy.provider import Release
from layerdoit.deploy.release_entry import Entry
from layerdoit.deploy.settings import DeploySettings

RELEASE = Release("here/shop@sha256:2", "k2", "sha256:2", "prod", "c0ffee", "2")
BEFORE = Entry("1", 0.0, "prod", "shop-prod", "command", "here/shop@sha256:1", "k1", "sha256:1")


def provider(root: Path, last: Entry | None = None, **commands: Any) -> CommandProvider:
    given = {"deploy": 'echo "$LAYERDOIT_IMAGE after $LAYERDOIT_PREVIOUS_IMAGE" >> done', **commands}
    config = Deploy(provider="command", command=Commands(**given))
    where = {f"deploy.command.{name}": f"layerdoit.prod.yaml:{at}" for at, name in enumerate(given, 3)}
    where["deploy.provider"] = "layerdoit.prod.yaml:2"
    made = DeploySettings(config, "shop-prod", "shop", root, where=where, serving=lambda: last, environment="prod")
    return CommandProvider(made)


def done(root: Path) -> list[str]:
    path = root / "done"
    return path.read_text().splitlines() if path.exists() else []


def test_the_command_gets_the_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    variables = ["IMAGE", "DIGEST", "KEY", "COMMIT", "RELEASE", "ENVIRONMENT", "PREVIOUS_IMAGE"]
    command = " ".join(f"$LAYERDOIT_{name}" for name in variables)
    found = provider(tmp_path, BEFORE, deploy=f"echo {command}").deploy(RELEASE)
    assert found.error is None
    assert found.replaced
    assert found.service is not None
    assert (found.service.release, found.service.commit) == ("2", "c0ffee")
    assert capsys.readouterr().out == "here/shop@sha256:2 sha256:2 k2 c0ffee 2 prod here/shop@sha256:1\n"


def test_the_command_knows_which_service_it_is_about(tmp_path: Path) -> None:
    whole = provider(tmp_path, deploy='echo "service=$LAYERDOIT_SERVICE" >> done')
    for part in ("", "api"):
        assert CommandProvider(replace(whole.settings, part=part)).deploy(RELEASE).error is None
    assert done(tmp_path) == ["service=", "service=api"]


def test_without_a_command_nothing_can_be_deployed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"needs deploy\.command\.deploy") as caught:
        provider(tmp_path, deploy=None).check(RELEASE)
    assert caught.value.where == "layerdoit.prod.yaml:2"


def test_what_serves_is_left_alone_where_its_status_is_good(tmp_path: Path) -> None:
    made = provider(tmp_path, status="true")
    same = replace(BEFORE, key="k2", started_with=made.settings.digest())
    made = provider(tmp_path, same, status="true")
    assert made.deploy(RELEASE).phases == ()
    assert done(tmp_path) == []
    assert made.deploy(RELEASE, anew=True).phases
    assert provider(tmp_path, same, status="false || exit 3").deploy(RELEASE).error is not None


def test_a_failure_runs_the_rollback(tmp_path: Path) -> None:
    made = provider(tmp_path, BEFORE, deploy="exit 7", rollback='echo "back to $LAYERDOIT_IMAGE" >> done')
    phases: list[str] = []
    found = made.deploy(RELEASE, on_phase=phases.append)
    assert str(found.error).startswith("layerdoit.prod.yaml:3: deploy.command.deploy ended with exit code 7: exit 7")
    assert found.service is not None
    assert found.service.key == "k1"
    assert phases == ["command", "rollback"]
    assert done(tmp_path) == ["back to here/shop@sha256:1"]


def test_a_release_that_is_not_healthy_is_a_failure(tmp_path: Path) -> None:
    found = provider(tmp_path, BEFORE, status="echo 2 of 3 are up >&2; exit 1").deploy(RELEASE)
    assert str(found.error).startswith("shop-prod is not healthy: 2 of 3 are up")
    assert found.service is not None
    assert found.service.key == "k1"


def test_a_rollback_that_fails_too_is_said(tmp_path: Path) -> None:
    found = provider(tmp_path, BEFORE, deploy="exit 7", rollback="exit 8").deploy(RELEASE)
    assert "could not be restored: deploy.command.rollback ended with exit code 8" in str(found.error)
    assert found.service is None


def test_going_back_without_a_command_for_it_deploys_the_old_release(tmp_path: Path) -> None:
    assert provider(tmp_path, BEFORE).roll_back(BEFORE.release).error is None
    assert done(tmp_path) == ["here/shop@sha256:1 after here/shop@sha256:1"]


def test_status_says_what_it_does_not_know(tmp_path: Path) -> None:
    assert provider(tmp_path).status().health == "not deployed"
    assert provider(tmp_path, BEFORE).status().health == "not known: deploy.command.status is not set"
    assert provider(tmp_path, BEFORE, status="true").status().health == "healthy"


def test_logs_get_what_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = provider(tmp_path, BEFORE, logs='echo "$LAYERDOIT_FOLLOW $LAYERDOIT_TAIL $LAYERDOIT_SINCE"')
    assert list(made.logs(follow=True, tail=5, since=60.0)) == []
    assert capsys.readouterr().out == "1 5 60.0\n"
    with pytest.raises(DeployError, match="exit code 1"):
        list(provider(tmp_path, BEFORE, logs="exit 1").logs())
    with pytest.raises(ConfigError, match=r"deploy\.command\.logs is not set"):
        list(provider(tmp_path, BEFORE).logs())


def test_changes_without_a_command_for_them_show_what_would_run(tmp_path: Path) -> None:
    lines = list(provider(tmp_path, BEFORE).changes(RELEASE))
    assert "  LAYERDOIT_IMAGE=here/shop@sha256:2" in lines
    assert list(provider(tmp_path, BEFORE, changes="echo a; echo b").changes(RELEASE)) == ["a", "b"]


def test_secrets_are_variables_of_the_command_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_WORD", "hunter2hunter2")
    made = provider(tmp_path, deploy='echo "it is $API_WORD" > done; echo "$API_WORD"')
    settings = replace(made.settings, config=Deploy(command=made.settings.config.command, secrets={"API_WORD": None}))
    assert CommandProvider(settings).deploy(RELEASE).error is None
    assert done(tmp_path) == ["it is hunter2hunter2"]


def test_a_registry_gives_digests(tmp_path: Path) -> None:
    made = provider(tmp_path)
    assert not made.needs_registry
    whole = Config(registry=Registry(repository="here/shop"))
    assert CommandProvider(replace(made.settings, whole=whole)).needs_registry
