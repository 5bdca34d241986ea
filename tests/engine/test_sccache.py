"""Third-party crates come from a store that compilers share, if it answers; and are compiled if it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from layerdoit.components import script_protocol
from layerdoit.components.script_protocol import Shared, SharedOff
from layerdoit.doctor import store_facts
from layerdoit.flows import reporting
from layerdoit.flows.ensure import ensure
from layerdoit.history import export
from layerdoit.layers.outcome import Outcome
from tests.engine.registry_fixture import docker
from tests.engine.sccache_fixture import PASSWORD, Store, store
from tests.support.checkout import Checkout
from tests.support.lockfile import entry, external, lockfile

__all__ = ["store"]

Make = Callable[..., Checkout]
ITOA = ("itoa", "1.0.11", "49f1f14873335454500d59611f1cf4a4b0f786f9ac11f4312a78e4cf2566695b")
FNV = ("fnv", "1.0.7", "3f9eec918d3f24069decb9af1554cad7c880e2da24a9afd88aca000531ab82c1")


def program(one: Checkout, more: str) -> None:
    """A program that uses two crates, with a name that no build has seen."""
    needs = ("fnv", "itoa")
    one.write(
        {
            "Cargo.toml": f'[package]\nname = "{one.name}"\nversion = "0.1.0"\nedition = "2021"\n\n'
            '[[bin]]\nname = "app"\npath = "src/main.rs"\n\n[dependencies]\nfnv = "1"\nitoa = "1"\n',
            "Cargo.lock": lockfile(entry(one.name, needs=needs), external(*FNV), external(*ITOA)),
            "src/main.rs": 'fn main() { println!("{} {}", itoa::Buffer::new().format(42), '
            "fnv::FnvHashMap::<u8, u8>::default().len()); }\n",
            "dodo.py": "from layerdoit import task_layerdoit\n",
        }
    )
    one.configure(more)


def shared(outcome: Outcome) -> Shared | None:
    return script_protocol.shared(outcome.notes)


def off(outcome: Outcome) -> list[SharedOff]:
    return script_protocol.every(SharedOff, outcome.notes)


def right(one: Checkout, built: dict[str, Outcome]) -> bool:
    """The app build took every external crate as it was cooked, and the program works."""
    assert built["app"].counts["external"] == 0, built["app"].not_fresh
    return one.said(built["app"].step.spec.tag) == "42 0\n"


def cooked(one: Checkout) -> Outcome:
    """What became of the deps layer."""
    try:
        return ensure(one.session(), "deps")[-1]
    finally:
        one.forget_sessions()


def test_what_one_project_compiled_another_one_gets(checkout: Make, store: Store) -> None:
    one, other = checkout({}), checkout({})
    program(one, store.configuration())
    program(other, store.configuration())
    first, second = one.build(), other.build()
    assert shared(first["deps"]) == Shared(0, 2, 2, 0)
    assert shared(second["deps"]) == Shared(2, 0, 0, 0)
    # The two, and what sccache looks for first: nothing of the projects' own is shared.
    assert store.entries() == 3
    assert right(one, first)
    assert right(other, second)
    assert "2 crates compiled (2 of 2 by sccache)" in reporting.line(second["deps"])
    assert [run["layers"]["deps"]["shared"] for run in export.as_json(other.root / ".layerdoit")] == [2]

    # With it or without, the key is the same: nothing is made anew.
    other.configure("deps: {delta: false}\n")
    assert cooked(other).step.action == "reuse"


def test_the_password_is_found_nowhere(checkout: Make, store: Store) -> None:
    one = checkout({})
    program(one, store.configuration())
    child = one.start("deps")
    said = "".join(child.communicate(timeout=300))
    assert child.returncode == 0, said
    # It did its work.
    assert store.entries() >= 2
    assert PASSWORD not in said
    [image] = [tag for tag in one.tags() if ":deps-" in tag]
    for words in (["image", "inspect", image], ["history", "--no-trunc", image]):
        assert PASSWORD not in docker(*words)
    # All that a cook writes is one layer, so that nothing hides below.
    folders = "/build /cooked /cargo /etc /root /tmp"
    search = f"grep -rlF -e {PASSWORD} -e SCCACHE {folders} || true"
    assert docker("run", "--rm", "--network=none", "--entrypoint", "sh", image, "-c", search) == ""
    found = [path for path in one.root.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert found == []


@pytest.mark.parametrize("away", ["wrong password", "nobody there"])
def test_a_store_that_is_no_help_costs_no_build(
    checkout: Make, store: Store, away: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if away == "wrong password":
        monkeypatch.setenv("SCCACHE_REDIS_PASSWORD", "planted-wrong-19ab")
    else:
        store.stop()
    one = checkout({})
    program(one, store.configuration())
    made = cooked(one)
    assert made.counts["external"] == 2
    assert [found.why for found in off(made)] == ["store"]
    [warning] = reporting.warnings(made)
    assert "the store did not answer, or refused" in warning
    assert "planted-wrong-19ab" not in one.logs("deps")[-1].read_text()


def test_a_store_that_ends_in_the_middle_costs_no_build(checkout: Make, store: Store) -> None:
    """Stopped where it was asked first: sccache's server has seen it, and no crate has been looked for."""
    one = checkout({})
    program(one, store.configuration())
    child = one.start("deps")
    one.until(lambda: b".sccache_check" in store.ask("KEYS", "*") or child.poll() is not None, 120, "sccache to ask")
    store.stop()
    _, said = child.communicate(timeout=300)
    assert child.returncode == 0, said
    assert "the store failed while crates were compiled" in said


def test_a_builder_without_a_usable_sccache(checkout: Make, store: Store, tmp_path: Path) -> None:
    useless = tmp_path / "sccache"
    useless.write_text("#!/bin/sh\necho 'sccache 0.10.0'; echo '    Redis:     false'\n")
    useless.chmod(0o755)
    one = checkout({})
    program(one, store.configuration().replace(store.program, str(useless)))
    made = cooked(one)
    assert made.counts["external"] == 2
    assert [found.why for found in off(made)] == ["program"]
    assert "was built without Redis" in reporting.warnings(made)[0]


def test_doctor_asks_the_store(store: Store) -> None:
    given = {"SCCACHE_REDIS_PASSWORD": PASSWORD}
    assert store_facts.redis(store.address, given, None) == ("ok", "")
    answer, words = store_facts.redis(store.address, {"SCCACHE_REDIS_PASSWORD": "planted-wrong-19ab"}, None)
    assert (answer, words.partition(" ")[0]) == ("refused", "WRONGPASS")
    assert store_facts.redis(store.address, {}, None)[0] == "refused"
    store.stop()
    assert store_facts.redis(store.address, given, None) == ("away", "Connection refused")
