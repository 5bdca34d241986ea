"""What a watch refuses, and what it says to do instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.core.errors import ConfigError
from layerdoit.engine import api, platform_ways
from layerdoit.engine.handle import Engine
from layerdoit.engine.platform_way import Way
from layerdoit.project.project import Project
from layerdoit.watch.providers import refuse

KUBE = "deploy: {provider: kubernetes, kubernetes: {namespace: shop, manifests: [k.yaml]}}"
AZURE = "deploy: {provider: azure-container-apps, azure: {app: shop, resource_group: shop}}"
COMMAND = "deploy: {provider: command, command: {deploy: ./up}}"


def opened(root: Path, text: str, staging: str = "", **variables: str) -> Project:
    (root / "layerdoit.yaml").write_text(f"project: shop\n{text}\n", encoding="utf-8")
    if staging:
        (root / "layerdoit.staging.yaml").write_text(staging, encoding="utf-8")
    return Project.open(root, variables)


def refusal(project: Project) -> str:
    with pytest.raises(ConfigError) as caught:
        refuse(project)
    return str(caught.value)


@pytest.fixture(autouse=True)
def own_builder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No engine is asked, and no buildx of this machine."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path_factory.mktemp("buildx")))
    monkeypatch.delenv("BUILDX_BUILDER", raising=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "deploy: {provider: docker}",
        "deploy: {provider: compose}",
        "build: {binary: dist/shop}",
        "services: {api: {bins: [a]}, db: {image: 'postgres:17'}, page: {serve: web}}\ncomponents: {web: {output: x}}",
    ],
)
def test_what_runs_on_the_engine_is_watched_however_it_comes_about(tmp_path: Path, text: str) -> None:
    refuse(opened(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "name"), [(KUBE, "kubernetes"), (AZURE, "azure-container-apps"), (COMMAND, "command")]
)
def test_elsewhere_it_is_one_message_with_the_line_and_the_next_step(tmp_path: Path, text: str, name: str) -> None:
    said = refusal(opened(tmp_path, text))
    assert said == (
        f"layerdoit.yaml:2: shop is deployed by the provider {name}: a watch puts edits into a container of this "
        "engine, which only docker and compose have\nnext: write layerdoit.local.yaml with "
        '"deploy: {provider: docker}", and watch that environment: ENV=local'
    )


def test_the_environment_without_a_name_is_proposed_where_it_can_be_watched(tmp_path: Path) -> None:
    said = refusal(opened(tmp_path, "", KUBE, ENV="staging"))
    assert said.startswith("layerdoit.staging.yaml:1: shop is deployed by the provider kubernetes")
    assert said.endswith("\nnext: leave ENV out")


def test_another_environment_is_proposed_where_that_can_be_watched(tmp_path: Path) -> None:
    assert refusal(opened(tmp_path, KUBE, "deploy: {provider: compose}")).endswith("environment: ENV=staging")
    both = opened(tmp_path, f"{KUBE}\nenvironments: {{staging: {{confirm: true}}}}", "deploy: {provider: compose}")
    assert refusal(both).endswith("ENV=local")
    (tmp_path / "layerdoit.local.yaml").write_text(KUBE)
    assert refusal(both).endswith("ENV=watch")


def test_one_service_of_several_is_named(tmp_path: Path) -> None:
    text = f"services:\n  api: {{bins: [api]}}\n  worker:\n    bins: [worker]\n    {COMMAND}"
    project = opened(tmp_path, text)
    said = refusal(project)
    assert said.startswith("layerdoit.yaml:6: worker is deployed by the provider command")
    assert refusal(project.of_service("worker")) == said
    refuse(project.of_service("api"))


def test_somebody_elses_image_runs_here_wherever_the_others_do(tmp_path: Path) -> None:
    refuse(opened(tmp_path, f"{KUBE}\nservices: {{db: {{image: 'postgres:17'}}}}").of_service("db"))


@pytest.mark.parametrize("rules", ["confirm: true", "require: [clean]"])
def test_rules_of_the_environment_are_not_passed_by(tmp_path: Path, rules: str) -> None:
    text = f"environments:\n  staging: {{{rules}}}"
    said = refusal(opened(tmp_path, text, "deploy: {port: 1}", ENV="staging", YES="1"))
    wanted = "confirmation" if "confirm" in rules else "clean"
    assert said == (
        f"layerdoit.yaml:3: the environment staging has rules ({wanted}), and a watch deploys edits without asking\n"
        "next: leave ENV out"
    )
    refuse(opened(tmp_path, text, "deploy: {port: 1}"))


def test_nothing_is_watched_that_is_not_to_be_deployed(tmp_path: Path) -> None:
    said = refusal(opened(tmp_path, "", LOCAL_ONLY="1"))
    assert said.startswith("LOCAL_ONLY=1: a watch deploys each edit")
    assert "leave LOCAL_ONLY out" in said


NATIVE = "builder b is of this platform"


@pytest.mark.parametrize(
    ("way", "refused"),
    [
        (Way("linux/amd64", "native", None, "linux/amd64", NATIVE), False),
        (Way("linux/arm64", "native", "far", "linux/arm64", NATIVE, elsewhere=True), True),
        (Way("linux/arm64", "cross", None, "linux/amd64", "cross-compiled", "gcc", True, True), True),
        (Way("linux/arm64", "emulated", None, "linux/amd64", "by emulation", elsewhere=True), True),
    ],
)
def test_a_platform_of_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Way, refused: bool
) -> None:
    monkeypatch.setattr(platform_ways, "choose", lambda *_, **__: way)
    project = opened(tmp_path, "", PLATFORM=way.platform)
    if not refused:
        refuse(project)
        return
    said = refusal(project)
    assert said.startswith(f"PLATFORM={way.platform}: a watch runs what it compiles")
    assert way.why in said
    assert "leave PLATFORM out" in said


def test_a_builder_outside_of_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "is_local", property(lambda self: self.builder == "default"))
    refuse(opened(tmp_path, ""))
    said = refusal(opened(tmp_path, "builder: farm"))
    assert said.startswith("layerdoit.yaml:2: builds run on the builder farm, outside of the engine")
    assert said.endswith("next: BUILDER=default, or builder: default in layerdoit.yaml, builds in the engine")
    assert refusal(opened(tmp_path, "", BUILDER="farm")).startswith("BUILDER=farm: ")
    monkeypatch.setenv("BUILDX_BUILDER", "farm")
    assert refusal(opened(tmp_path, "")).startswith("BUILDX_BUILDER: ")
    refuse(opened(tmp_path, "", BUILDER=api.builder_name()))
