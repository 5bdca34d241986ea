"""Why a layer is built although its key says nothing: brought about on a real engine, then read."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from layerdoit.components import rust
from layerdoit.core.errors import BuildError, ConfigError
from layerdoit.engine import mounts
from layerdoit.engine.api import builder_name
from layerdoit.explain import answer
from layerdoit.layers import reasons
from tests.engine.registry_fixture import Registry
from tests.engine.test_cooked import FILES, NEW, NEWEST, OLD, configure, lock
from tests.support.checkout import Checkout
from tests.support.git import commit_all, git

if TYPE_CHECKING:
    from layerdoit.project.inputs import Inputs


def said(one: Checkout, layer: str, old: str = "", new: str = "", **variables: str) -> list[str]:
    """What explain says of one layer, without the line of its keys."""
    session = one.session(variables=variables)
    lines = list(answer.explain(session.inputs, session.engine, [layer], old, new).lines())
    start = next(number for number, line in enumerate(lines) if line.startswith(f"{layer}: "))
    return [line.strip() for line in lines[start + 1 :]]


def test_what_became_of_the_target_mount(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    commit_all(one.root)
    first = one.build()["app"].step.spec
    # The same project, checked out elsewhere: what the labels of the other's image say is enough.
    other = cloned(one, checkout)
    for changed in (one, other):
        changed.replace("app/src/main.rs", "0000", "1111")
    assert said(one, "app") == ["file app/src/main.rs changed"]
    elsewhere = said(other, "app")
    assert elsewhere[0] == "file app/src/main.rs changed"
    assert "compiled in another checkout" in elsewhere[1]
    assert elsewhere[2].startswith("also: the target mount is not on builder ")
    assert said(other, "app", first.tag) == elsewhere

    for mount in mounts.of_project(one.name, builder_name()):
        mounts.prune(mount, builder_name())
    gone = said(one, "app")
    assert gone[0] == "file app/src/main.rs changed"
    assert gone[1].startswith("also: the target mount is not on builder ")
    assert gone[1].endswith("all of the workspace's own crates compile")
    assert len(gone) == 2
    # It is true.
    assert one.build()["app"].counts["compiled"] >= 3
    # Right after a build, the build before is what it is compared with.
    assert said(one, "app") == ["file app/src/main.rs changed"]


def test_how_dependencies_come_about_and_what_compiled_again(checkout: Callable[..., Checkout]) -> None:
    one = checkout(FILES)
    configure(one)
    done = one.build()
    tag = done["deps"].step.spec.tag
    assert said(one, "deps") == []

    one.write({"Cargo.lock": lock(NEW)})
    moved = f"itoa {OLD} → {NEW} — direct dependency of digits, with the same requirement as before"
    assert said(one, "deps") == [
        moved,
        f"also: cooked on {tag}, which has 1 of the 2 packages: only the others compile",
    ]
    configure(one, more="deps: {delta: false, donors: false}\n")
    assert said(one, "deps") == [moved, "also: cooked from scratch: deps.delta is off"]
    configure(one)
    alone = "also: cooked from scratch: no earlier deps image here has the same base, profile, target and flags"
    assert said(one, "deps", PROFILE="release")[-1] == alone

    configure(one, more="deps: {max_chain: 1, donors: false}\n")
    second = one.build()["deps"].step.spec.tag
    one.write({"Cargo.lock": lock(NEWEST)})
    assert said(one, "deps")[-1].startswith(f"also: cooked on {tag}, which has ")
    subprocess.run(["docker", "image", "rm", tag], check=True, capture_output=True)
    assert said(one, "deps")[-1] == (
        f"also: cooked from scratch: the chain is full, as {second} builds on 1 other (deps.max_chain: 1)"
    )
    squashed = "also: the dependencies are cooked from scratch, and each chain of deps images has a target mount: "
    assert said(one, "app")[-1].startswith(squashed)


def cloned(one: Checkout, checkout: Callable[..., Checkout]) -> Checkout:
    """A second checkout of the same project."""
    other = checkout()
    shutil.rmtree(other.root)
    git(other.root.parent, "clone", "--quiet", str(one.root), str(other.root))
    return other


def test_a_second_checkout_tells_a_change_from_what_it_used_itself(checkout: Callable[..., Checkout]) -> None:
    """Its layers were found ready: the first checkout built them, and the newer ones too."""
    one = checkout(FILES)
    configure(one)
    commit_all(one.root)
    one.build()
    other = cloned(one, checkout)
    other.write({"app/src/main.rs": f"// the other one's\n{FILES['app/src/main.rs']}"})
    found = {layer: outcome.step.action for layer, outcome in other.build().items()}
    assert found == {"base": "reuse", "runtime": "reuse", "deps": "reuse", "app": "build"}

    one.write({"Cargo.lock": lock(NEW)})
    first = said(one, "deps")[0]
    assert first == f"itoa {OLD} → {NEW} — direct dependency of digits, with the same requirement as before"
    one.build()
    other.write({"Cargo.lock": lock(NEW)})
    steps = {step.spec.layer: step for step in other.session().plan.layers()}
    assert steps["deps"].action == "reuse"
    assert reasons.sentences(steps["app"].reasons) == [
        "the deps layer changed",
        f"itoa {OLD} → {NEW}",
        "1 file changed: Cargo.lock",
    ]
    assert said(other, "deps")[0] == first
    assert said(other, "app")[:2] == ["the deps layer changed", "file Cargo.lock changed"]

    # Dependencies that were compiled for an app that was not: `deps` is as it was built last, the app is not.
    other.build()
    other.write({"Cargo.lock": lock(NEWEST), "app/src/main.rs": "fn main() {"})
    with pytest.raises(BuildError):
        other.build()
    assert said(other, "deps") == []
    again = f"itoa {NEW} → {NEWEST}"
    assert again in reasons.sentences(other.session().plan.step("app").reasons)
    assert [line.partition(" — ")[0] for line in said(other, "app")[:2]] == ["the deps layer changed", again]


def test_a_miss_is_told_from_the_log_of_the_build(
    checkout: Callable[..., Checkout], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = checkout(FILES)
    configure(one)
    real = rust.cargo_args

    def other_flags(inputs: Inputs, *, stubs: bool) -> str:
        return real(inputs, stubs=stubs) + ("" if stubs else " --config profile.dev.package.itoa.opt-level=1")

    monkeypatch.setattr(rust, "cargo_args", other_flags)
    one.build()
    (line,) = said(one, "app")
    again = f"in the last build: 1 external crate compiled again in the app build (itoa@{OLD})"
    assert line == f"{again}: the profile differs (the fingerprint does not say in which key)"


def test_an_image_that_only_the_registry_has(
    checkout: Callable[..., Checkout],
    registry: Registry,
) -> None:
    """Labels are read without a pull, also those of the layers below."""
    repository = f"{registry.address}/team/explained"
    one = checkout(None, f"registry: {{repository: '{repository}'}}\n")
    done = {layer: outcome.step.spec for layer, outcome in one.build().items()}
    for layer in ("base", "runtime", "deps", "app"):
        registry.push(done[layer].tag, f"team/explained:{done[layer].tag.rpartition(':')[2]}")
    subprocess.run(["docker", "image", "rm", "--force", *one.tags()], check=True, capture_output=True)
    shutil.rmtree(one.root / ".layerdoit")
    one.replace("app/src/main.rs", "0000", "1111")
    one.replace("Cargo.toml", "debug = 0", "debug = 1")
    tag = done["app"].tag.rpartition(":")[2]
    for word in (tag, f"{repository}:{tag}"):
        assert said(one, "app", word)[:2] == ["the deps layer changed", "file Cargo.toml changed"]
        assert said(one, "deps", word)[0] == "profile dev: debug 0 → 1"
    assert one.tags() == set()
    with pytest.raises(ConfigError, match="is not a key, tag or git revision here"):
        said(one, "app", f"{repository}:app-0123")
