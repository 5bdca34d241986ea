"""Cycles on a real engine: what each builds, replaces and clears, and what of it is recorded."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from tests.engine.cycle_fixture import crate, edited, last, left_over, mount_ids, ok, same, served, serves
from tests.support.checkout import Checkout

__all__ = ["served"]


# --- the way it should go --------------------------------------------------------------------------------------------


def test_a_clean_cycle_builds_the_app_from_nothing_and_clears_afterwards(served: Callable[..., Checkout]) -> None:
    one = served()
    ok(one.doit("cycle_fast"))
    edited(one, "second text")
    ok(one.doit("cycle_fast"))
    before, images, tags = mount_ids(one), crate(one).images(), one.tags()

    with same(lambda: crate(one).images(), lambda: mount_ids(one), lambda: crate(one).containers()):
        shown = ok(one.doit("cycle_clean", "--dry-run"))
    assert "cycle_clean builds app from scratch (expected: " in shown
    assert ", n=1), then replaces the container, then clears" in shown

    done = ok(one.doit("cycle_clean"))
    assert "2 crates compiled — cycle_clean builds it from scratch" in done
    assert "replaced the old one" in done
    assert len(done.partition("\ncycle ")[2].splitlines()) <= 7
    assert serves(one) == "second text"
    changed = {tag for tag, image in crate(one).images().items() if images.get(tag) != image}
    current = next(tag for tag in tags if images[tag] == images[f"{one.name}:latest"] and "app-" in tag)
    assert changed == {current, f"{one.name}:latest"}, "the app image, and nothing below it"
    assert tags == one.tags(), "the release before can still be gone back to"
    assert mount_ids(one) == [f"{before[0]}~1"], "the old target folder is gone, the new one there"
    assert left_over(one) == []
    assert [name.split()[0] for name in json.loads(one.read(".layerdoit/renewal.json"))] == ["by", "use"], (
        "nothing is left over"
    )

    # The new target folder is the one in use.
    edited(one, "third text")
    again = ok(one.doit("cycle_fast"))
    assert ": 1 crate compiled" in again
    assert serves(one) == "third text"
    assert mount_ids(one) == [f"{before[0]}~1"]


def test_a_nuclear_cycle_builds_everything_from_nothing(served: Callable[..., Checkout], parents: str) -> None:
    one, other = served(parents), served(parents)
    ok(other.doit("cycle_fast"))
    ok(one.doit("cycle_fast"))
    images = crate(one).images()
    with same(lambda: crate(one).images(), lambda: mount_ids(one), lambda: crate(one).containers()):
        refused = one.doit("cycle_nuclear")
        assert refused.returncode == 1
        assert "there is no terminal to ask on" in refused.stderr
        assert "next: doit cycle_nuclear --yes" in refused.stderr
        assert "builds base, deps and app from scratch" in ok(one.doit("cycle_nuclear", "--dry-run", "--yes"))
    with same(lambda: crate(other).images(), lambda: mount_ids(other), lambda: crate(other).containers()):
        done = ok(one.doit("cycle_nuclear", "YES=1"))
    assert done.count("cycle_nuclear builds it from scratch") == 4
    after = crate(one).images()
    assert after.keys() == images.keys()
    assert not set(after.values()) & set(images.values())
    assert serves(one) == "first text"
    assert left_over(one) == []
    assert len(mount_ids(one)) == 1
    assert "build " not in ok(one.doit())
    assert "build " not in ok(other.doit()), "the next build of another project is still fully cached"
    assert [layer["cold"] for layer in last(one)["layers"].values()] == [True] * 4


def test_what_cannot_be_deployed_is_refused_before_it_is_built(served: Callable[..., Checkout]) -> None:
    one = served("  network: host\n")
    with same(lambda: crate(one).images(), lambda: mount_ids(one), lambda: crate(one).containers()):
        refused = one.doit("cycle_clean")
    assert refused.returncode == 2
    assert "with deploy.network: host, no new container can start beside the old one" in refused.stderr
    assert "build " not in refused.stdout


def test_a_base_that_may_not_be_built_stays(served: Callable[..., Checkout], parents: str) -> None:
    one = served(parents)
    ok(one.doit("cycle_fast"))
    one.write({"layerdoit.yaml": one.read("layerdoit.yaml") + "  on_missing: fail\n"})
    images = crate(one).images()
    ok(one.doit("cycle_nuclear", "--yes"))
    assert crate(one).images().keys() == images.keys()
    changed = {tag.split(":")[1].split("-")[0] for tag, image in crate(one).images().items() if images[tag] != image}
    assert changed == {"deps", "app", "latest"}


def test_refreshed_deps_are_the_first_of_a_chain(served: Callable[..., Checkout]) -> None:
    one = served()
    ok(one.doit("cycle_fast"))
    images, before = crate(one).images(), mount_ids(one)
    with same(lambda: crate(one).images()):
        assert "the old one" in ok(one.doit("cache_refresh", "--dry-run"))
    with same(lambda: crate(one).containers()):
        done = ok(one.doit("cache_refresh"))
    assert "cache_refresh builds it from scratch" in done
    changed = {tag.split(":")[1].split("-")[0] for tag, image in crate(one).images().items() if images[tag] != image}
    assert changed == {"deps"}
    assert left_over(one) == []
    assert serves(one) == "first text"
    assert mount_ids(one) == [], "no image is left that the old target folder fits"
    assert "build " not in ok(one.doit()), "the app is what it was"
    edited(one, "second text")
    ok(one.doit("cycle_fast"))
    assert serves(one) == "second text"
    assert not set(mount_ids(one)) & set(before), "against the new dependencies"


def test_warm_has_everything_but_the_app(served: Callable[..., Checkout]) -> None:
    one = served()
    ok(one.doit("cache_warm", "--profiles", "dev,release"))
    kinds = sorted(tag.split(":")[1].split("-")[0] for tag in one.tags())
    assert kinds == ["base", "deps", "deps", "runtime"]
    for profile in ("dev", "release"):
        assert "deps    build" not in ok(one.doit("app", f"PROFILE={profile}"))
    refused = one.doit("cache_warm", "--profiles", "relase")
    assert refused.returncode != 0
    assert 'did you mean "release"?' in refused.stderr


# --- the history -----------------------------------------------------------------------------------------------------


def test_what_is_recorded(served: Callable[..., Checkout]) -> None:
    one = served()
    one.git("init", "-q")
    one.git("add", ".")
    one.git("commit", "-qm", "first")
    commit = one.git("rev-parse", "HEAD").strip()
    ok(one.doit("cycle_fast"))
    run = last(one)
    assert (run["task"], run["variant"], run["outcome"]) == ("cycle_fast", "dev/host", "ok")
    assert (run["git_commit"], run["dirty"], run["host"]) == (commit, False, os.uname().nodename)
    app = run["layers"]["app"]
    assert (app["action"], app["compiled"], app["fresh"], app["external"]) == ("build", 2, 0, 0)
    assert app["reasons"] == ["not built before"]
    assert app["cold"] is True
    assert app["size"] > 1_000_000
    assert app["sent"] > 1_000
    assert 0 < app["export"] < app["seconds"] < run["seconds"]
    assert set(run["phases"]) == {"plan", "start", "healthy", "swap", "remove old"}

    edited(one, "second text")
    ok(one.doit("cycle_fast"))
    run = last(one)
    assert run["dirty"] is True
    assert {name: layer["action"] for name, layer in run["layers"].items()} == {
        **dict.fromkeys(("base", "runtime", "deps"), "reuse"),
        "app": "build",
    }
    assert (run["layers"]["app"]["compiled"], run["layers"]["app"]["fresh"]) == (1, 1)
    assert run["layers"]["app"]["reasons"] == ["1 file changed: src/main.rs"]

    # Nothing to do: nothing is written.
    database = one.root / ".layerdoit/history.db"
    before = database.read_bytes(), sorted(path.name for path in database.parent.glob("history*"))
    ok(one.doit("cycle_fast"))
    ok(one.doit())
    assert (database.read_bytes(), sorted(path.name for path in database.parent.glob("history*"))) == before

    # All was there, but another container is needed.
    edited(one, "first text")
    ok(one.doit("cycle_fast"))
    run = last(one)
    assert {layer["action"] for layer in run["layers"].values()} == {"reuse"}
    assert len(run["layers"]) == 4
    assert "swap" in run["phases"]


def test_failures_are_recorded_too(served: Callable[..., Checkout]) -> None:
    one = served()
    ok(one.doit("cycle_fast"))
    one.replace("src/main.rs", "let listener", "let listener: u32")
    assert one.doit("cycle_fast").returncode == 1
    run = last(one)
    assert (run["outcome"], run["failed_in"], run["layers"]["app"]["outcome"]) == ("failed", "app", "failed")
    assert "did not build" in run["error"]
    one.replace("src/main.rs", "let listener: u32", "let listener")
    one.replace("src/main.rs", "200 OK", "500 Sick")
    one.replace("layerdoit.yaml", "timeout: 20", "timeout: 1")
    assert one.doit("cycle_fast").returncode == 1
    run = last(one)
    assert (run["outcome"], run["failed_in"], run["layers"]["app"]["outcome"]) == ("failed", "healthy", "ok")
    assert serves(one) == "first text"
