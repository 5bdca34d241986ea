"""Services of images that are not built here, in layerdoit.yaml: their settings, and what they cannot have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from layerdoit.config import Config, Deploy, load
from layerdoit.config.service_settings import of_service
from layerdoit.core.errors import ConfigError, DeployError
from layerdoit.deploy import needs, settings_of
from layerdoit.deploy.compose import compose_files
from layerdoit.deploy.docker import ways
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.container import Container, health_test
from layerdoit.project.project import Project

SHOP = """\
project: shop
deploy: {port: 8080, publish: 9000, health: {path: /health}, env: {A: b}, memory: 1GB, bind: 0.0.0.0, name: mine}
services:
  api: {bins: [api], needs: [db, mail]}
  db:
    image: postgres:17
    port: 5432
    deploy: {env: {PASSWORD: x}, volumes: [data:/data]}
"""


def loaded(root: Path, text: str, **variables: str) -> Config:
    (root / "layerdoit.yaml").write_text(text, encoding="utf-8")
    return load(root, variables=variables)


def test_what_the_top_says_of_programs_is_not_meant(tmp_path: Path) -> None:
    config = loaded(tmp_path, SHOP, PORT="81")
    found = of_service(config, "db", {"PORT": "81", "PUBLISH": "82"}).deploy
    assert (found.port, found.publish, found.memory, found.health.path) == (5432, None, None, None)
    assert (found.env, found.volumes) == ({"PASSWORD": "x"}, ("data:/data",))
    assert (found.bind, found.name) == ("0.0.0.0", "mine-db")  # noqa: S104 - read, not bound
    assert of_service(config, "api", {}).deploy.memory is not None


def test_the_deployments_know_one_another(tmp_path: Path) -> None:
    (tmp_path / "layerdoit.yaml").write_text(SHOP, encoding="utf-8")
    (tmp_path / "layerdoit.staging.yaml").write_text("{}", encoding="utf-8")
    project = Project.open(tmp_path, {})
    api, db = (settings_of(project.services[name]) for name in ("api", "db"))
    assert (api.needs, api.foreign, api.aliases) == (("db", "mail"), "", ("mine-api", "api"))
    assert (db.needs, db.foreign, db.aliases) == ((), "postgres:17", ("mine-db", "db"))
    assert api.table()["db"].foreign == "postgres:17"
    assert api.network == db.network == "layerdoit-shop"
    staging = settings_of(Project.open(tmp_path, {"ENV": "staging"}).services["db"])
    assert staging.network == "layerdoit-shop.staging"
    assert staging.digest() != db.digest()


BAD = [
    ("{image: postgres, serve: web}", "services.db.serve has no effect: postgres is not built here"),
    ("{image: postgres, build: {binary: a}}", "services.db.build.binary has no effect"),
    ("{image: postgres, base: {runtime_packages: [curl]}}", "services.db.base has no effect"),
    ("{image: postgres, bins: [db]}", "services.db: it has both bins and image"),
    ("{image: postgres, deploy: {verify: ['true']}}", "services.db.deploy.verify has no effect"),
    ("{image: postgres, deploy: {isolated_start: false}}", "services.db.deploy.isolated_start has no effect"),
    ("{image: postgres, port: 1, deploy: {gap: none}}", "of postgres no second one is started beside the first"),
    ("{image: postgres, health: /}", "deploy.health.path needs deploy.port"),
    ("{image: postgres, deploy: {publish: 1}}", "deploy.publish needs deploy.port"),
    ("{image: 'post gres'}", "services.db.image"),
    ("{image: postgres, needs: [db]}", "services need one another"),
    (
        "{image: postgres, deploy: {volumes: ['vv:/a']}}\n  two: {image: postgres, deploy: {volumes: ['vv:/b']}}",
        "services.two.deploy.volumes: db has vv already, and both run postgres",
    ),
]


@pytest.mark.parametrize(("text", "says"), BAD, ids=[says for _, says in BAD])
def test_one_message_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, f"services:\n  api: {{bins: [api]}}\n  db: {text}\n")
    assert says in caught.value.what
    assert (caught.value.where or "").startswith("layerdoit.yaml:"), str(caught.value)
    assert caught.value.hint


def test_two_on_one_volume_may_be_of_two_images(tmp_path: Path) -> None:
    own = "deploy: {volumes: ['vv:/a']}"
    text = f"services:\n  db: {{image: postgres, {own}}}\n  copy: {{image: backup, {own}}}\n"
    assert len(loaded(tmp_path, text).services) == 2


def test_another_provider_starts_none() -> None:
    plain = Deploy(provider="kubernetes")
    db = DeploySettings(plain, "shop-db", "shop", Path("/shop"), service="db", foreign="postgres:17")
    api = DeploySettings(
        plain, "shop-api", "shop", Path("/shop"), service="api", needs=("db",), table=lambda: {"db": db}
    )
    assert needs.lacking(api) == needs.have(api).networks == ()
    assert needs.unmanaged(api) == ""
    assert needs.unmanaged(db).endswith("with provider kubernetes, it belongs into the manifests")
    with pytest.raises(DeployError) as caught:
        needs.refuse(db)
    assert "deploy: {provider: docker}" in (caught.value.hint or "")


def test_what_is_needed_is_no_start_on_an_isolated_network() -> None:
    old = Container("i", "api", {}, "running", 0, {}, {8080: ("127.0.0.1", 8080)})
    plain = DeploySettings(Deploy(), "api", "shop", Path("/shop"))
    needing = DeploySettings(Deploy(), "api", "shop", Path("/shop"), needs=("db",))
    assert (ways.choose(old, 8080, plain), ways.choose(old, 8080, needing)) == ("moved", "again")
    assert needing.digest() != plain.digest(), "it joins another network"


@pytest.mark.parametrize(
    ("test", "command"),
    [
        ((), None),
        (("NONE",), None),
        (("CMD", "pg_isready", "-q"), ("pg_isready", "-q")),
        (("CMD-SHELL", "pg_isready || exit 1"), ("/bin/sh", "-c", "pg_isready || exit 1")),
    ],
)
def test_the_command_of_a_health_check(test: tuple[str, ...], command: tuple[str, ...] | None) -> None:
    assert health_test(test) == command


@pytest.mark.parametrize(
    ("text", "more", "name"),
    [
        ("services: {}", {}, "my-shop_1"),
        ("name: other\nservices: {}", {}, "other"),
        ("name: ${STAGE}\nservices: {}", {}, None),
        ("name: other\nservices: {}", {"environ": {"COMPOSE_PROJECT_NAME": "told"}}, "told"),
        ("name: other\nservices: {}", {"named": "given", "environ": {"COMPOSE_PROJECT_NAME": "told"}}, "given"),
        ("name: other\nservices: {}", {"env": "COMPOSE_PROJECT_NAME=noted"}, None),
    ],
)
def test_what_docker_compose_calls_a_project(tmp_path: Path, text: str, more: dict[str, Any], name: str | None) -> None:
    folder = tmp_path / "My.-Shop_1"
    folder.mkdir()
    (folder / "compose.yaml").write_text(text, encoding="utf-8")
    if "env" in more:
        (folder / ".env").write_text(more["env"], encoding="utf-8")
    found = compose_files.project_name([folder / "compose.yaml"], more.get("named"), more.get("environ", {}))
    assert found == name
