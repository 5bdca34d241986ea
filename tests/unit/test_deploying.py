"""Deploying and rolling back: rules, hooks, checks, the log, and what serves whatever fails."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerdoit import deploy as providers
from layerdoit.core import user_folder
from layerdoit.core.errors import BuildError, ConfigError, DeployError, LayerdoitError
from layerdoit.deploy import deploy_lock, release_log
from layerdoit.deploy.provider import Deployed, Held, Release, Service, Status
from layerdoit.deploy.release_log import ReleaseLog
from layerdoit.deploy.settings import DeploySettings
from layerdoit.flows import conditions, deploying, hooks, local_only, release_keeping
from layerdoit.flows.deploying import Place
from layerdoit.flows.session import Session
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from layerdoit.report import release_list

RELEASE = Release("shop:app-1", "k1")
OLD = Service("c", "api", "k0", running=True, address="192.0.2.1:81", url="https://shop.example")
NEW = replace(OLD, key="k1")
SERVES = Deployed(NEW, (("start", 0.1),), replaced=True)


class Fake:
    """A provider by hand. `steps`: what was asked of it; `results`: of each deployment, in their order."""

    needs_registry = False

    def __init__(self, *results: Deployed, status: Callable[[], Status] = lambda: Status(OLD, "healthy")) -> None:
        self.steps: list[str] = []
        self._results = list(results)
        self.status = status

    def check(self, release: Release, /) -> None:
        self.steps.append(f"check {release.key}")

    def deploy(
        self, release: Release, *, anew: bool = False, on_phase: Callable[[str], None] = lambda _: None
    ) -> Deployed:
        return self._done(f"deploy {release.key}{' anew' if anew else ''}", on_phase)

    def roll_back(self, release: Release, *, on_phase: Callable[[str], None] = lambda _: None) -> Deployed:
        return self._done(f"back to {release.key} {release.id}", on_phase)

    def _done(self, step: str, on_phase: Callable[[str], None]) -> Deployed:
        found = self._results.pop(0)
        for name, _ in found.phases[:1]:
            try:
                on_phase(name)
            except LayerdoitError as error:
                return Deployed(OLD, failed_in=name, error=error)
        self.steps.append(step)
        return found

    def destroy(self) -> bool:
        self.steps.append("destroy")
        return True

    def holds(self) -> tuple[Held, ...]:
        return ()

    def changes(self, release: Release) -> Iterator[str]:
        yield f"would deploy {release.reference}"

    def logs(self, *, follow: bool = False, tail: int | None = None, since: float | None = None) -> Iterator[str]:
        raise NotImplementedError

    def execute(self, command: Sequence[str]) -> int:
        raise NotImplementedError

    def shell(self) -> int:
        raise NotImplementedError

    def unlock(self) -> str:
        return "removed"


class FakeImages:
    """The images of an engine, by hand: each reference is its own id."""

    def __init__(self, there: Mapping[str, str]) -> None:
        self.there = dict(there)
        self.tagged: list[str] = []

    def inspect(self, reference: str) -> Mapping[str, Any] | None:
        found = self.there.get(reference)
        return None if found is None else {"Id": found}

    def tag(self, reference: str, repository: str, names: Sequence[str]) -> None:
        for name in names:
            self.there[f"{repository}:{name}"] = self.there[reference]
            self.tagged.append(f"{repository}:{name}")


class Shop:
    """A project in a folder, a session of it, and a provider by hand."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.images = FakeImages({"shop:app-1": "sha256:1", "sha256:1": "sha256:1", "shop:app-2": "sha256:2"})
        self.images.there["sha256:2"] = "sha256:2"
        step = SimpleNamespace(spec=SimpleNamespace(tag="shop:app-1", key="k1"))
        monkeypatch.setattr(Session, "engine", property(lambda _: SimpleNamespace(images=self.images)))
        monkeypatch.setattr(Session, "plan", property(lambda _: SimpleNamespace(step=lambda _name: step)))
        monkeypatch.setattr(deploying, "_recorded", lambda *_: None)
        monkeypatch.setenv("XDG_STATE_HOME", str(root / "state"))
        self.provider = Fake()
        monkeypatch.setattr(providers, "provider_with", lambda _: self.provider)
        self.write("project: shop")

    def write(self, text: str, environment: str = "") -> None:
        name = f"layerdoit.{environment}.yaml" if environment else "layerdoit.yaml"
        (self.root / name).write_text(text)

    def session(self, **variables: str) -> Session:
        return Session(Run(), Project.open(self.root, variables))

    def deploy(self, *results: Deployed, release: Release = RELEASE, **variables: str) -> bool:
        session = self.session(**variables)
        self.provider = Fake(*results)
        return deploying.deploy(session, Place.of(session), lambda: release)

    def roll_back(self, *results: Deployed, to: str | None = None, **variables: str) -> None:
        session = self.session(**variables)
        self.provider = Fake(*results)
        deploying.roll_back(session, Place.of(session), to)

    def log(self, **variables: str) -> ReleaseLog:
        return ReleaseLog(providers.settings_of(self.session(**variables).project))

    def settings(self, **variables: str) -> DeploySettings:
        return providers.settings_of(self.session(**variables).project)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(tmp_path, monkeypatch)


# --- deploying -------------------------------------------------------------------------------------------------------


def test_a_failed_build_touches_nothing_that_is_deployed(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    error = BuildError("error[E0308]: mismatched types")

    def build() -> Release:
        raise error

    session = shop.session()
    with pytest.raises(BuildError) as caught:
        deploying.deploy(session, Place.of(session), build)
    assert caught.value is error
    assert shop.provider.steps == []
    assert capsys.readouterr().err == "layerdoit: api still serves at https://shop.example\n"
    assert shop.log().entries() == ()


def test_what_failed_first_is_shown_where_nobody_knows_what_serves(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    def status() -> Status:
        raise DeployError("no answer")

    def build() -> Release:
        raise BuildError("did not build")

    shop.provider = Fake(status=status)
    session = shop.session()
    with pytest.raises(BuildError, match="did not build"):
        deploying.deploy(session, Place.of(session), build)
    assert capsys.readouterr() == ("", "")


def test_what_a_provider_remarks_is_told(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    done = Deployed(OLD, recovered=("removed one",), remarks=("two zones only",))
    assert shop.deploy(done) is False, "no phase: nothing was done"
    assert shop.provider.steps == ["check k1", "deploy k1"]
    assert capsys.readouterr().out.splitlines() == [
        "recovered: removed one",
        f"deploy  api already serves {RELEASE.reference}: healthy at https://shop.example",
        "two zones only",
    ]
    assert [one.id for one in shop.log().entries()] == ["1"], "what an earlier layerdoit deployed can be gone back to"
    shop.deploy(done)
    assert len(shop.log().entries()) == 1, "what serves already is no new release"


def test_what_a_kill_kept_from_the_log_is_checked_and_written_down(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.write("project: shop\ndeploy: {verify: 'test $LAYERDOIT_RELEASE != 3'}")
    shop.deploy(SERVES)
    capsys.readouterr()
    shop.deploy(Deployed(NEW), release=Release("shop:app-2", "k2"))
    assert "recovered: release 2 serves already; its deployment was interrupted" in capsys.readouterr().out
    assert [one.id for one in shop.log().here()] == ["1", "2"]
    with pytest.raises(hooks.HookFailed, match="release 2 serves again"):
        shop.deploy(Deployed(NEW), SERVES, release=Release("shop:app-3", "k3"))


def test_a_deployment_is_a_line_of_the_log(shop: Shop) -> None:
    shop.write("project: shop\ndeploy: {env: {A: b}, secrets: [TOKEN]}")
    (shop.root / ".env.dev").write_text("TOKEN=hunter2hunter2")
    assert shop.deploy(SERVES)
    (entry,) = shop.log().here()
    assert (entry.id, entry.key, entry.image, entry.environment, entry.outcome) == ("1", "k1", "sha256:1", "dev", "ok")
    assert entry.settings["env"] == {"A": "b"}
    assert shop.log().serving() == entry
    assert shop.images.tagged == ["shop:release-shop-1"]
    state = "".join(path.read_text(errors="replace") for path in user_folder.state().rglob("*") if path.is_file())
    assert "hunter2" not in state
    assert all(path.stat().st_mode & 0o077 == 0 for path in user_folder.state().rglob("*.jsonl"))


def test_a_failure_is_in_the_log_and_does_not_serve(shop: Shop) -> None:
    shop.deploy(SERVES)
    failed = Deployed(OLD, (("start", 0.1),), failed_in="healthy", error=DeployError("it ended"))
    with pytest.raises(DeployError, match="it ended"):
        shop.deploy(failed, release=Release("shop:app-2", "k2"))
    assert [(one.id, one.outcome, one.failed_in) for one in shop.log().here()] == [
        ("1", "ok", None),
        ("2", "failed", "healthy"),
    ]
    serving = shop.log().serving()
    assert serving is not None
    assert serving.id == "1"


def test_environments_have_names_and_releases_of_their_own(shop: Shop) -> None:
    shop.write("deploy: {port: 1}", "staging")
    shop.deploy(SERVES)
    shop.deploy(SERVES, ENV="staging")
    assert [(one.environment, one.deployment, one.id) for one in shop.log().entries()] == [
        ("dev", "shop", "1"),
        ("staging", "shop-staging", "1"),
    ]
    assert shop.settings(ENV="staging").source != shop.settings().source


# --- hooks -----------------------------------------------------------------------------------------------------------

HOOKS = """
project: shop
hooks:
  before_deploy: echo "before $LAYERDOIT_IMAGE $LAYERDOIT_RELEASE" >> said
  after_deploy: ['echo "after $LAYERDOIT_URL $LAYERDOIT_ENVIRONMENT" >> said']
  on_failure: echo "failed $LAYERDOIT_ERROR" >> said
"""


def said(shop: Shop) -> list[str]:
    path = shop.root / "said"
    return path.read_text().splitlines() if path.exists() else []


def test_hooks_run_around_a_deployment(shop: Shop) -> None:
    shop.write(HOOKS)
    shop.deploy(SERVES)
    assert said(shop) == ["before shop:app-1 1", "after https://shop.example dev"]


def test_the_release_before_a_rollback_is_the_one_that_served(shop: Shop) -> None:
    shop.deploy(SERVES)
    shop.write("project: shop\nhooks: {after_deploy: echo $LAYERDOIT_IMAGE $LAYERDOIT_PREVIOUS_IMAGE >> said}")
    shop.deploy(SERVES, release=Release("shop:app-2", "k2"))
    shop.roll_back(Deployed(OLD, (("start", 0.1),)))
    assert said(shop) == ["shop:app-2 shop:app-1", "shop:release-shop-1 shop:app-2"]


def test_hooks_do_not_run_where_nothing_is_deployed(shop: Shop) -> None:
    shop.write(HOOKS)
    shop.deploy(Deployed(OLD))
    assert said(shop) == []


def test_a_failing_hook_before_changes_nothing(shop: Shop) -> None:
    shop.write("project: shop\nhooks:\n  before_deploy: 'exit 3'\n  on_failure: echo $LAYERDOIT_ERROR >> said\n")
    with pytest.raises(hooks.HookFailed, match="before_deploy ended with exit code 3: exit 3") as caught:
        shop.deploy(SERVES)
    assert caught.value.where == "layerdoit.yaml:3"
    assert shop.provider.steps == ["check k1"]
    assert said(shop)[0].startswith("the hook before_deploy ended")


# --- checks ----------------------------------------------------------------------------------------------------------


def test_a_release_that_fails_its_checks_is_rolled_back(shop: Shop) -> None:
    shop.deploy(SERVES)
    shop.write("project: shop\ndeploy: {verify: 'test $LAYERDOIT_RELEASE != 2'}")
    with pytest.raises(hooks.HookFailed, match="release 1 serves again"):
        shop.deploy(SERVES, Deployed(OLD, (("start", 0.1),)), release=Release("shop:app-2", "k2"))
    assert shop.provider.steps == ["check k2", "deploy k2", "back to k1 1"]
    assert [one.outcome for one in shop.log().here()] == ["ok", "rolled back"]


def test_a_first_release_that_fails_its_checks_is_removed(shop: Shop) -> None:
    shop.write("project: shop\ndeploy: {verify: [test a = b]}")
    with pytest.raises(hooks.HookFailed, match="had no release before: it was removed"):
        shop.deploy(replace(SERVES, replaced=False))
    assert shop.provider.steps[-1] == "destroy"
    assert shop.log().serving() is None


def test_what_another_machine_deployed_is_not_removed(shop: Shop) -> None:
    shop.write("project: shop\ndeploy: {verify: [test a = b]}")
    with pytest.raises(hooks.HookFailed, match="does not have what served before"):
        shop.deploy(SERVES)
    assert "destroy" not in shop.provider.steps
    # What served before there was a log, and was left alone, is nobody's to remove either.
    with pytest.raises(hooks.HookFailed, match="does not have what served before"):
        shop.deploy(Deployed(OLD))
    assert "destroy" not in shop.provider.steps


def test_where_the_way_back_fails_too_it_is_said(shop: Shop) -> None:
    shop.deploy(SERVES)
    shop.write("project: shop\ndeploy: {verify: 'false'}")
    with pytest.raises(hooks.HookFailed, match="release 2 serves on, for release 1 could not be restored: no engine"):
        shop.deploy(SERVES, Deployed(OLD, error=DeployError("no engine")), release=Release("shop:app-2", "k2"))


# --- rolling back ----------------------------------------------------------------------------------------------------


def test_rolling_back_goes_to_the_release_before_with_its_settings(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write("project: shop\ndeploy: {env: {A: one}}")
    shop.deploy(SERVES)
    shop.write("project: shop\ndeploy: {env: {A: two}}")
    shop.deploy(SERVES, release=Release("shop:app-2", "k2"))
    made: list[DeploySettings] = []

    def provider_with(settings: DeploySettings) -> Fake:
        made.append(settings)
        return shop.provider

    monkeypatch.setattr(providers, "provider_with", provider_with)
    shop.roll_back(Deployed(OLD, (("start", 0.1),)))
    assert shop.provider.steps == ["back to k1 1"]
    assert made[-1].env == {"A": "one"}
    serving = shop.log().serving()
    assert serving is not None
    assert (serving.id, serving.kind) == ("1", "rollback")
    assert shop.images.there["shop:latest"] == "sha256:1"


def test_two_rollbacks_go_two_releases_back(shop: Shop) -> None:
    for number in ("1", "2", "3"):
        shop.images.there |= {f"shop:app-{number}": f"sha256:{number}", f"sha256:{number}": f"sha256:{number}"}
        shop.deploy(SERVES, release=Release(f"shop:app-{number}", f"k{number}"))
        # The image of the plan is the one that was deployed.
        entry = shop.log().here()[-1]
        assert entry.id == number
    back = Deployed(OLD, (("start", 0.1),))
    shop.roll_back(back)
    assert shop.provider.steps == ["back to k2 2"]
    shop.roll_back(back)
    assert shop.provider.steps == ["back to k1 1"]
    with pytest.raises(DeployError, match="has no release before"):
        shop.roll_back(back)
    shop.roll_back(back, to="3")
    assert shop.provider.steps == ["back to k3 3"]


def test_an_image_that_is_gone_cannot_be_gone_back_to(shop: Shop) -> None:
    shop.deploy(SERVES)
    shop.deploy(SERVES, release=Release("shop:app-2", "k2"))
    shop.images.there.clear()
    with pytest.raises(DeployError, match="release 1 cannot be restored: this engine no longer has its image"):
        shop.roll_back(Deployed(OLD))
    assert shop.provider.steps == []


def test_an_unknown_release_lists_the_known_ones(shop: Shop) -> None:
    shop.deploy(SERVES)
    with pytest.raises(ConfigError, match='no good release "7"') as caught:
        shop.roll_back(to="7")
    assert caught.value.hint == "known releases: 1"


def test_a_log_that_a_kill_cut_short_is_read(shop: Shop) -> None:
    shop.deploy(SERVES)
    (path,) = user_folder.state().rglob("*.jsonl")
    path.write_text(path.read_text() + '{"id": "2", "at')
    assert [one.id for one in shop.log().here()] == ["1"]


@pytest.mark.parametrize("word", ["1", "sha256:1", "k1k1", "c0ff"])
def test_a_release_is_named_by_number_commit_key_or_digest(shop: Shop, word: str) -> None:
    shop.deploy(SERVES)
    entry = replace(shop.log().here()[0], commit="c0ffee", key="k1k1k1", digest="sha256:1")
    if word == "sha256:1":
        word = "sha256:1234"
        entry = replace(entry, digest="sha256:1234567")
    assert release_log.named([entry], word, "shop") == entry


def test_the_last_good_releases_of_each_environment_are_kept(shop: Shop) -> None:
    shop.deploy(SERVES)
    (one,) = shop.log().here()
    many = [replace(one, id=str(number), key=f"k{number}") for number in range(1, 9)]
    many += [replace(one, environment="prod", deployment="shop-prod", key="p1")]
    many += [replace(one, id="9", key="k9", outcome="failed")]
    assert [entry.id for entry in release_log.kept(many) if entry.environment == "dev"] == ["4", "5", "6", "7", "8"]
    assert [entry.key for entry in release_log.kept(many) if entry.environment == "prod"] == ["p1"]
    # Going back makes a release one of the last again.
    many.append(replace(many[0], kind="rollback"))
    assert [entry.id for entry in release_log.kept(many) if entry.environment == "dev"] == ["5", "6", "7", "8", "1"]


def test_what_was_removed_is_kept_no_longer(shop: Shop) -> None:
    shop.deploy(SERVES)
    (one,) = shop.log().here()
    assert release_log.kept([one]) == (one,)
    assert release_log.kept([one, replace(one, kind="destroy")]) == ()
    assert release_log.kept([one, replace(one, kind="destroy"), replace(one, id="2")]) == (replace(one, id="2"),)


def test_settings_survive_the_log(shop: Shop) -> None:
    more = "volumes: ['vol:/v'], secrets: {T: echo t}"
    shop.write(f"project: shop\ndeploy: {{port: 80, args: [a, b], health: {{path: /, status: [204]}}, {more}}}")
    settings = shop.settings()
    stored = json.loads(json.dumps(release_keeping.as_json(settings.config)))
    shop.deploy(SERVES)
    entry = replace(shop.log().here()[0], settings=stored)
    assert release_keeping.settings_then(settings, entry).config == settings.config


# --- rules -----------------------------------------------------------------------------------------------------------


def repository(root: Path, *commands: str) -> None:
    for command in ("init -qb main", "add -A", "commit -qm one --allow-empty", *commands):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *command.split()], cwd=root, check=True)


def ruled(shop: Shop, rules: str) -> Project:
    shop.write(f"project: shop\nenvironments:\n  prod: {{{rules}}}\n")
    (shop.root / ".gitignore").write_text("state\n.layerdoit\n")
    return shop.session(ENV="prod").project


def test_a_clean_tree_is_required(shop: Shop) -> None:
    project = ruled(shop, "require: [clean]")
    repository(shop.root)
    conditions.check(project)
    (shop.root / "new.rs").touch()
    with pytest.raises(DeployError, match=r"prod requires a clean tree.*: new\.rs") as caught:
        conditions.check(project)
    assert caught.value.where == "layerdoit.yaml:3"


def test_a_pushed_commit_is_required(shop: Shop, tmp_path: Path) -> None:
    project = ruled(shop, "require: [pushed]")
    repository(shop.root, "init -q --bare state/remote", "remote add origin ./state/remote")
    with pytest.raises(DeployError, match="no branch of a remote has this one"):
        conditions.check(project)
    repository(shop.root, "push -q origin main")
    conditions.check(project)
    repository(shop.root, "commit -qm two --allow-empty")
    with pytest.raises(DeployError, match="pushed"):
        conditions.check(project)


def test_a_branch_is_required(shop: Shop) -> None:
    project = ruled(shop, "require: [branch: main, branch: release/*]")
    repository(shop.root)
    conditions.check(project)
    repository(shop.root, "checkout -qb release/1")
    conditions.check(project)
    repository(shop.root, "checkout -qb topic")
    with pytest.raises(DeployError, match=r"from main or release/\*, and this is topic") as caught:
        conditions.check(project)
    assert caught.value.hint == "git switch main"


def test_rules_need_a_repository(shop: Shop) -> None:
    with pytest.raises(DeployError, match="no git repository"):
        conditions.check(ruled(shop, "require: [clean]"))


def test_a_rule_that_is_not_kept_stops_before_anything(shop: Shop) -> None:
    ruled(shop, "require: [clean]")
    with pytest.raises(DeployError, match="no git repository"):
        shop.deploy(SERVES, ENV="prod")
    assert shop.provider.steps == []


@pytest.mark.parametrize(("answer", "steps"), [(True, 2), (False, 1), (None, 1)])
def test_what_asks_first(shop: Shop, monkeypatch: pytest.MonkeyPatch, answer: bool | None, steps: int) -> None:
    ruled(shop, "confirm: true")
    asked: list[str] = []

    def confirm(text: str) -> bool | None:
        asked.append(text)
        return answer

    monkeypatch.setattr(conditions, "confirm", confirm)
    if answer:
        shop.deploy(SERVES, ENV="prod")
    else:
        with pytest.raises(conditions.Declined, match="nothing was changed"):
            shop.deploy(SERVES, ENV="prod")
    assert (asked, len(shop.provider.steps)) == (["deploy to prod?"], steps)


def test_yes_answers(shop: Shop) -> None:
    ruled(shop, "confirm: true")
    shop.deploy(SERVES, ENV="prod", YES="1")
    assert shop.provider.steps == ["check k1", "deploy k1"]


def test_an_environment_must_be_named_where_that_is_asked_for(shop: Shop) -> None:
    shop.write("project: shop\nenvironments: {require_environment: true, prod: {}}")
    with pytest.raises(ConfigError, match="name the environment") as caught:
        shop.deploy(SERVES)
    assert caught.value.hint == "one of ENV=dev, ENV=prod"
    assert caught.value.where == "layerdoit.yaml:2"
    shop.deploy(SERVES, ENV="dev")


# --- around ----------------------------------------------------------------------------------------------------------


def test_only_one_deploys_at_a_time(shop: Shop) -> None:
    settings = shop.settings()
    assert deploy_lock.holder(settings) is None
    with deploy_lock.held(settings):
        told = deploy_lock.holder(settings)
        assert told is not None
        assert f"{deploy_lock.who()} deploys shop" in told
    assert deploy_lock.holder(settings) is None


def test_the_line_that_starts_the_image_by_hand(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write(
        "project: shop\ndeploy: {port: 80, publish: 8080, env: {A: 'b c'}, secrets: [TOKEN], volumes: ['vol:/v'],"
        " args: [serve], memory: 1GB, cpus: 0.5}"
    )
    monkeypatch.setenv("TOKEN", "hunter2hunter2")
    said = local_only.command(shop.settings(), "shop:latest")
    assert said == [
        *("docker", "run", "--rm", "-p", "127.0.0.1:8080:80", "-v", "vol:/v", "-e", "A=b c", "-e", "TOKEN"),
        *("--memory", "1000000000", "--cpus", "0.5", "shop:latest", "serve"),
    ]


def test_releases_are_listed(shop: Shop) -> None:
    assert "no releases yet" in release_list.table(release_list.of(shop.session()))
    shop.deploy(SERVES)
    with pytest.raises(DeployError):
        shop.deploy(Deployed(OLD, failed_in="healthy", error=DeployError("it ended")), release=Release("x", "k2"))
    lines = release_list.table(release_list.of(shop.session())).splitlines()
    assert lines[0] == "shop, environment dev; * serves"
    assert "failed in healthy: it ended" in lines[2]
    assert lines[3].startswith("*  1")
    listed = release_list.as_json(release_list.of(shop.session()))
    assert [(one["id"], one["serves"], one["kept"]) for one in listed["releases"]] == [
        ("1", True, True),
        ("2", False, False),
    ]
