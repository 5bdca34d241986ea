"""One compilation, several runtime images: what VARIANT changes, and what it leaves as it is."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

import pytest

from layerdoit.core.errors import ConfigError
from layerdoit.engine.images import PREFIX
from tests.support.checkout import Checkout

VARIANTS = """\
variants:
  slim: {}
  debug: {runtime_packages: [netbase]}
"""


def test_a_variant_compiles_nothing_and_has_a_tag_of_its_own(checkout: Callable[..., Checkout]) -> None:
    one = checkout(more=VARIANTS)
    first = one.build()
    assert first["app"].counts["compiled"] > 0
    ordinary = one.image()["Id"]

    varied = one.build(VARIANT="debug")
    assert {layer: outcome.step.action for layer, outcome in varied.items()} == {
        "base": "reuse",
        "runtime": "build",
        "deps": "reuse",
        "app": "build",
    }
    assert (varied["app"].how, varied["app"].counts) == ("assembled", {}), "cargo did not even run"
    assert varied["deps"].step.spec.key == first["deps"].step.spec.key
    assert varied["app"].step.spec.key != first["app"].step.spec.key
    assert one.image()["Id"] == ordinary, "the ordinary image keeps its tag"
    debug = one.image("latest-debug")
    assert debug["Id"] != ordinary
    assert debug["Config"]["Labels"][f"{PREFIX}variant"] == "dev/host+debug"
    assert one.said(f"{one.name}:latest-debug") == one.promised()

    for variables in ({}, {"VARIANT": "debug"}, {}):
        assert not one.session(variables=variables).plan.changes, "going back is instant"
    assert not one.session(variables={"VARIANT": ""}).plan.changes

    # What says nothing else is the same image under another name.
    slim = one.build(VARIANT="slim")
    assert slim["app"].step.action == "reuse"
    assert one.image("latest-slim")["Id"] == ordinary


def test_an_edit_is_compiled_once_for_all_variants(checkout: Callable[..., Checkout]) -> None:
    one = checkout(more=VARIANTS)
    one.build()
    one.build(VARIANT="debug")
    one.replace("app/src/main.rs", 'MAIN: &str = "', 'MAIN: &str = "edited')
    varied = one.build(VARIANT="debug")
    reasons = varied["app"].step.reasons
    assert [(reason.kind, reason.names) for reason in reasons] == [("changed", ("file app/src/main.rs",))]
    assert varied["app"].counts["compiled"] == 1
    assert one.build()["app"].counts["compiled"] == 0
    one.replace("app/src/main.rs", "edited", "twice")
    assert one.build()["app"].counts["compiled"] == 1
    assert one.build(VARIANT="debug")["app"].how == "assembled"
    assert one.said(f"{one.name}:latest") == one.said(f"{one.name}:latest-debug") == one.promised()


def test_retention_and_caches_tell_variants_apart(checkout: Callable[..., Checkout]) -> None:
    one = checkout(more=f"{VARIANTS}retention: {{app: {{keep_last: 1}}, base: {{keep_last: 1}}}}\n")
    one.build()
    one.build(VARIANT="debug")
    tags = one.tags()
    assert one.doit("cache_gc").returncode == 0
    assert one.tags() == tags, "the newest of each variant stays, and what it stands on"
    shown = one.doit("cache_status").stdout
    assert f"{one.name}:latest-debug" in shown
    assert "also tagged" not in shown
    one.replace("app/src/main.rs", 'MAIN: &str = "', 'MAIN: &str = "edited')
    one.build(VARIANT="debug")
    assert one.doit("cache_gc").returncode == 0
    gone = tags - one.tags()
    assert {tag.partition(":")[2].partition("-")[0] for tag in gone} == {"app"}
    assert len(gone) == 1, "only the variant's older one"


def test_tasks_take_a_variant(checkout: Callable[..., Checkout]) -> None:
    one = checkout({**Checkout.tiny, "dodo.py": "from layerdoit import task_layerdoit\n"}, more=VARIANTS)
    assert one.doit("image", "VARIANT=debug").returncode == 0
    assert f"{one.name}:latest-debug is the image of this tree" in one.doit("image", "VARIANT=debug").stdout
    assert one.image() is None
    explained = one.doit("layers", "plan", "VARIANT=debug")
    assert (explained.returncode, "build" in explained.stdout) == (0, False)
    wrong = one.doit("image", "VARIANT=debgu")
    assert wrong.returncode != 0
    assert 'there is no variant "debgu"' in wrong.stderr
    assert 'did you mean "debug"? variants: debug, slim' in wrong.stderr


def test_a_variant_of_a_project_without_variants(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    with pytest.raises(ConfigError, match="describe it in") as raised:
        one.session(variables={"VARIANT": "debug"})
    assert raised.value.what == 'there is no variant "debug"'


WAITS = r"""
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
static void stop(int signal) { exit(signal != SIGTERM); }
int main(void) { signal(SIGTERM, stop); puts("ready to serve"); fflush(stdout); for (;;) pause(); }
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
def test_a_variant_is_deployed_in_the_place_of_the_other(checkout: Callable[..., Checkout]) -> None:
    health = "deploy: {health: {log: ready to serve}}\nbuild: {binary: server}\n"
    one = checkout({"dodo.py": "from layerdoit import task_layerdoit\n"}, more=f"{VARIANTS}{health}")
    argv = ["gcc", "-x", "c", "-static", "-o", str(one.root / "server"), "-"]
    subprocess.run(argv, input=WAITS, text=True, check=True)

    def serving(*words: str) -> str:
        done = one.doit("cycle_fast", *words)
        assert done.returncode == 0, done.stderr
        argv = ["docker", "inspect", "--format", "{{.Image}}", one.name]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()

    try:
        ordinary = serving()
        assert ordinary == one.image()["Id"]
        assert serving("VARIANT=debug") == one.image("latest-debug")["Id"] != ordinary
        assert one.image()["Id"] == ordinary
        assert serving() == ordinary
    finally:
        assert one.doit("destroy").returncode == 0


def test_where_packages_are_not_all_a_variant_is_tried_on_its_own_image(checkout: Callable[..., Checkout]) -> None:
    one = checkout(more=f"{VARIANTS}image: {{smoke: ['']}}\n")
    one.build()
    assert one.build(VARIANT="debug")["app"].counts["compiled"] == 0
