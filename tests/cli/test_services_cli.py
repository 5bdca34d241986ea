"""Several services as a user meets them: their tasks, and what is said where one is meant or none."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from tests.support.scratch import DODO, Crate, message

LOCK = 'version = 3\n\n[[package]]\nname = "hello"\nversion = "0.1.0"\n'
SERVICES = """\
project: {name}
services:
  api: {{bins: [api], port: 8080, health: /}}
  worker: {{bins: [worker], needs: [api]}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Crate:
    """Two programs of one package; nothing is built."""
    crate = Crate(tmp_path / "shop", f"ldt-cli-{uuid.uuid4().hex[:8]}")
    crate.write("Cargo.toml", '[package]\nname = "hello"\nversion = "0.1.0"\nedition = "2021"\n')
    crate.write("Cargo.lock", LOCK)
    crate.write("src/bin/api.rs", "fn main() {}\n")
    crate.write("src/bin/worker.rs", "fn main() {}\n")
    crate.write("layerdoit.yaml", SERVICES.format(name=crate.name))
    crate.write("dodo.py", DODO)
    return crate


def test_tasks_of_all_and_of_one(shop: Crate) -> None:
    listed = {line.split()[0] for line in shop.doit("list").ok().out.splitlines()}
    assert {"cycle_fast", "cycle_fast:api", "cycle_fast:worker", "logs:api", "exec:worker", "rollback:api"} <= listed
    assert not {"base:api", "deps:api", "environments:api", "from_source:api"} & listed
    said = shop.doit("help", "exec:api").ok().out
    assert said.startswith("usage: doit exec:api [words ...] [NAME=value ...]\n"), said
    assert "\nOf api.\n" in said
    assert said.endswith("example: doit exec:api ls /srv\n")
    assert shop.doit("cycle_fast:worker", "--help").ok().out.startswith("usage: doit cycle_fast:worker ")


@pytest.mark.parametrize(
    ("words", "what", "step"),
    [
        (["cycle_fast:apii"], 'there is no task "cycle_fast:apii"', "did you mean `doit cycle_fast:api`?"),
        (["api:logs"], 'there is no task "api:logs"', "did you mean `doit logs:api`?"),
        (
            ["worker"],
            'there is no task "worker"',
            "did you mean `doit cycle_fast:worker` or `doit status:worker` or `doit logs:worker`?",
        ),
        (["base:api"], 'there is no task "base:api"', None),
        (["exec"], "exec is about one service, and there are 2", "name it: doit exec:api, doit exec:worker"),
        (
            ["connect"],
            "connect is about one service, and there are 2",
            "name it: doit connect:api, doit connect:worker",
        ),
        (["rollback"], "rollback is about one service, and there are 2", "name it: doit rollback:api, doit rollback:w"),
        (
            ["exec:api"],
            "exec:api needs a command",
            "doit exec:api ls /srv; with options of its own: doit exec:api -- l",
        ),
        (["deploy", "PUBLISH=8080"], "deploy.publish is about one service, and there are 2: api, worker", "say it in"),
    ],
)
def test_one_message_with_the_task_that_was_meant(shop: Crate, words: list[str], what: str, step: str | None) -> None:
    said, then = message(shop.doit(*words))
    assert said.removeprefix("error: ").endswith(what), said
    assert then.startswith(step or "")


def test_a_binary_that_the_workspace_does_not_have(shop: Crate) -> None:
    shop.edit("layerdoit.yaml", "bins: [worker]", "bins: [wroker]")
    said, then = message(shop.doit("image"))
    assert said == "layerdoit.yaml:4: there is no binary `wroker`"
    assert "worker" in then


def test_under_a_prefix(shop: Crate) -> None:
    shop.write("dodo.py", 'import layerdoit\n\ntask_shop = layerdoit.tasks(".", prefix="shop")\n')
    assert message(shop.doit("shop:exec"))[1] == "name it: doit shop:exec:api, doit shop:exec:worker"
    assert message(shop.doit("shop:exec:api"))[1].startswith("doit shop:exec:api ls /srv; with options")
    assert message(shop.doit("shop:logs:apu"))[1] == "did you mean `doit shop:logs:api`?"
    assert shop.doit("help", "shop:logs:api").ok().out.startswith("usage: doit shop:logs:api [--follow]")


# --- environments ----------------------------------------------------------------------------------------------------


def test_environments_have_a_line_for_each_service(shop: Crate, docker_engine: object) -> None:
    shop.write("layerdoit.staging.yaml", "services: {api: {deploy: {name: front}}}\n")
    shop.edit("layerdoit.yaml", "services:", "environments: {prod: {confirm: true}}\nservices:")
    lines = shop.doit("environments").ok().out.splitlines()
    assert lines == [
        "dev",
        f"  api     docker  {shop.name}-api  not deployed",
        f"  worker  docker  {shop.name}-worker  not deployed",
        "prod  requires confirm",
        f"  api     docker  {shop.name}-api-prod  not deployed",
        f"  worker  docker  {shop.name}-worker-prod  not deployed",
        "staging",
        "  api     docker  front  not deployed",
        f"  worker  docker  {shop.name}-worker-staging  not deployed",
    ]
    rows = json.loads(shop.doit("environments", "--json").ok().out)["environments"]
    assert [(row["name"], row["service"]) for row in rows][:3] == [("dev", "api"), ("dev", "worker"), ("prod", "api")]
    shop.write("layerdoit.staging.yaml", "services: {api: {deploy: {nam: front}}}\n")
    assert shop.doit("environments").ok().out.splitlines()[-1].startswith('  unknown key "services.api.deploy.nam"')


def test_the_lock_of_each_service(shop: Crate, docker_engine: object) -> None:
    said = shop.doit("deploy_unlock").ok().out.splitlines()
    assert [line.partition(":")[0] for line in said] == ["api", "worker"]


# --- removing --------------------------------------------------------------------------------------------------------


def test_what_serves_elsewhere_is_removed_without_an_engine(shop: Crate) -> None:
    commands = "{provider: command, command: {deploy: 'true', destroy: 'echo gone: $LAYERDOIT_SERVICE'}}"
    own = f"project: {shop.name}\ndeploy: {commands}\nservices:\n  api: {{bins: [api]}}\n  worker: {{bins: [worker]}}\n"
    shop.write("layerdoit.yaml", own)
    nowhere = {"DOCKER_HOST": "unix:///nowhere"}
    out = shop.doit("destroy", env=nowhere).ok().out
    assert [line for line in out.splitlines() if line.startswith("gone")] == ["gone: worker", "gone: api"]
    assert "no Docker engine answers" in message(shop.doit("destroy", "--left", env=nowhere))[0]
    assert message(shop.doit("destroy:api", "--left"))[1] == "doit destroy --left"
