"""What deps images of other projects have compiled is taken from them, and nothing else of them stays."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable, Mapping

from layerdoit.flows.ensure import ensure
from layerdoit.layers.outcome import Outcome
from tests.support.checkout import Checkout
from tests.support.lockfile import entry, external, lockfile

# Version, checksum, dependencies. Crates of few lines; semver and serde_json have build scripts.
CRATES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "bytes": ("1.12.1", "fc652a48c352aef3ea3aed32080501cf3ef6ed5da78602a020c991775b0aff04", ()),
    "fnv": ("1.0.7", "3f9eec918d3f24069decb9af1554cad7c880e2da24a9afd88aca000531ab82c1", ()),
    "http": ("1.1.0", "21b9ddb458710bc376481b842f5da65cdf31522de232c1ca8146abce2a358258", ("bytes", "fnv", "itoa")),
    "itoa": ("1.0.11", "49f1f14873335454500d59611f1cf4a4b0f786f9ac11f4312a78e4cf2566695b", ()),
    "ryu": ("1.0.18", "f3cb5ba0dc43242ce17de99c180e96db90b235b8a9fdc9543c96d2209116bd9f", ()),
    "semver": ("1.0.28", "8a7852d02fc848982e0c167ef163aaff9cd91dc640ba85e263cb1ce46fae51cd", ()),
}
USES = {
    "http": "http::StatusCode::OK.as_u16()",
    "ryu": "ryu::Buffer::new().format(1.5).len()",
    "semver": "semver::Version::new(1, 2, 3)",
}


def project(*names: str) -> dict[str, str]:
    """A program that uses some external crates."""
    needed = {*names, *(below for name in names for below in CRATES[name][2])}
    crates = [external(name, *CRATES[name]) for name in sorted(needed)]
    uses = "\n".join(f'    println!("{{}}", {USES[name]});' for name in names)
    return {
        "Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n\n[profile.dev]\ndebug = 0\n\n'
        "[dependencies]\n" + "".join(f'{name} = "1"\n' for name in names),
        "Cargo.lock": lockfile(entry("app", needs=names), *crates),
        "src/main.rs": f"fn main() {{\n{uses}\n}}\n",
        "dodo.py": "from layerdoit import task_layerdoit\n",
    }


def found(one: Checkout, tag: str, names: Iterable[str]) -> set[str]:
    """Which crates an image of dependencies has anything of."""
    listing = one.run(tag, "find", "/cooked", "/cargo", "-printf", "%P\\n")
    return {name for name in names if f"{name}-" in listing or f"{name}@" in listing}


def deps(built: Mapping[str, Outcome]) -> tuple[str, str]:
    outcome = built["deps"]
    assert built["app"].counts["external"] == 0, built["app"].not_fresh
    return outcome.how, outcome.step.spec.tag


def test_units_are_taken_from_other_projects(checkout: Callable[..., Checkout]) -> None:
    shop, billing, last = (
        checkout(project(*names)) for names in (("http", "semver"), ("http", "ryu"), ("http", "ryu", "semver"))
    )
    # Nobody else's images are of this kind.
    alone = f"env: {{RUST_ALONE: {shop.name}}}\n"
    for one in (shop, billing, last):
        one.configure(alone)

    how, lender = deps(shop.build())
    assert how == "cooked"
    assert [one.project for one in billing.session().plan.step("deps").donors] == [shop.name]
    assert f"takes what is the same from the dependencies of {shop.name}" in billing.doit("layers", "plan").stdout
    built = billing.build()
    how, tag = deps(built)
    assert how == f"cooked, 4 of 5 units taken from {shop.name}"
    assert built["deps"].counts["external"] == 1
    assert found(billing, tag, CRATES) == {"bytes", "fnv", "http", "itoa", "ryu"}, "nothing of semver"
    assert billing.said(f"{billing.name}:latest") == "200\n3\n"

    # A project may refuse.
    last.configure(alone + "deps: {donors: false}\n")
    assert last.session().plan.step("deps").donors == ()
    last.configure(alone)
    # A donor that goes after the plan was made is one less.
    session = last.session()
    assert {one.project for one in session.plan.step("deps").donors} == {shop.name, billing.name}
    subprocess.run(["docker", "image", "rm", "--force", lender], check=True, capture_output=True)
    (outcome,) = [one for one in ensure(session, "deps") if one.step.spec.layer == "deps"]
    assert re.fullmatch(rf"cooked, 5 of \d units taken from {billing.name}", outcome.how)
    # Nobody needs the donors any more.
    subprocess.run(["docker", "image", "rm", "--force", tag], check=True, capture_output=True)
    assert last.build()["app"].counts["external"] == 0
    assert last.said(f"{last.name}:latest") == "200\n3\n1.2.3\n"
