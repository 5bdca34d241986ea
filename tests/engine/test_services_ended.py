"""Services whose cycle is interrupted or killed while several are built or deployed: what served goes on serving."""

from __future__ import annotations

import itertools
import signal
import subprocess
from collections.abc import Callable

from tests.engine.cycle_fixture import ok, parents
from tests.engine.services_fixture import SERVICES, shop
from tests.support.checkout import Checkout
from tests.support.scratch import docker
from tests.support.waiting import until

__all__ = ["parents", "shop"]

Shop = Callable[..., Checkout]
WHOLE = 300.0
"""Seconds that a cycle may need on a machine that is busy with other tests."""
WAITS = "health: {text: never, timeout: 300}"
STUCK = SERVICES.replace(
    "    health: /\n    deploy: {stop_grace: 0}", f"    health: /\n    deploy: {{stop_grace: 0, {WAITS}}}"
)
STUCK = STUCK.replace("health: {log: work}", "health: {log: never, timeout: 300}")

SLOW = """\
fn main() {
    // A build that goes on although it was interrupted ends some time.
    for _ in 0..600 {
        if std::path::Path::new("slow").exists() {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}
"""


def containers(one: Checkout, *more: str) -> set[str]:
    """Ids of the project's containers, stopped ones too."""
    mine = ["--filter", f"label=io.layerdoit.project={one.name}", *more]
    return set(docker("ps", "--all", "--no-trunc", "--format", "{{.ID}}", *mine).split())


def both_wait(one: Checkout) -> subprocess.Popen[str]:
    """A cycle in which the new containers of both services run, and are never healthy."""
    ok(one.doit("cycle_fast"))
    config = one.read("layerdoit.yaml")
    one.write({"layerdoit.yaml": config.replace(SERVICES, STUCK)})
    one.replace("common/src/lib.rs", "first name", "second name")
    before = containers(one)
    running = one.start("cycle_fast")
    until(
        lambda: len(containers(one, "--filter", "status=running") - before) == 2 or running.poll() is not None,
        WHOLE,
        "both containers",
    )
    assert running.poll() is None
    return running


def test_an_interrupted_cycle_leaves_all_services_as_they_were(shop: Shop) -> None:
    one = shop()
    ok(one.doit("cycle_fast"))
    before = containers(one)
    running = both_wait(one)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 128 + signal.SIGINT, out + err
    assert containers(one) == before
    assert containers(one, "--filter", "status=running") == before


def test_the_cycle_after_a_killed_one_has_all_services(shop: Shop) -> None:
    one = shop()
    running = both_wait(one)
    running.kill()
    running.communicate(timeout=60)
    one.write({"layerdoit.yaml": one.read("layerdoit.yaml").replace(STUCK, SERVICES)})
    ok(one.doit("cycle_fast"))
    assert len(containers(one)) == len(containers(one, "--filter", "status=running")) == 2
    assert "api    | second name" in ok(one.doit("logs"))


def test_an_interrupted_build_of_both_leaves_nothing_half_done(shop: Shop) -> None:
    one = shop(more={"common/build.rs": SLOW})
    ok(one.doit("cycle_fast"))
    before, tags = containers(one), one.tags()
    one.write({"common/slow": ""})
    one.replace("common/src/lib.rs", "first name", "second name")
    running = one.start("cycle_fast")

    def compiles() -> bool:
        logs = [one.logs(f"{name}-app")[1:] for name in ("api", "worker")]
        return all(logs) and any("Compiling common" in path.read_text() for path in itertools.chain(*logs))

    until(lambda: compiles() or running.poll() is not None, WHOLE, "the compilation")
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 128 + signal.SIGINT, out + err
    assert (containers(one), one.tags()) == (before, tags)
    (one.root / "common/slow").unlink()
    assert ok(one.doit("cycle_fast")).count("replaced the old one") == 2
