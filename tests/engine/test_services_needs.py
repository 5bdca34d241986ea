"""Services that need a container of somebody else's image, from the cycle to the end, as a user types it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.engine.cycle_fixture import ok, parents
from tests.engine.deploy.conftest import server_image
from tests.engine.services_fixture import SERVICES, shop
from tests.engine.test_services import containers
from tests.support.checkout import Checkout
from tests.support.ports import PORT
from tests.support.scratch import docker

__all__ = ["parents", "shop"]

Shop = Callable[..., Checkout]


@pytest.fixture(scope="module")
def store(docker_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Somebody else's image: the server of the tests of deployments, which ends where EXIT says so."""
    with server_image(docker_engine, tmp_path_factory.mktemp("store")) as name:
        yield name


def with_db(store: str, env: str = "") -> str:
    needing = SERVICES.replace("    bins: [api]\n", "    bins: [api]\n    needs: [db]\n")
    return f"{needing}  db:\n    image: {store}\n    port: {PORT}\n    deploy: {{stop_grace: 0, env: {{A: b{env}}}}}\n"


def test_a_cycle_starts_it_and_only_its_name_replaces_or_removes_it(shop: Shop, store: str) -> None:
    one = shop(with_db(store))
    db = f"{one.name}-db"
    said = ok(one.doit("cycle_fast"))
    assert said.count(f"{db} was started ({store}): healthy at 127.0.0.1:") == 1
    first = containers(one)
    assert first.keys() == {f"{one.name}-{name}" for name in ("api", "worker", "db")}
    attached = json.loads(docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", db))
    assert "db" in attached[f"layerdoit-{one.name}"]["Aliases"]
    again = ok(one.doit("cycle_fast"))
    assert (again.count("already serves"), containers(one)) == (2, first)
    assert "tcp://127.0.0.1:" in ok(one.doit("status"))
    assert json.loads(ok(one.doit("status", "--json")))["services"]["db"]["deployment"]["health"] == "healthy"
    assert "listening" in ok(one.doit("logs:db"))
    listed = {line.split()[0] for line in ok(one.doit("list")).splitlines()}
    assert {"cycle_fast:db", "destroy:db", "exec:db"} <= listed
    assert not {"image:db", "rollback:db", "releases:db"} & listed

    one.replace("layerdoit.yaml", "A: b", "A: c")
    stays = f"{db} was started with other settings (env), and stays: doit deploy:db replaces it"
    assert ok(one.doit("cycle_fast")).count(stays) == 1
    assert stays.replace("stays", "would stay") in ok(one.doit("deploy", "--dry-run"))
    assert "doit deploy:db replaces it" in ok(one.doit("status:db"))
    assert containers(one) == first
    assert "another one started with its volumes" in ok(one.doit("deploy:db", "--dry-run"))
    assert f"{db} was replaced" in ok(one.doit("deploy:db"))
    assert containers(one)[db] != first[db]
    assert "already runs" in ok(one.doit("cycle_fast:db"))

    left = ok(one.doit("destroy"))
    assert f"{db} ({store}) stays: doit destroy:db removes it" in left
    assert containers(one).keys() == {db}
    ok(one.doit("destroy:db"))
    assert containers(one) == {}


def test_without_it_what_needs_it_is_not_replaced_and_the_others_are(shop: Shop, store: str) -> None:
    one = shop(with_db(store))
    ok(one.doit("cycle_fast"))
    before = containers(one)
    docker("rm", "-f", f"{one.name}-db")
    one.replace("layerdoit.yaml", "A: b", "EXIT: 3")
    one.replace("common/src/lib.rs", "first name", "second name")
    failed = one.doit("cycle_fast")
    assert failed.returncode == 1, failed.stdout
    text = failed.stdout + failed.stderr
    assert text.count(f"{one.name}-db ended with exit code 3 before it was healthy") == 1
    assert "giving up" in text
    assert "api was not deployed: what it needs was not either" in text
    after = containers(one)
    assert after[f"{one.name}-api"] == before[f"{one.name}-api"]
    assert after[f"{one.name}-worker"] != before[f"{one.name}-worker"]
    alone = one.doit("cycle_fast:api")
    assert alone.returncode == 1
    assert f"{one.name}-db ended with exit code 3" in alone.stdout + alone.stderr
    one.replace("layerdoit.yaml", "EXIT: 3", "A: b")
    ok(one.doit("cycle_fast:api"))
    assert containers(one)[f"{one.name}-api"] != before[f"{one.name}-api"]
