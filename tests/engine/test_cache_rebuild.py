"""After clearing, the next build makes exactly the cleared layers again, and is right; also when another one clears."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from typing import Any

import pytest

from layerdoit.build import execute
from layerdoit.cache import clear, levels
from layerdoit.core.errors import BuildError
from layerdoit.engine import buildx
from layerdoit.flows.ensure import ensure
from tests.engine.cache_fixture import parts
from tests.support.checkout import Checkout
from tests.support.git import commit_all

New = Callable[..., "Checkout"]

MAIN_FILE = "app/src/main.rs"


def made(one: Checkout) -> set[str]:
    """Build; the layers that were not there."""
    return {layer for layer, outcome in one.build().items() if outcome.step.action != "reuse"}


def edit(one: Checkout, value: str) -> None:
    """A change in one package."""
    old = one.read(MAIN_FILE).split('MAIN: &str = "', 1)[1][:4]
    one.replace(MAIN_FILE, f'MAIN: &str = "{old}"', f'MAIN: &str = "{value}"')


def test_each_level_costs_what_the_table_says(checkout: New) -> None:
    one = checkout()
    first = one.build()
    assert {layer for layer, outcome in first.items() if outcome.step.action != "reuse"} == levels.LAYERS["nuke"]
    everything = first["app"].counts["compiled"]
    assert everything > 1
    for number, level in enumerate(levels.LEVELS):
        assert clear.run(*parts(one.session()), level, yes=True, dry_run=False) == 0
        assert made(one) == levels.LAYERS[level], level
        assert one.said(f"{one.name}:latest") == one.promised()
        assert made(one) == set(), level
        # The mount went with every level: where the app stayed, the next edit shows it.
        edit(one, f"{1000 + number}")
        outcome = one.build()["app"]
        assert outcome.counts["compiled"] == (everything if level == "soft" else 1), level
        assert one.said(f"{one.name}:latest") == one.promised()


def test_collecting_after_a_build_never_takes_what_the_next_one_needs(checkout: New) -> None:
    one = checkout(more="retention: {after_build: true, app: {keep_last: 1}, deps: {keep_last: 1}}\n")
    assert "retention: cleared" not in one.doit().stdout
    edit(one, "1111")
    assert "retention: cleared 0 mounts and 1 image tag: " in one.doit().stdout
    assert sum(":app-" in tag for tag in one.tags()) == 1
    assert "retention" not in one.doit().stdout, "nothing to do is nothing to do"
    assert made(one) == set()
    assert one.said(f"{one.name}:latest") == one.promised()


# --- another checkout clears -----------------------------------------------------------------------------------------


@pytest.fixture
def pair(checkout: New) -> tuple[Checkout, Checkout]:
    """Two checkouts of one project; both are built."""
    one = checkout()
    one.write({"lib/build.rs": one.lib_build})  # so that a slow one makes no other deps layer
    commit_all(one.root)  # a copy is the same project where git says so
    one.build()
    other = type(one)(one.root.parent / f"{one.name}-other", one.name, one._engine)
    shutil.copytree(one.root, other.root, ignore=shutil.ignore_patterns(".layerdoit"))
    assert made(other) == set()
    edit(other, "2222")
    return one, other


def test_clearing_while_another_checkout_compiles(pair: tuple[Checkout, Checkout]) -> None:
    """What its build took along already stays with it."""
    one, other = pair
    other.build()
    sleep = "    std::thread::sleep(std::time::Duration::from_secs(2));\n}\n"
    other.write({"lib/build.rs": other.lib_build.replace("}\n", sleep)})
    known = len(other.logs("app"))
    run = other.start("app")
    other.until(
        lambda: len(other.logs("app")) > known and "Compiling lib" in other.logs("app")[-1].read_text(), what="cargo"
    )
    run.send_signal(signal.SIGSTOP)  # the builder goes on
    try:
        clear.run(*parts(one.session()), "nuke", yes=True, dry_run=False)
    finally:
        run.send_signal(signal.SIGCONT)
    out, err = run.communicate(timeout=120)
    assert run.returncode == 0, out + err
    tag = next(spec.tag for spec in other.session().inputs.specs if spec.layer == "app")
    assert other.said(tag) == other.promised()
    assert made(other) == {"base", "runtime", "deps"}, "those that were cleared"
    assert made(one) == {"app"}
    assert one.said(f"{one.name}:latest") == one.promised()


def test_clearing_between_plan_and_build(pair: tuple[Checkout, Checkout], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = pair
    real = buildx.run
    cleared: list[int] = []

    def late(what: buildx.Build, *more: Any) -> buildx.Built:
        if not cleared:
            cleared.append(clear.run(*parts(one.session()), "nuke", yes=True, dry_run=False))
        return real(what, *more)

    monkeypatch.setattr(buildx, "run", late)
    outcomes = ensure(other.session(), "app")
    assert cleared == [0]
    again = {outcome.step.spec.layer for outcome in outcomes if outcome.step.action != "reuse"}
    assert again == levels.LAYERS["nuke"]
    assert other.said(f"{other.name}:latest") == other.promised()


def test_clearing_before_the_tags_are_given(pair: tuple[Checkout, Checkout], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = pair
    real = execute.give_tags
    cleared: list[int] = []

    def late(*of: Any) -> bool:
        if not cleared:
            cleared.append(clear.run(*parts(one.session()), "medium", yes=True, dry_run=False))
        return real(*of)

    monkeypatch.setattr(execute, "give_tags", late)
    ensure(other.session(), "app")
    assert cleared == [0]
    assert other.said(f"{other.name}:latest") == other.promised()


def test_a_build_that_fails_for_another_reason_is_not_tried_again(
    pair: tuple[Checkout, Checkout], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, other = pair
    tried: list[str] = []
    real = buildx.run

    def counted(what: buildx.Build, *more: Any) -> buildx.Built:
        tried.append(what.layer)
        return real(what, *more)

    monkeypatch.setattr(buildx, "run", counted)
    other.write({MAIN_FILE: "fn main() { nonsense }"})
    with pytest.raises(BuildError, match="nonsense"):
        ensure(other.session(), "app")
    assert tried == ["app"]
