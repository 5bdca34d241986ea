"""Several services of one workspace on a real engine: what they share, what is theirs, and what a change touches."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.engine.cycle_fixture import mount_ids, ok, parents
from tests.engine.services_fixture import API, SERVICES, shop
from tests.support.checkout import Checkout
from tests.support.scratch import docker

__all__ = ["parents", "shop"]

UNHEALTHY = "    deploy: {stop_grace: 0, health: {text: never, timeout: 2}}\n"
Shop = Callable[..., Checkout]


def containers(one: Checkout) -> dict[str, str]:
    """Name -> id of each container of the project that runs."""
    mine = ["--filter", f"label=io.layerdoit.project={one.name}"]
    rows = docker("ps", "--no-trunc", "--format", "{{.Names}} {{.ID}}", *mine).splitlines()
    return dict(row.split() for row in rows)


def names(one: Checkout) -> set[str]:
    return {f"{one.name}-{service}" for service in ("api", "worker")}


def layers(one: Checkout, layer: str) -> set[str]:
    return {tag for tag in one.tags() if f":{layer}-" in tag}


# --- what is shared ---------------------------------------------------------------------------------------------------


def test_one_base_one_deps_one_compilation_and_an_image_for_each(shop: Shop) -> None:
    one = shop()
    said = ok(one.doit("cycle_fast"))
    assert containers(one).keys() == names(one)
    assert [len(layers(one, layer)) for layer in ("base", "runtime", "deps", "app")] == [1, 1, 1, 2]
    assert {tag.partition(":")[0] for tag in layers(one, "deps")} == {one.name}
    assert {tag.partition(":")[0] for tag in layers(one, "app")} == names(one)
    assert one.image(f"{one.name}-api:latest")["Config"]["Entrypoint"] == ["/usr/local/bin/api"]
    binaries = docker("run", "--rm", "--entrypoint", "ls", f"{one.name}-worker:latest", "/usr/local/bin").split()
    assert binaries == ["worker"], "each image has its own binaries"
    assert len(mount_ids(one)) == 1, "one target folder"
    assert "3 crates compiled" in said
    again = ok(one.doit("cycle_fast"))
    assert again.count("already serves") == 2


def test_a_service_that_is_not_touched_is_neither_built_nor_swapped(shop: Shop) -> None:
    one = shop()
    ok(one.doit("cycle_fast"))
    before = containers(one)
    one.replace("worker/src/main.rs", "first work", "second work")
    plan = json.loads(ok(one.doit("layers", "plan", "--json")))["services"]
    assert {name: app["action"] for name, app in plan.items()} == {"api": "reuse", "worker": "build"}
    assert plan["api"]["reasons"] == ["only files that api is not made of changed: worker/src/main.rs"]
    said = ok(one.doit("cycle_fast"))
    assert "1 crate compiled" in said
    after = containers(one)
    assert (after[f"{one.name}-api"], after.keys()) == (before[f"{one.name}-api"], before.keys())
    assert after[f"{one.name}-worker"] != before[f"{one.name}-worker"]
    assert "second work" in ok(one.doit("logs:worker"))


def test_an_edit_of_what_both_use_swaps_both(shop: Shop) -> None:
    one = shop()
    ok(one.doit("cycle_fast"))
    before = containers(one)
    one.replace("common/src/lib.rs", "first name", "second name")
    said = ok(one.doit("cycle_fast"))
    assert said.count("replaced the old one") == 2
    assert not set(containers(one).values()) & set(before.values())
    logs = ok(one.doit("logs"))
    assert "api    | second name hello" in logs
    assert "worker | first work second name" in logs


def test_one_service_alone(shop: Shop) -> None:
    one = shop()
    ok(one.doit("cycle_fast:worker"))
    assert containers(one).keys() == {f"{one.name}-worker"}
    assert {tag.partition(":")[0] for tag in layers(one, "app")} == {f"{one.name}-worker"}
    deps = layers(one, "deps")
    ok(one.doit("cycle_fast:api"))
    assert layers(one, "deps") == deps, "the dependencies are those of all, whatever is chosen"
    status = json.loads(ok(one.doit("status", "--json")))
    assert [found["deployment"]["current"] for found in status["services"].values()] == [True, True]
    ok(one.doit("destroy:api"))
    assert containers(one).keys() == {f"{one.name}-worker"}
    ok(one.doit("destroy"))
    assert containers(one) == {}


# --- what fails -------------------------------------------------------------------------------------------------------


def test_what_does_not_compile_stops_all_and_is_told_once(shop: Shop) -> None:
    one = shop()
    ok(one.doit("cycle_fast"))
    before = containers(one)
    one.replace("common/src/lib.rs", "pub const", "pub cnst")
    failed = one.doit("cycle_fast")
    assert failed.returncode == 1
    assert failed.stderr.count("error: expected item, found") == 1, failed.stderr
    assert containers(one) == before


def test_a_service_that_is_not_healthy_stops_those_that_need_it_and_no_others(shop: Shop) -> None:
    other = API.replace("  api:", "  other:").replace("bins: [api]", "bins: [api]\n    image: {env: {OTHER: yes}}")
    one = shop(SERVICES.replace("bins: [worker]", "bins: [worker]\n    needs: [api]") + other)
    ok(one.doit("cycle_fast"))
    before = containers(one)
    one.replace("common/src/lib.rs", "first name", "second name")
    one.replace("layerdoit.yaml", "    deploy: {stop_grace: 0}\n  worker", UNHEALTHY + "  worker")
    failed = one.doit("cycle_fast")
    assert failed.returncode != 0
    assert "worker was not deployed: what it needs was not either" in failed.stderr, failed.stderr
    after = containers(one)
    changed = {name.rpartition("-")[2] for name in before if after[name] != before[name]}
    assert changed == {"other"}


# --- caches -----------------------------------------------------------------------------------------------------------


def test_no_cache_level_and_no_retention_takes_what_a_service_needs(shop: Shop) -> None:
    one = shop(SERVICES + "retention: {after_build: true, app: {keep_last: 1}}\n")
    ok(one.doit("cycle_fast"))
    one.replace("common/src/lib.rs", "first name", "second name")
    ok(one.doit("cycle_fast"))
    apps = layers(one, "app")
    assert {tag.partition(":")[0] for tag in apps} == names(one)
    ok(one.doit("cache_clear:medium"))
    assert apps == layers(one, "app")
    for service in ("api", "worker"):
        assert one.image(f"{one.name}-{service}:latest") is not None
    status = ok(one.doit("cache_status"))
    assert status.count("this tree") >= 4


@pytest.mark.parametrize("command", ["cycle_clean"])
def test_a_clean_cycle_compiles_once_for_both(shop: Shop, command: str) -> None:
    one = shop()
    ok(one.doit("cycle_fast"))
    before, mounts = containers(one), mount_ids(one)
    said = ok(one.doit(command))
    # On a busy machine the second build may begin when the first has compiled: it finds all fresh.
    assert "3 crates compiled" in said
    assert said.count("cycle_clean builds it from scratch") == 2
    assert containers(one).keys() == before.keys()
    assert not set(containers(one).values()) & set(before.values())
    assert mount_ids(one) == [f"{mounts[0]}~1"]
