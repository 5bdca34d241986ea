"""Several calls of `layerdoit.tasks` for one folder, each with settings of its own, on a real engine."""

from __future__ import annotations

from collections.abc import Callable

from tests.engine.cycle_fixture import ok, parents
from tests.engine.services_fixture import shop
from tests.support.checkout import Checkout
from tests.support.ports import PORT
from tests.support.scratch import docker

__all__ = ["parents", "shop"]

DODO = """\
import layerdoit

task_api = layerdoit.tasks()
task_worker = layerdoit.tasks(prefix="w", config="worker.yaml")
"""


def test_base_and_deps_are_those_of_all(shop: Callable[..., Checkout]) -> None:
    deploy = f"deploy: {{port: {PORT}, health: {{path: /}}, stop_grace: 0}}\n"
    worker = "bins: [worker]\ndeploy: {port: null, health: {path: null, log: work}}\n"
    one = shop(f"bins: [api]\n{deploy}", {"dodo.py": DODO, "worker.yaml": worker})
    assert "deps    build" in ok(one.doit("image"))
    # Neither the dependencies nor the workspace are compiled once more.
    second = ok(one.doit("w:image"))
    assert "deps " not in second
    assert "no crate compiled" in second or "assembled" in second
    layers = [len([tag for tag in one.tags() if f":{layer}-" in tag]) for layer in ("base", "runtime", "deps", "app")]
    assert layers == [1, 1, 1, 2]
    assert docker("run", "--rm", "--entrypoint", "ls", f"{one.name}-w:latest", "/usr/local/bin").split() == ["worker"]
    both = one.doit("-n", "2", "cycle_fast", "w:cycle_fast")
    assert f"deploy  {one.name}-w started" in ok(both)
    names = docker("ps", "--format", "{{.Names}}", "--filter", f"label=io.layerdoit.project={one.name}").split()
    assert sorted(names) == [one.name, f"{one.name}-w"]
    again = ok(one.doit("cycle_fast", "w:cycle_fast"))
    assert again.count("already serves") == 2
    plan = ok(one.doit("layers", "plan", "--root", "w"))
    assert f"app   reuse  {one.name}-w:app-" in plan
    assert plan.count("image is up to date") == 3
    ok(one.doit("w:destroy"))
    assert docker("ps", "--format", "{{.Names}}", "--filter", f"name={one.name}").split() == [one.name]
