"""Deployments that the configuration describes no more: told once, shown, never removed by themselves."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.engine.cycle_fixture import ok, parents
from tests.engine.services_fixture import API, SERVICES, shop
from tests.support.checkout import Checkout
from tests.support.ports import PORT
from tests.support.scratch import docker

__all__ = ["parents", "shop"]

Shop = Callable[..., Checkout]
WORDS = "doit destroy --left removes it"


def running(one: Checkout) -> set[str]:
    mine = ["--filter", f"label=io.layerdoit.project={one.name}"]
    return {name.removeprefix(one.name) for name in docker("ps", "--format", "{{.Names}}", *mine).split()}


def test_a_project_that_gets_services(shop: Shop) -> None:
    one = shop(f"bins: [api]\ndeploy: {{port: {PORT}, health: {{path: /}}, stop_grace: 0}}\n")
    ok(one.doit("cycle_fast"))
    assert running(one) == {""}
    one.replace("layerdoit.yaml", one.read("layerdoit.yaml").partition("bins:")[1], "services:\n" + API + "# bins:")
    told = f"{one.name} runs on: it is of the project without services; {WORDS}"
    first = one.doit("cycle_fast")
    assert told in ok(first) + first.stderr
    assert running(one) == {"", "-api"}, "what serves is never removed silently"
    second = one.doit("cycle_fast")
    assert told not in ok(second) + second.stderr, "it is told once"
    assert told in ok(one.doit("status"))
    assert one.doit("destroy:api", "--left").returncode == 2
    assert f"{one.name} removed" in ok(one.doit("destroy", "--left"))
    assert running(one) == {"-api"}
    assert "nothing to do" in ok(one.doit("destroy", "--left"))
    assert not [tag for tag in one.tags() if ":release-" in tag and "-api" not in tag]


def test_a_service_with_another_name(shop: Shop) -> None:
    one = shop()
    ok(one.doit("cycle_fast"))
    one.replace("layerdoit.yaml", "  worker:\n", "  jobs:\n")
    done = one.doit("cycle_fast")
    assert f"{one.name}-worker runs on: it is of the service worker, which is there no more; {WORDS}" in done.stderr
    assert running(one) == {"-api", "-worker", "-jobs"}
    releases = json.loads(ok(one.doit("releases", "--json")))["services"]
    assert {name: len(found["releases"]) for name, found in releases.items()} == {"api": 1, "jobs": 1}
    # Back under its old name, it is the deployment that it was, and the other one is left.
    one.replace("layerdoit.yaml", "  jobs:\n", "  worker:\n")
    done = one.doit("cycle_fast")
    assert f"{one.name}-worker already serves" in ok(done)
    assert f"{one.name}-jobs runs on" in done.stderr
    said = ok(one.doit("destroy"))
    assert f"{one.name}-jobs removed" in said
    assert running(one) == set()


def test_what_another_folder_or_environment_deployed_is_not_left(shop: Shop) -> None:
    one = shop(SERVICES)
    ok(one.doit("deploy_unlock"))
    ok(one.doit("cycle_fast"))
    one.write({"layerdoit.staging.yaml": "profile: dev\n"})
    ok(one.doit("cycle_fast", "ENV=staging"))
    assert running(one) == {"-api", "-worker", "-api-staging", "-worker-staging"}
    assert WORDS not in ok(one.doit("status")) + ok(one.doit("status", "ENV=staging"))
    # The default environment loses a service; staging is asked about its own.
    one.replace("layerdoit.yaml", "  worker:\n", "  jobs:\n")
    assert f"{one.name}-worker runs on" in ok(one.doit("status"))
    assert f"{one.name}-worker-staging runs on" in ok(one.doit("status", "ENV=staging"))
    ok(one.doit("destroy", "--left"))
    assert running(one) == {"-api", "-api-staging", "-worker-staging"}
