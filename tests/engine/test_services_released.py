"""Releases of several services: environments, rules, hooks, the way back of one, and what would be done."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.engine.cycle_fixture import ok, parents
from tests.engine.services_fixture import SERVICES, shop
from tests.support.checkout import Checkout
from tests.support.scratch import docker

__all__ = ["parents", "shop"]

Shop = Callable[..., Checkout]
NOTE = 'echo "$LAYERDOIT_HOOK $LAYERDOIT_SERVICE begin" >> told; echo "$LAYERDOIT_HOOK $LAYERDOIT_SERVICE end" >> told'


def running(one: Checkout) -> dict[str, str]:
    """The end of each container's name -> its image."""
    mine = ["--filter", f"label=io.layerdoit.project={one.name}"]
    rows = docker("ps", "--format", "{{.Names}} {{.Image}}", *mine).splitlines()
    return {name.removeprefix(one.name): image for name, image in map(str.split, rows)}


def test_an_environment_of_services(shop: Shop) -> None:
    rules = "environments: {prod: {confirm: true}}\n"
    hooks = f"hooks: {{before_deploy: '{NOTE}', after_deploy: '{NOTE}'}}\n"
    one = shop(SERVICES + rules + hooks)
    one.write({".gitignore": one.read(".gitignore") + "/told\n"})
    one.write({"layerdoit.prod.yaml": "services: {api: {deploy: {env: {A: prod}}}}\n"})
    only = ok(one.doit("cycle_fast", "ENV=prod", "LOCAL_ONLY=1"))
    assert only.count("nothing is pushed or deployed (LOCAL_ONLY)") == 2
    assert f"{one.name}-api:prod" in only
    assert running(one) == {}
    would = ok(one.doit("deploy", "--dry-run", "ENV=prod"))
    assert [f"{one.name}-{name}-prod would be started" in would for name in ("api", "worker")] == [True, True]
    # The rule is about all of them: one question, and nothing is changed where nobody answers.
    refused = one.doit("deploy", "ENV=prod")
    assert refused.returncode != 0
    assert refused.stderr.count("error:") == 1, refused.stderr
    assert "prod needs confirmation" in refused.stderr
    assert running(one) == {}
    ok(one.doit("deploy", "ENV=prod", "YES=1"))
    assert running(one).keys() == {"-api-prod", "-worker-prod"}
    told = one.read("told").splitlines()
    assert sorted(told) == sorted(
        f"{hook} {name} {moment}"
        for hook in ("before_deploy", "after_deploy")
        for name in ("api", "worker")
        for moment in ("begin", "end")
    )
    assert all(end == begin.replace("begin", "end") for begin, end in zip(told[::2], told[1::2], strict=True))
    rows = json.loads(ok(one.doit("environments", "--json")))["environments"]
    assert [(row["name"], row["service"], row["health"]) for row in rows] == [
        ("dev", "api", "not deployed"),
        ("dev", "worker", "not deployed"),
        ("prod", "api", "healthy"),
        ("prod", "worker", "healthy"),
    ]
    refused = one.doit("destroy", "ENV=prod")
    assert refused.stderr.count("error:") == 1
    assert running(one).keys() == {"-api-prod", "-worker-prod"}
    ok(one.doit("destroy", "ENV=prod", "YES=1"))
    assert running(one) == {}


def test_one_goes_back(shop: Shop) -> None:
    one = shop()
    ok(one.doit("cycle_fast"))
    first = running(one)
    one.replace("common/src/lib.rs", "first name", "second name")
    ok(one.doit("cycle_fast"))
    second = running(one)
    assert not set(first.values()) & set(second.values())
    images = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", f"{one.name}-*").split()
    for name in ("api", "worker"):
        kept = {f"{one.name}-{name}:release-{one.name}-{name}-{number}" for number in (1, 2)}
        assert {tag for tag in images if tag.startswith(f"{one.name}-{name}:release-")} == kept
    assert one.doit("rollback").returncode == 2, "which one?"
    ok(one.doit("rollback:api"))
    assert "first name hello" in ok(one.doit("logs:api"))
    assert running(one)["-worker"] == second["-worker"]
    ok(one.doit("rollback:worker", "TO=1"))
    assert "first name" in ok(one.doit("logs:worker"))
    listed = json.loads(ok(one.doit("releases", "--json")))["services"]
    kinds = {name: [each["kind"] for each in found["releases"]] for name, found in listed.items()}
    assert kinds == {key: ["deploy", "deploy", "rollback"] for key in ("api", "worker")}
