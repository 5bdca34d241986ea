"""Providers: how they are found, what they are made from, what of theirs cache clearing leaves; Docker's three ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from layerdoit import config as configuration
from layerdoit import deploy
from layerdoit.cache import levels
from layerdoit.cache.model import ImageUse, Usage
from layerdoit.cache.usage import with_held
from layerdoit.config import Deploy, Health
from layerdoit.core.doing import Doing, heard_by
from layerdoit.core.errors import ConfigError, DeployError
from layerdoit.deploy import docker
from layerdoit.deploy.docker import health, ways
from layerdoit.deploy.docker.case import Cause
from layerdoit.deploy.docker.deployment import DockerProvider
from layerdoit.deploy.docker.sockets import Elsewhere
from layerdoit.deploy.provider import Held, Provider, ProviderModule, Release
from layerdoit.deploy.settings import DeploySettings, settings_of
from layerdoit.engine.container import Container
from layerdoit.engine.removal import Holder
from layerdoit.project.project import Project

SETTINGS = DeploySettings(Deploy(port=8080, env={"A": "1", "B": "2"}), "api", "shop", Path("/shop"))
RELEASE = Release("shop:app-1", "k1")


def changed(**changes: Any) -> DeploySettings:
    return replace(SETTINGS, config=replace(SETTINGS.config, **changes))


# --- the dictionary --------------------------------------------------------------------------------------------------


def test_docker_is_a_provider_module() -> None:
    """mypy compares the two; a `cast` stands between them where they are found."""
    module: ProviderModule = docker
    made: Provider = DockerProvider(SETTINGS)
    assert deploy.module("docker") is module
    assert type(module.provider(SETTINGS)) is type(made)


@pytest.mark.parametrize("name", deploy.PROVIDERS)
def test_every_provider_keeps_the_interface(name: str) -> None:
    module = deploy.module(name)
    made = module.provider(SETTINGS)
    asked = [word for word in vars(Provider) if not word.startswith("_")]
    assert len(asked) == 12
    assert [word for word in asked if not hasattr(made, word)] == []
    assert isinstance(made.needs_registry, bool)
    assert len(module.PHASES) == len(set(module.PHASES)) > 0
    assert set(module.PHASES) <= set(deploy.phases())


# --- settings --------------------------------------------------------------------------------------------------------


def test_the_digest_sees_what_a_service_is_started_with() -> None:
    same = changed(env={"B": "2", "A": "1"}, health=Health(timeout=5, path="/x"))
    assert same.digest() == SETTINGS.digest()
    assert replace(SETTINGS, root=Path("/elsewhere")).digest() == SETTINGS.digest()
    changes: list[Mapping[str, Any]] = [{"env": {"A": "2"}}, {"port": 81}, {"publish": 9}, {"bind": "::"}]
    changes += [{"args": ("x",)}, {"volumes": ("v:/v",)}, {"network": "n"}, {"stop_grace": 1.0}]
    digests = {SETTINGS.digest(), *(changed(**change).digest() for change in changes)}
    digests.add(replace(SETTINGS, name="web").digest())
    assert len(digests) == len(changes) + 2


def test_the_name_that_was_asked_for_counts_as_it_is_used() -> None:
    assert changed(name="API").digest() == SETTINGS.digest()


def test_volumes_relative_to_the_project(tmp_path: Path) -> None:
    given = ("./data:/data:ro", "named:/data", "/srv:/data")
    made = replace(changed(volumes=given), root=tmp_path)
    assert made.volumes == (f"{tmp_path}/data:/data:ro", "named:/data", "/srv:/data")


def test_variables_of_a_file(tmp_path: Path) -> None:
    lines = ["# all", "", "A=1", "export B = two words # not this", "C='a#b'", 'D="x\\ny"  # told', "E=", "F=a=b#c"]
    (tmp_path / ".env").write_text("\n".join(lines))
    made = replace(changed(env={"A": "own"}, env_file=".env"), root=tmp_path)
    assert made.env == {"A": "own", "B": "two words", "C": "a#b", "D": "x\ny", "E": "", "F": "a=b#c"}
    # What it says counts, not how it is called.
    assert made.digest() == changed(env=made.env).digest()


def test_a_file_of_variables_that_cannot_be_read(tmp_path: Path) -> None:
    made = replace(changed(env_file=".env"), root=tmp_path, where={"deploy.env_file": "layerdoit.yaml:4"})
    with pytest.raises(ConfigError, match=r'"\.env" cannot be read: No such file') as caught:
        DockerProvider(made).check(RELEASE)
    assert caught.value.where == "layerdoit.yaml:4"
    (tmp_path / ".env").write_text("A=1\nB\n")
    with pytest.raises(ConfigError, match="no line NAME=value") as caught:
        DockerProvider(made).check(RELEASE)
    assert caught.value.where == ".env:2"


@pytest.mark.parametrize(
    ("worktree", "name", "expected"),
    [(None, None, "shop"), ("feature", None, "shop-feature"), ("feature", "Web", "web"), (None, "a.b", "a.b")],
)
def test_the_name_of_a_deployment(
    worktree: str | None, name: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Project, "worktree", worktree)
    text = "project: shop\n" + (f"deploy:\n  name: {name}\n" if name else "")
    (tmp_path / configuration.FILE).write_text(text)
    made = settings_of(Project.open(tmp_path, {}))
    assert (made.name, made.project, made.root) == (expected, "shop", tmp_path.resolve())


def test_the_host_network_is_refused() -> None:
    with pytest.raises(ConfigError, match="network: host"):
        DockerProvider(changed(network="host")).check(RELEASE)
    DockerProvider(SETTINGS).check(RELEASE)


# --- a container that ends -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "about_arguments"), [(2, True), (1, False), (101, False)])
def test_a_program_that_was_called_wrongly_is_told_where_its_arguments_stand(code: int, about_arguments: bool) -> None:
    ended = replace(container(), state="exited", exit_code=code)
    engine = Mock(**{"inspect.return_value": ended, "log_tail.return_value": ["Usage: api <COMMAND>"]})
    with pytest.raises(DeployError) as caught:
        health.Health(SETTINGS, engine).wait("c")
    assert ("deploy.args" in (caught.value.hint or "")) is about_arguments


def test_while_it_is_waited_for_the_last_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["GET /health answered 503", "GET /health answered 503", None]
    checked = health.Health(changed(health=Health(path="/health")), Mock(**{"inspect.return_value": container()}))
    monkeypatch.setattr(checked.checks, "candidate_problem", lambda *_: answers.pop(0))
    monkeypatch.setattr(checked, "_pause", lambda *_: None)
    heard: list[Doing] = []
    with heard_by(heard.append):
        checked.wait("c")
    assert heard == [Doing("waiting until it is healthy: GET /health answered 503")] * 2


def test_while_it_is_waited_for_it_is_told_where_it_listens_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["port 8080: Connection refused", None]
    checked = health.Health(SETTINGS, Mock(**{"inspect.return_value": container()}))
    monkeypatch.setattr(checked.checks, "candidate_problem", lambda *_: answers.pop(0))
    monkeypatch.setattr(checked, "elsewhere", lambda _: Elsewhere(Cause("it listens on port 3000", "")))
    monkeypatch.setattr(checked, "_pause", lambda *_: None)
    monkeypatch.setattr(health, "GROWS_AFTER", -1)
    heard: list[Doing] = []
    with heard_by(heard.append):
        checked.wait("c")
    (told,) = heard
    assert told.words.endswith("port 8080: Connection refused; it listens on port 3000")


# --- ways to start ---------------------------------------------------------------------------------------------------


def container(settings: DeploySettings = SETTINGS, way: str = "moved") -> Container:
    labels = {"io.layerdoit.way": way, "io.layerdoit.config": settings.digest()}
    return Container("c", "api", labels, "running", 0, {"layerdoit-shop": "172.18.0.2"}, {8080: ("127.0.0.1", 8081)})


def test_a_port_that_nothing_holds_needs_no_detour() -> None:
    assert ways.choose(None, 8081, SETTINGS) == "plain"
    assert ways.choose(container(), 8082, SETTINGS) == "plain"
    assert ways.choose(container(), None, SETTINGS) == "plain"


def test_a_port_that_the_old_one_holds_is_changed_over() -> None:
    assert ways.choose(container(), 8081, SETTINGS) == "moved"


@pytest.mark.parametrize("settings", [changed(network="mine"), changed(isolated_start=False)])
def test_a_service_that_needs_its_network_is_tried_on_it(settings: DeploySettings) -> None:
    assert ways.choose(container(settings), 8081, settings) == "again"


def test_what_was_found_to_need_its_network_is_remembered_with_its_settings() -> None:
    old = container(way="again")
    assert ways.choose(old, 8081, SETTINGS) == "again"
    assert ways.choose(old, 8081, changed(env={})) == "moved"


# --- what is held ----------------------------------------------------------------------------------------------------

IMAGES = (
    ImageUse("i1", "app", "k1", ("shop:app-1",), runtime="r1"),
    ImageUse("i2", "app", "k2", ("shop:app-2",), others=("mine:2",), runtime="r2"),
    ImageUse("i3", "app", "k2", ()),
    ImageUse("d1", "deps", "k1", ("shop:deps-1",)),
    ImageUse("r1", "runtime", "r1", ("shop:runtime-1",)),
    ImageUse("r2", "runtime", "r2", ("shop:runtime-2",)),
)


def held(*given: Held) -> dict[str, list[str]]:
    return {use.id: [holder.name for holder in use.holders] for use in with_held(IMAGES, given) if use.holders}


def test_an_image_is_found_by_what_the_provider_calls_it() -> None:
    assert held(Held("cluster", "i1", "")) == {"i1": ["cluster"]}
    assert held(Held("cluster", "shop:app-2", "k2")) == {"i2": ["cluster"]}, "not the other one with that key"
    assert held(Held("cluster", "mine:2", "k2")) == {"i2": ["cluster"]}


def test_an_image_that_is_called_otherwise_here_is_found_by_its_key() -> None:
    assert held(Held("cluster", "elsewhere@sha256:1", "k1")) == {"i1": ["cluster"]}, "the app, not deps"
    assert held(Held("cluster", "elsewhere@sha256:1", "k2")) == {"i2": ["cluster"], "i3": ["cluster"]}
    assert held(Held("cluster", "elsewhere@sha256:1", "")) == {}
    assert held() == {}


def test_a_container_here_is_not_named_twice() -> None:
    seen = replace(IMAGES[0], holders=(Holder("api", "deployed"),))
    assert with_held([seen], [Held("api", "i1", "k1")]) == [seen]
    both = with_held([seen], [Held("api-next", "i1", "k1")])[0].holders
    assert both == (Holder("api", "deployed"), Holder("api-next", "deployed"))


@pytest.mark.parametrize("level", levels.LEVELS)
def test_no_level_clears_what_a_provider_holds(level: levels.Level) -> None:
    usage = Usage("shop", tuple(with_held(IMAGES, [Held("cluster", "elsewhere@sha256:1", "k1")])))
    gone = {image.id for image in levels.select(usage, level).images}
    assert not gone & {"i1", "r1"}, "nor what it runs on"
    assert gone == {"soft": set(), "medium": {"i2"}, "hard": {"i2", "d1"}, "nuke": {"i2", "d1", "r2"}}[level]
