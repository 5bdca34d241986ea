"""Nothing is lost on the way to the registry: what it lacks is pending, and the next run pushes it."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.engine.registry_fixture import Registry, docker
from tests.support.checkout import Checkout
from tests.support.ports import unheard

LAYERS = ("app", "base", "deps", "runtime")


def shared(registry: Registry, one: Checkout) -> list[str]:
    """The layers that the registry has."""
    return [tag.partition("-")[0] for tag in registry.tags(f"team/{one.name}")]


def sharing(address: str, one: Checkout, more: str = "") -> str:
    return f"registry: {{repository: '{address}/team/{one.name}', push: [base, deps, app]{more}}}\n"


def test_what_the_registry_lacks_is_pending_and_pushed_by_the_next_run(
    registry: Registry, checkout: Callable[..., Checkout]
) -> None:
    # Built before anything was shared.
    one = checkout()
    assert one.doit().returncode == 0

    # The registry is away: the run is fine, and says what is pending, once.
    with unheard() as port:
        one.configure(sharing(f"127.0.0.1:{port}", one))
        away = one.doit()
    assert away.returncode == 0, away.stderr
    told = [line for line in away.stderr.splitlines() if "could not be pushed" in line]
    assert len(told) == 1, away.stderr
    assert told[0].startswith("layerdoit: base, runtime, deps, app could not be pushed to 127.0.0.1:")
    assert "cannot be reached (connection refused)" in told[0]
    assert "the next run pushes them, and builds nothing again" in away.stderr
    assert "docker login" not in away.stderr

    # For CI, such a run fails: the images are there all the same.
    with unheard() as port:
        one.configure(sharing(f"127.0.0.1:{port}", one, ", strict: true"))
        strict = one.doit("image")
    assert strict.returncode != 0
    assert strict.stderr.count("could not be pushed") == 1

    one.configure(sharing(registry.address, one))
    planned = one.doit("layers", "plan")
    repository = f"{registry.address}/team/{one.name}"
    assert (
        f"pending base, runtime, deps, app: not known to be in {repository}; the next run pushes what it lacks"
        in planned.stdout
    )
    assert len(json.loads(one.doit("status", "--json").stdout)["pending"]) == 4
    assert "pending-push" in one.doit("layers", "doctor", "--json").stdout
    assert shared(registry, one) == []
    done = one.doit()
    assert done.returncode == 0, done.stderr
    assert f"push    base, runtime, deps, app to {repository} (" in done.stdout
    assert shared(registry, one) == sorted(LAYERS)
    assert " in " not in done.stdout.partition("push ")[0], "nothing was built"
    assert one.doit().stdout.startswith("nothing to do")
    assert json.loads(one.doit("layers", "plan", "--json").stdout)["pending"] == []
    assert docker("image", "ls", "--quiet", repository) == "", "they have their local names only"

    # A checkout that knows nothing of it asks the registry, and pushes nothing again.
    (one.root / ".layerdoit/shared.json").unlink()
    assert len(json.loads(one.doit("layers", "plan", "--json").stdout)["pending"]) == 4
    again = one.doit()
    assert (again.returncode, "push " in again.stdout) == (0, False)
    assert one.doit().stdout.startswith("nothing to do")
