"""`doit check` on a real engine: tests and clippy run, failures are shown, the image's own layers stay as they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from layerdoit.core.errors import BuildError
from layerdoit.flows import check
from layerdoit.project import question
from tests.engine.test_deps import BYTES, FNV, HTTP, MEMBERS, compiled, lock, right, using

TEST = """\
#[test]
fn value_is_what_lib_says() {
    assert!(!value().is_empty());
}

#[test]
fn there_is_no_network_but_there_is_a_loopback() {
    assert!(std::net::TcpStream::connect("192.0.2.1:80").is_err());
    assert!(std::net::TcpListener::bind("127.0.0.1:0").is_ok());
}

fn value() -> String { lib::value() }
"""


def run(tree: Any) -> tuple[dict[str, str], check.Printed | None]:
    """What was done to each layer, and what tests and clippy printed."""
    outcomes, said = check.run(tree.session(question.check))
    return {outcome.step.spec.layer: outcome.step.action for outcome in outcomes}, said


def test_check(checkout: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    tree = checkout()
    built = {layer: outcome.step.spec.tag for layer, outcome in tree.build().items()}
    tree.write({"lib/tests/it.rs": TEST})
    did, said = run(tree)
    assert (did["deps"], did["app"]) == ("build", "build")
    assert said is not None
    assert check.summary(said) == "2 tests passed; clippy: no warnings"

    # The same tree is not tested again, and nothing of the image's own layers has to be made again.
    again, silent = run(tree)
    assert (set(again.values()), silent) == ({"reuse"}, None)
    (tree.root / "lib/tests/it.rs").unlink()
    outcomes = tree.build()
    assert {layer: outcome.step.spec.tag for layer, outcome in outcomes.items()} == built
    assert {outcome.step.action for outcome in outcomes.values()} == {"reuse"}

    # What fails says so with its own words; what clippy finds is told.
    tree.write({"lib/tests/it.rs": TEST.replace("!value()", "value()")})
    capsys.readouterr()
    with pytest.raises(BuildError, match=r"^the check failed: 1 test failed \(value_is_what_lib_says\)"):
        run(tree)
    shown = capsys.readouterr().err
    assert "panicked at lib/tests/it.rs" in shown
    assert "there_is_no_network_but_there_is_a_loopback ... ok" in shown
    assert "Compiling" not in shown

    tree.write({"lib/tests/it.rs": TEST.replace("{ lib::value() }", "{ return lib::value(); }")})
    did, said = run(tree)
    assert (did["deps"], did["app"]) == ("reuse", "build")
    assert said is not None
    assert check.summary(said) == "2 tests passed; clippy: 1 warning"
    assert any("needless_return" in line for line in said.clippy)

    # cargo's own words name a manifest as it can be opened from here.
    manifest = (tree.root / "lib/Cargo.toml").read_text()
    tree.write({"lib/Cargo.toml": manifest.replace("[package]\n", "[package]\nwrong = 1\n")})
    capsys.readouterr()
    run(tree)
    here = os.path.relpath(tree.root)
    assert f"warning: {here}/lib/Cargo.toml: unused manifest key: package.wrong\n" in capsys.readouterr().err


def test_it_goes_on_from_what_the_build_compiled(checkout: Callable[..., Any]) -> None:
    """Dependencies of both compile once; a build never gets those of tests into its image."""
    tree = checkout()
    uses = {**MEMBERS, "lib": ("fnv", "http", "itoa", "stamp")}
    using(tree, "fnv", "itoa")
    manifest = tree.read("lib/Cargo.toml") + '\n[dev-dependencies]\nhttp = "1"\n'
    tree.write({"lib/Cargo.toml": manifest, "Cargo.lock": lock("1.0.10", uses, BYTES, FNV, HTTP)})
    built = tree.build()["deps"].step.spec
    members = {"app", "lib", "stamp"}
    assert compiled(tree, "deps") - members == {"fnv", "itoa"}
    outcomes, _ = check.run(tree.session(question.check))
    cooked = next(outcome for outcome in outcomes if outcome.step.spec.layer == "deps")
    assert cooked.how == f"cooked from {built.tag}"
    assert compiled(tree, "deps") - members == {"bytes", "http"}

    tree.write({"Cargo.lock": lock("1.0.11", uses, BYTES, FNV, HTTP)})
    again = tree.build()
    assert again["deps"].how == f"cooked from {built.tag}"
    assert right(tree, again)


def test_what_does_not_compile(checkout: Callable[..., Any]) -> None:
    tree = checkout()
    tree.write({"lib/tests/it.rs": "#[test]\nfn broken() { lib::nothing() }\n"})
    with pytest.raises(BuildError, match=r"cannot find function `nothing`"):
        run(tree)
