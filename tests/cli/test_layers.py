"""`doit layers`: what would be done to each layer and why, for people and for programs."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from tests.support.scratch import Crate, docker, message, without_reader


def plan(crate: Crate, *words: str) -> dict[str, tuple[str, str]]:
    """Layer -> action and reasons, from the documented JSON."""
    told = json.loads(crate.doit("layers", "plan", "--json", *words).out)
    assert list(told) == ["layers", "removes", "obstacle", "pending"]
    for layer in told["layers"]:
        assert list(layer) == [
            "layer",
            "action",
            "key",
            "tag",
            "reasons",
            "causes",
            "expected",
            "pull",
            "push",
            "compiles",
        ]
        assert layer["action"] in ("reuse", "skip", "pull", "build")
        assert layer["tag"].endswith(f"{layer['layer']}-{layer['key'][:12]}")
        assert layer["reasons"]
        assert all(isinstance(reason, str) for reason in layer["reasons"])
        assert [cause["kind"] for cause in layer["causes"]]
    assert [layer["layer"] for layer in told["layers"]] == ["base", "deps", "app"]
    return {layer["layer"]: (layer["action"], "; ".join(layer["reasons"])) for layer in told["layers"]}


def test_plan_says_why(own: Crate) -> None:
    assert set(plan(own).values()) == {("build", "not built before")}
    assert own.doit("layers", "plan").ok().err == ""
    assert own.images() == {}
    own.doit().ok()
    upto = ("reuse", "image is up to date")
    assert plan(own) == {"base": upto, "deps": upto, "app": upto}
    assert own.doit("layers", "plan", "--exit-code").code == 0

    own.edit("src/main.rs", "first text", "second text")
    own.write("src/more.rs", "")
    assert plan(own)["app"] == ("build", "1 file changed: src/main.rs"), "nothing reads the new one"
    changes = own.doit("layers", "plan", "--exit-code", "--json")
    assert changes.code == 2
    assert json.loads(changes.out)["layers"][2]["action"] == "build"
    own.edit("src/main.rs", "second text", "first text")
    (own.folder / "src/more.rs").unlink()

    base = next(tag for tag in own.images() if ":base-" in tag)
    docker("image", "rm", base)
    assert plan(own) == {"base": ("build", "image was removed"), "deps": upto, "app": upto}
    own.doit().ok()

    shutil.rmtree(own.folder / ".layerdoit")
    assert plan(own) == {"base": upto, "deps": upto, "app": upto}
    shutil.rmtree(own.folder / ".layerdoit")
    docker("image", "rm", *(tag for tag in own.images() if ":app-" in tag or ":latest" in tag))
    assert plan(own)["app"] == ("build", "not built before")


def test_plan_says_what_retention_will_remove(own: Crate) -> None:
    """And the build removes exactly that."""
    settings = (own.folder / "layerdoit.yaml").read_text()
    own.write("layerdoit.yaml", settings + "retention:\n  after_build: true\n  app: {keep_last: 2}\n")
    own.doit("image").ok()
    own.edit("src/main.rs", "first text", "second text")
    own.doit("image").ok()
    assert json.loads(own.doit("layers", "plan", "--json").ok().out)["removes"] is None, "nothing is built"
    own.edit("src/main.rs", "second text", "third text")
    before = {tag for tag in own.images() if ":app-" in tag}
    removes = json.loads(own.doit("layers", "plan", "--json").ok().out)["removes"]
    assert (len(removes["images"]), removes["mounts"], len(before)) == (1, 0, 2)
    shown = own.doit("layers", "plan").ok().out.splitlines()[-1]
    assert shown.startswith("would remove 1 image, up to ")
    assert shown.endswith(f"(retention): {removes['images'][0]}")
    assert "retention: " in own.doit("image").ok().out
    assert before - {tag for tag in own.images() if ":app-" in tag} == set(removes["images"])


def test_plan_names_changed_dependencies(own: Crate) -> None:
    """Nothing is built, as crates would have to be downloaded: the plan compares with a label on an image of ours."""
    own.doit().ok()
    own.write("Cargo.toml", (own.folder / "Cargo.toml").read_text() + '[dependencies]\nanyhow = "1"\n')
    own.write(
        "Cargo.lock",
        """\
version = 3

[[package]]
name = "anyhow"
version = "1.0.95"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "34ac096ce696dc2fcabef30516bb13c0a68a11d30131d3df6f04711467681b04"

[[package]]
name = "hello"
version = "0.1.0"
dependencies = [
 "anyhow",
]
""",
    )
    action, reasons = plan(own)["deps"]
    assert action == "build"
    assert "anyhow 1.0.95 added" in reasons
    action, reasons = plan(own)["app"]
    assert (action, "the deps layer changed" in reasons) == ("build", True)


def test_a_removed_layer_comes_back_as_it_was(own: Crate) -> None:
    own.doit().ok()
    before = own.images()
    docker("image", "rm", *(tag for tag in before if ":base-" in tag))
    done = own.doit().ok()
    assert f"base    build {own.name}:base-" in done.out
    assert "image was removed" in done.out
    assert set(own.images()) == set(before)


def test_version(plain: Crate, docker_engine: Any) -> None:
    shown = plain.doit("layers", "version").ok()
    assert [line.split()[0] for line in shown.out.splitlines()] == ["layerdoit", "doit", "engine", "buildx"]
    assert set(json.loads(plain.doit("layers", "version", "--json").ok().out)) == {
        "layerdoit",
        "doit",
        "engine",
        "buildx",
    }


@pytest.mark.parametrize("words", [["paln"], ["plan", "extra"], ["plan", "--jsno"], ["--json"]])
def test_layers_misused(plain: Crate, words: list[str]) -> None:
    refused = plain.doit("layers", *words)
    assert refused.code == 2
    assert refused.out == ""
    message(refused)


@pytest.mark.parametrize("words", [["--help"], []])
def test_help_is_shown_where_it_is_asked_for(plain: Crate, words: list[str]) -> None:
    assert plain.doit("layers", *words).ok().out == plain.doit("help", "layers").ok().out
    assert "usage: doit layers plan " in plain.doit("layers", "plan", *words, "-h").ok().out


@pytest.mark.parametrize(
    ("words", "code"),
    [(["layers", "report"], 141), (["layers", "history"], 141), (["layers"], 141), (["help", "layers"], 0)],
)
def test_output_that_nobody_reads_ends_quietly(plain: Crate, words: list[str], code: int) -> None:
    assert without_reader(plain, *words) == (code, "")
