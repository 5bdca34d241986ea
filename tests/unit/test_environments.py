"""Environments: which is meant, what is laid over what, which names are its own, and where secrets come from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from layerdoit.config import environments
from layerdoit.core import masking
from layerdoit.core.errors import ConfigError
from layerdoit.deploy import secret_values
from layerdoit.deploy.settings import settings_of
from layerdoit.front import variables as front_variables
from layerdoit.project.project import Project


def opened(root: Path, **variables: str) -> Project:
    return Project.open(root, variables)


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        (root / ("layerdoit.yaml" if name == "all" else f"layerdoit.{name}.yaml")).write_text(text)


# --- which one -------------------------------------------------------------------------------------------------------


def test_without_a_word_it_is_dev_and_nothing_changes(tmp_path: Path) -> None:
    write(tmp_path, all="project: shop\nprofile: release", prod="deploy: {port: 1}")
    project = opened(tmp_path)
    assert (project.environment, project.config.named, project.tags) == ("dev", False, ("latest",))
    assert settings_of(project).name == "shop"
    assert settings_of(project).source == "layerdoit.yaml"
    assert [path.name for path in project.config.source] == ["layerdoit.yaml"]


def test_dev_may_have_a_file_too(tmp_path: Path) -> None:
    write(tmp_path, all="project: shop", dev="profile: release")
    assert opened(tmp_path).config.profile == "release"
    assert opened(tmp_path, ENV="dev").config == opened(tmp_path).config


def test_the_file_of_an_environment_is_laid_over_and_variables_over_both(tmp_path: Path) -> None:
    write(
        tmp_path,
        all="project: shop\nprofile: release\ndeploy: {port: 80, env: {A: all, B: all}}",
        staging="profile: fast\ndeploy: {env: {B: staging}}\nregistry: {repository: here/shop}",
    )
    config = opened(tmp_path, ENV="staging", PORT="81").config
    assert (config.profile, config.registry.repository) == ("fast", "here/shop")
    assert config.deploy.env == {"A": "all", "B": "staging"}
    assert config.deploy.port == 81
    assert config.where["deploy.env.B"] == "layerdoit.staging.yaml:2"
    over = tmp_path / "over.yaml"
    over.write_text("profile: dev")
    assert opened(tmp_path, ENV="staging", CONFIG=str(over)).config.profile == "dev"


def test_an_unknown_one_lists_the_known_ones(tmp_path: Path) -> None:
    write(tmp_path, all="environments: {prod: {}}", staging="")
    with pytest.raises(ConfigError, match='no environment "stagin"') as caught:
        opened(tmp_path, ENV="stagin")
    assert 'did you mean "staging"? known environments: dev, prod, staging' in str(caught.value)
    assert "write layerdoit.stagin.yaml" in str(caught.value)


def test_the_default_can_be_named(tmp_path: Path) -> None:
    write(tmp_path, all="project: shop\nenvironments: {default: local}", local="profile: release", dev="profile: fast")
    assert (opened(tmp_path).environment, opened(tmp_path).config.profile) == ("local", "release")
    assert settings_of(opened(tmp_path)).name == "shop"
    assert settings_of(opened(tmp_path, ENV="dev")).name == "shop-dev"


@pytest.mark.parametrize("text", ["default: prod", "default: shop\n  shop: {confirm: true}"])
def test_nothing_named_never_means_production(tmp_path: Path, text: str) -> None:
    write(tmp_path, all=f"environments:\n  {text}\n")
    with pytest.raises(ConfigError, match="must be asked for") as caught:
        opened(tmp_path)
    assert caught.value.where == "layerdoit.yaml:2"
    name = text.split()[1]
    assert opened(tmp_path, ENV=name).environment == name


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("environments: [prod]", 1, "expected a mapping of environments to rules"),
        ("environments:\n  Prod: {}", 2, '"Prod" is no name of an environment'),
        ("environments:\n  prod: [clean]", 2, "environments.prod: expected rules, such as"),
        ("environments:\n  prod: {requires: [clean]}", 2, 'unknown key "requires"'),
        ("environments:\n  prod: {require: [cleann]}", 2, "environments.prod.require[0]: expected clean, pushed"),
        ("environments:\n  prod: {require: [branch: [a]]}", 2, "expected clean, pushed, or branch"),
        ("environments:\n  prod: {confirm: 3}", 2, "environments.prod.confirm: expected true or false"),
        ("environments: {default: A b}", 1, "environments.default: expected the name of an environment"),
    ],
)
def test_rules_that_are_wrong(tmp_path: Path, text: str, line: int, words: str) -> None:
    write(tmp_path, all=text)
    with pytest.raises(ConfigError) as caught:
        opened(tmp_path)
    assert words in str(caught.value)
    assert caught.value.where == f"layerdoit.yaml:{line}"


def test_rules_belong_where_all_can_be_seen(tmp_path: Path) -> None:
    write(tmp_path, all="", prod="profile: release\nenvironments: {prod: {confirm: true}}")
    with pytest.raises(ConfigError, match="belong in layerdoit") as caught:
        opened(tmp_path, ENV="prod")
    assert caught.value.where == "layerdoit.prod.yaml:2"


def test_rules_are_read(tmp_path: Path) -> None:
    write(tmp_path, all="environments:\n  prod: {require: [clean, pushed, branch: main, branch: r/*], confirm: true}")
    config = opened(tmp_path).config
    rules = environments.rules(config.environments, "prod")
    assert rules == environments.Rules(("clean", "pushed", "branch=main", "branch=r/*"), True)
    assert environments.conditions(rules.require) == ({"clean", "pushed"}, ["main", "r/*"])
    assert environments.rules(config.environments, "dev") == environments.Rules()


@pytest.mark.parametrize(
    ("value", "meant"), [("staging", "staging"), ("/root/.shinit", None), ("$HOME/.shrc", None), ("", None)]
)
def test_env_before_the_command(value: str, meant: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A POSIX shell has an ENV of its own: the path of a file."""
    monkeypatch.setenv("ENV", value)
    assert front_variables.variables().get("ENV") == meant


def test_the_command_line_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENV", "staging")
    monkeypatch.setattr(front_variables, "typed_variables", lambda: {"ENV": "prod"})
    assert front_variables.variables() == {"ENV": "prod"}


# --- names -----------------------------------------------------------------------------------------------------------


def test_two_environments_share_no_name(tmp_path: Path) -> None:
    write(tmp_path, all="project: shop\nimage: {tags: [latest, v1]}\ndeploy: {name: web}", prod="profile: release")
    dev, prod = opened(tmp_path), opened(tmp_path, ENV="prod")
    assert (dev.tags, prod.tags) == (("latest", "v1"), ("prod",))
    assert (settings_of(dev).name, settings_of(prod).name) == ("web", "web-prod")
    assert settings_of(prod).source == "layerdoit.prod.yaml ENV=prod"
    assert settings_of(prod).environment == "prod"


def test_an_environment_names_what_is_its_own(tmp_path: Path) -> None:
    write(tmp_path, all="project: shop", prod="image: {tags: [live]}\ndeploy: {name: shop-live}")
    prod = opened(tmp_path, ENV="prod")
    assert (prod.tags, settings_of(prod).name) == (("live",), "shop-live")


def test_an_environment_cannot_take_a_tag_of_dev(tmp_path: Path) -> None:
    write(tmp_path, all="project: shop", prod="profile: release\nimage: {tags: [prod, latest]}")
    with pytest.raises(ConfigError, match='"latest" is a tag of the default environment') as caught:
        opened(tmp_path, ENV="prod")
    assert caught.value.where == "layerdoit.prod.yaml:2"


def test_production_is_the_same_from_every_worktree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Project, "worktree", "feature")
    write(tmp_path, all="project: shop", prod="")
    assert settings_of(opened(tmp_path)).name == "shop-feature"
    assert settings_of(opened(tmp_path, ENV="prod")).name == "shop-prod"
    assert opened(tmp_path, ENV="prod").tags == ("prod",)


def test_files_of_environments_are_no_sources(tmp_path: Path) -> None:
    write(tmp_path, all="", prod="")
    (tmp_path / "Cargo.toml").touch()
    files = opened(tmp_path).lister.files
    assert "Cargo.toml" in files
    assert not [name for name in files if name.startswith("layerdoit")]


def test_local_only_pushes_nothing(tmp_path: Path) -> None:
    write(tmp_path, all="registry: {repository: r/s, push: [base, deps]}")
    assert opened(tmp_path).config.registry.push == ("base", "deps")
    assert opened(tmp_path, LOCAL_ONLY="1").config.registry.push == ()
    assert opened(tmp_path, LOCAL_ONLY="1").local_only
    assert not opened(tmp_path, LOCAL_ONLY="0").local_only


def test_local_only_still_pulls_what_others_push(tmp_path: Path) -> None:
    write(tmp_path, all="registry: {repository: r/s, push: [base, deps, app, artefacts]}")
    assert opened(tmp_path, LOCAL_ONLY="1").config.registry.pulled == {"base", "deps", "app", "artefacts"}
    write(tmp_path, all="registry: {repository: r/s, push: [base, app], pull: []}")
    assert opened(tmp_path, LOCAL_ONLY="1").config.registry.pulled == frozenset()
    write(tmp_path, all="registry: {push: [app]}")
    given = opened(tmp_path, LOCAL_ONLY="1", REGISTRY="r/s").config.registry
    assert given.pulled == {"base", "deps", "app"}


@pytest.mark.parametrize("settings", ["project: shop", "registry: {push: [app]}", "registry: {strict: true}"])
def test_local_only_needs_no_registry(tmp_path: Path, settings: str) -> None:
    write(tmp_path, all=settings)
    assert opened(tmp_path, LOCAL_ONLY="1").config.registry.push == ()


def test_another_manifest_is_another_release(tmp_path: Path) -> None:
    write(
        tmp_path, all="project: shop", prod="deploy: {provider: kubernetes, kubernetes: {manifests: [k8s, one.yaml]}}"
    )
    (tmp_path / "k8s").mkdir()
    digests = [settings_of(opened(tmp_path, ENV="prod")).digest()]
    for name in ("k8s/web.yaml", "one.yaml"):
        (tmp_path / name).write_text("kind: Deployment")
        digests.append(settings_of(opened(tmp_path, ENV="prod")).digest())
    assert len(set(digests)) == 3
    assert settings_of(opened(tmp_path, ENV="prod")).digest() == digests[-1]


# --- secrets ---------------------------------------------------------------------------------------------------------


def secrets(root: Path, **variables: str) -> dict[str, str]:
    return dict(settings_of(opened(root, **variables)).secrets)


def test_secrets_come_from_the_environment_a_file_or_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, all="project: shop", prod="deploy: {secrets: {A_WORD: , B_WORD: , C_WORD: echo from a command}}")
    (tmp_path / ".env.prod").write_text("A_WORD=from the file\nB_WORD=from the file\n")
    monkeypatch.setenv("A_WORD", "from the environment")
    monkeypatch.setenv("C_WORD", "not asked")
    assert secrets(tmp_path, ENV="prod") == {
        "A_WORD": "from the environment",
        "B_WORD": "from the file",
        "C_WORD": "from a command",
    }
    assert masking.redact("it is from a command") == masking.redact("it is from the file") == "it is ***"


def test_a_secret_that_lacks_is_named(tmp_path: Path) -> None:
    write(tmp_path, all="project: shop\ndeploy:\n  secrets: [DATABASE_WORD]")
    with pytest.raises(ConfigError, match="DATABASE_WORD has no value for the environment dev") as caught:
        secrets(tmp_path)
    assert caught.value.where == "layerdoit.yaml:3"


def test_a_command_that_fails_is_named(tmp_path: Path) -> None:
    write(tmp_path, all="project: shop\ndeploy:\n  secrets: {A_WORD: 'echo no such item >&2; exit 4'}")
    with pytest.raises(ConfigError, match=r"deploy\.secrets\.A_WORD: its command failed") as caught:
        secrets(tmp_path)
    assert "no such item" in str(caught.value)


def test_git_must_ignore_the_file_of_secrets(tmp_path: Path) -> None:
    write(tmp_path, all="project: shop\ndeploy: {secrets: [A_WORD]}")
    (tmp_path / ".env.dev").write_text("A_WORD=hunter2hunter2")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    with pytest.raises(ConfigError, match="git does not ignore it") as caught:
        secrets(tmp_path)
    assert caught.value.where == ".env.dev"
    (tmp_path / ".gitignore").write_text(".env.*\n")
    assert secrets(tmp_path) == {"A_WORD": "hunter2hunter2"}
    # What is committed already is not ignored, whatever .gitignore says.
    subprocess.run(["git", "add", "-f", ".env.dev"], cwd=tmp_path, check=True)
    with pytest.raises(ConfigError, match="git does not ignore it"):
        secrets(tmp_path)


def test_the_fingerprint_tells_a_change_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "one"))
    first = secret_values.fingerprint({"A": "1"})
    assert first == secret_values.fingerprint({"A": "1"}) != secret_values.fingerprint({"A": "2"})
    assert (tmp_path / "one/layerdoit/secrets.key").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "two"))
    assert secret_values.fingerprint({"A": "1"}) != first


@pytest.mark.parametrize(
    "text", ["deploy: {secrets: DATABASE}", "deploy: {secrets: [a b]}", "deploy: {secrets: {A: [x]}}"]
)
def test_secrets_that_are_wrong(tmp_path: Path, text: str) -> None:
    write(tmp_path, all=text)
    with pytest.raises(ConfigError, match=r"deploy\.secrets"):
        opened(tmp_path)
