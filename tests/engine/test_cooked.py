"""Dependencies are compiled once: by the deps layer, and there only where they changed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from layerdoit.components import rust
from layerdoit.engine import mounts
from layerdoit.engine.api import builder_name
from layerdoit.engine.images import PREFIX
from layerdoit.flows import reporting
from tests.support.checkout import Checkout
from tests.support.lockfile import entry, external, lockfile

if TYPE_CHECKING:
    from layerdoit.flows.session import Session
    from layerdoit.layers.outcome import Outcome
    from layerdoit.project.inputs import Inputs
ITOA = {
    "1.0.11": "49f1f14873335454500d59611f1cf4a4b0f786f9ac11f4312a78e4cf2566695b",
    "1.0.14": "d75a2a4b1b190afb6f5425f10f6a8f959d2ea0b9c2b1d79553551850539e4674",
    "1.0.15": "4a5f13b858c8d314ee3e8f639011f7ccefe71f97f96e50151fb991f267928e2c",
}
OLD, NEW, NEWEST = ITOA
RYU = ("1.0.18", "f3cb5ba0dc43242ce17de99c180e96db90b235b8a9fdc9543c96d2209116bd9f")
CFG_IF = ("1.0.0", "baf1de4339761588bc0619e3cbc0120ee582ebb74b53b4efbf79117bd2da40fd")
EXTERNAL = {"itoa", "ryu"}


def manifest(name: str, dependency: str = "", path: str = "") -> str:
    """A package with an external dependency, or local ones."""
    lines = [f'{dependency} = "1"'] if dependency else []
    lines += [f'{word} = {{ path = "../{word}" }}' for word in path.split()]
    dependencies = "\n".join(lines)
    return f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\n{dependencies}\n'


def lock(itoa: str = OLD, *, apart: bool = False) -> str:
    """Cargo.lock with or without a member that stands apart."""
    crates = {"itoa": (itoa, ITOA[itoa]), "ryu": RYU}
    local = {"app": ["digits", "floats"], "digits": ["itoa"], "floats": ["ryu"]}
    if apart:
        crates["cfg-if"] = CFG_IF
        local["apart"] = ["cfg-if"]
    entries = [external(name, version, checksum) for name, (version, checksum) in crates.items()]
    return lockfile(*entries, *(entry(name, needs=needs) for name, needs in local.items()))


ROOT = '[workspace]\nmembers = ["app", "digits", "floats"]\nresolver = "2"\n\n[profile.dev]\ndebug = 0\n'
FILES: Mapping[str, str] = {
    "Cargo.toml": ROOT,
    "Cargo.lock": lock(),
    "app/Cargo.toml": manifest("app", path="digits floats"),
    "app/src/main.rs": 'fn main() { println!("{} {}", digits::text(12), floats::text(1.5)); }\n',
    "digits/Cargo.toml": manifest("digits", "itoa"),
    "digits/src/lib.rs": "pub fn text(n: u32) -> String { itoa::Buffer::new().format(n).to_owned() }\n",
    "floats/Cargo.toml": manifest("floats", "ryu"),
    "floats/src/lib.rs": "pub fn text(n: f64) -> String { ryu::Buffer::new().format(n).to_owned() }\n",
    "dodo.py": "from layerdoit import task_layerdoit\n",
}


def alone(checkout: Callable[..., Checkout]) -> Checkout:
    """A checkout whose crates nobody compiled before: BuildKit would remember another test's."""
    one = checkout(FILES)
    configure(one)
    return one


def configure(one: Checkout, env: str = "", more: str = "") -> None:
    """layerdoit.yaml, with this checkout's own environment."""
    one.configure(f"env:\n  RUST_ALONE: {one.name}\n{env}{more}")


@dataclass(frozen=True)
class Built:
    """What became of the layers, and which crates cargo compiled in each."""

    outcomes: Mapping[str, Outcome]
    compiled: Mapping[str, set[str]]

    def tag(self, layer: str) -> str:
        return self.outcomes[layer].step.spec.tag


def built(one: Checkout, **variables: str) -> Built:
    """Build all layers. The logs of earlier builds go first: two builds of one second share a file."""
    shutil.rmtree(one.root / ".layerdoit/logs", ignore_errors=True)
    outcomes = one.build(**variables)
    compiled = {
        layer: {
            name
            for path in one.logs(layer)
            for name in re.findall(r"^ *Compiling (\S+) v", path.read_text(), flags=re.MULTILINE)
        }
        for layer in ("deps", "app")
    }
    return Built(outcomes, compiled)


def test_a_bump_compiles_what_depends_on_it_and_the_way_back_nothing(checkout: Callable[..., Checkout]) -> None:
    one = alone(checkout)
    first = built(one)
    assert first.compiled["deps"] >= EXTERNAL
    assert first.compiled["app"] == {"app", "digits", "floats"}
    assert first.outcomes["app"].counts["external"] == 0
    assert one.said(first.tag("app")) == "12 1.5\n"

    one.write({"Cargo.lock": lock(NEW)})
    second = built(one)
    assert second.outcomes["deps"].how == f"cooked from {first.tag('deps')}"
    assert second.outcomes["deps"].step.why == f"itoa {OLD} → {NEW}"
    assert second.compiled["deps"] & EXTERNAL == {"itoa"}
    assert second.compiled["app"] == {"app", "digits"}
    assert second.outcomes["app"].counts["external"] == 0
    assert one.said(second.tag("app")) == "12 1.5\n"

    one.write({"Cargo.lock": lock(OLD)})
    third = built(one)
    assert {outcome.step.action for outcome in third.outcomes.values()} == {"reuse"}
    assert third.tag("deps") == first.tag("deps")
    # The lock of the first build, and sources of its own: the mount still has what the first deps image holds.
    one.replace("digits/src/lib.rs", "to_owned", "to_string")
    fourth = built(one)
    assert fourth.compiled["app"] == {"app", "digits"}
    assert fourth.outcomes["app"].counts["external"] == 0


def test_a_removed_deps_image_comes_again(checkout: Callable[..., Checkout]) -> None:
    one = alone(checkout)
    first = built(one)
    one.write({"Cargo.lock": lock(NEW)})
    built(one)
    one.write({"Cargo.lock": lock(OLD)})
    built(one)
    subprocess.run(["docker", "image", "rm", first.tag("deps")], check=True, capture_output=True)
    one.replace("digits/src/lib.rs", "to_owned", "to_string")
    again = built(one)
    step = again.outcomes["deps"].step
    assert (step.action, step.why, step.spec.tag) == ("build", "image was removed", first.tag("deps"))
    assert one.image(first.tag("deps"))
    assert again.outcomes["app"].counts["external"] == 0
    assert one.said(again.tag("app")) == "12 1.5\n"


def test_a_new_mount_meets_a_chain(checkout: Callable[..., Checkout]) -> None:
    """It has to be given what every image of the chain added."""
    one = alone(checkout)
    built(one)
    one.write({"Cargo.lock": lock(NEW)})
    assert built(one).outcomes["deps"].step.parent is not None
    for mount in mounts.of_project(one.name, builder_name()):
        mounts.prune(mount, builder_name())
    one.replace("app/src/main.rs", "12", "13")
    again = built(one)
    assert again.outcomes["app"].not_fresh == ()
    assert again.outcomes["app"].counts["external"] == 0
    assert one.said(again.tag("app")) == "13 1.5\n"


def test_a_full_chain_is_cooked_from_scratch(checkout: Callable[..., Checkout]) -> None:
    one = alone(checkout)
    configure(one, more="deps: {max_chain: 1, donors: false}\n")

    def step(version: str) -> tuple[str, str, set[str]]:
        one.write({"Cargo.lock": lock(version)})
        found = built(one)
        assert found.outcomes["app"].counts["external"] == 0
        tags.append(found.tag("deps"))
        depth = one.image(tags[-1])["Config"]["Labels"][PREFIX + "depth"]
        return found.outcomes["deps"].how, depth, found.compiled["deps"] & EXTERNAL

    tags: list[str] = []
    assert step(OLD) == ("cooked", "0", EXTERNAL)
    assert step(NEW) == (f"cooked from {tags[0]}", "1", {"itoa"})
    # Another could branch off from the first image of the chain; when that is gone, nothing is left to start from.
    subprocess.run(["docker", "image", "rm", tags[0]], check=True, capture_output=True)
    assert step(NEWEST) == ("cooked", "0", EXTERNAL)


def test_a_member_that_is_not_built_brings_its_dependencies_into_the_index_only(
    checkout: Callable[..., Checkout],
) -> None:
    one = alone(checkout)
    first = built(one)
    one.write({
        "Cargo.toml": ROOT.replace('"app", ', '"app", "apart", '),
        "Cargo.lock": lock(apart=True),
        "apart/Cargo.toml": manifest("apart", "cfg-if"),
        "apart/src/lib.rs": "",
    })  # fmt: skip
    second = built(one)
    assert second.tag("deps") == first.tag("deps")
    step = second.outcomes["deps"].step
    assert step.action == "build"
    assert step.reasons[0].kind == "lacking"
    assert "cfg-if 1.0.0" in step.reasons[0].names
    assert not second.compiled["deps"] & {*EXTERNAL, "cfg-if"}
    assert second.outcomes["app"].counts["external"] == 0
    assert second.compiled["app"] <= {"app", "digits", "floats"}
    assert {outcome.step.action for outcome in built(one).outcomes.values()} == {"reuse"}


def deps_tag(session: Session) -> str:
    """The deps layer of a project as it stands."""
    return session.plan.step("deps").spec.tag


def test_what_dependencies_do_not_see_leaves_them_and_flags_and_profiles_do_not(
    checkout: Callable[..., Checkout],
) -> None:
    one = alone(checkout)
    first = built(one)
    one.replace("digits/Cargo.toml", 'version = "0.1.0"', 'version = "0.2.0"\ndescription = "x"\nauthors = ["x"]')
    one.replace("Cargo.lock", 'name = "digits"\nversion = "0.1.0"', 'name = "digits"\nversion = "0.2.0"')
    one.replace("floats/Cargo.toml", 'edition = "2021"', 'edition = "2021"\n\n[lints.rust]\nunsafe_code = "deny"')
    second = built(one)
    assert second.outcomes["deps"].step.action == "reuse"
    assert second.tag("deps") == first.tag("deps")
    assert second.outcomes["app"].step.action == "build"
    assert second.outcomes["app"].counts["external"] == 0

    configure(one, "  RUSTFLAGS: --cfg marked\n")
    third = built(one)
    assert third.tag("deps") != first.tag("deps")
    assert third.compiled["deps"] >= EXTERNAL
    assert third.outcomes["app"].counts["external"] == 0
    configure(one)
    assert deps_tag(one.session()) == first.tag("deps")

    one.replace("Cargo.toml", "debug = 0", "debug = 0\nopt-level = 1")
    assert deps_tag(one.session()) != first.tag("deps")
    one.replace("Cargo.toml", "debug = 0\nopt-level = 1", "debug = 0")
    release = built(one, PROFILE="release")
    assert release.tag("deps") != first.tag("deps")
    assert release.compiled["deps"] >= EXTERNAL
    assert release.outcomes["app"].counts["external"] == 0
    assert deps_tag(one.session()) == first.tag("deps")


def test_an_external_crate_that_the_app_compiles_is_named(
    checkout: Callable[..., Checkout], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = alone(checkout)
    real = rust.cargo_args

    def other_flags(inputs: Inputs, *, stubs: bool) -> str:
        return real(inputs, stubs=stubs) + ("" if stubs else " --config profile.dev.package.itoa.opt-level=1")

    monkeypatch.setattr(rust, "cargo_args", other_flags)
    outcome = built(one).outcomes["app"]
    assert outcome.counts["external"] == 1
    assert outcome.not_fresh == (f"itoa@{OLD}",)
    (warning,) = reporting.warnings(outcome)
    assert f"itoa@{OLD}" in warning
    assert "ryu" not in warning
    assert "likely causes" in warning


def test_a_package_may_be_called_as_an_external_crate(checkout: Callable[..., Checkout]) -> None:
    """`-p itoa` would name both."""
    needs = 'dependencies = [\n "itoa 1.0.15",\n]\n'
    source = 'source = "registry+https://github.com/rust-lang/crates.io-index"\n'
    one = checkout(
        {
            "Cargo.toml": '[package]\nname = "itoa"\nversion = "0.2.0"\nedition = "2021"\n\n'
            '[dependencies]\nprinter = { package = "itoa", version = "1" }\n\n[profile.dev]\ndebug = 0\n',
            "Cargo.lock": f'version = 4\n\n[[package]]\nname = "itoa"\nversion = "0.2.0"\n{needs}\n'
            f'[[package]]\nname = "itoa"\nversion = "1.0.15"\n{source}checksum = "{ITOA[NEWEST]}"\n',
            "src/main.rs": 'fn main() { println!("{}", printer::Buffer::new().format(7)); }\n',
        }
    )
    assert one.build()["app"].counts["external"] == 0
    assert one.said(f"{one.name}:latest", "itoa") == "7\n"
