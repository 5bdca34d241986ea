"""Private crates go from one project to another only where both say so, and never in the place of another crate.

Each crate has a stamp, which its build script draws when it runs: what has one stamp in two images was compiled once.
"""

from __future__ import annotations

import functools
import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from layerdoit.layers.outcome import Outcome
from tests.engine.test_secrets import crate
from tests.support.checkout import Checkout
from tests.support.files import write
from tests.support.git_server import GitServer, serving
from tests.support.lockfile import CRATES_IO, entry, lockfile
from tests.support.server import gateway

Origins = Mapping[str, str]
"""The crates of a program, and which of those by that name: one of `GIT`, `corp`, or else one of crates.io."""

GIT = {"one": "private", "two": "private", "fork": "fork"}
"""Commits, by what the crate there says, and their repositories. `fork` is a patch of crates.io."""
EVERYTHING: Origins = {
    "lt-open": "public",
    "lt-same": "public",
    "lt-lower": "fork",
    "lt-upper": "public",
    "lt-private": "one",
    "lt-corp": "corp",
}
PUBLIC = {"lt-open", "lt-same"}
STAMPS = """\
fn main() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    println!("cargo:rustc-env=STAMP=stamp-{now}");
}
"""


# --- crates ----------------------------------------------------------------------------------------------------------


def units(name: str) -> int:
    """The library; a build script, and the run of that."""
    return 1 if name == "lt-upper" else 3


def stamped(name: str, text: str) -> dict[str, str]:
    """A crate that says a text and its stamp; `lt-upper` says what `lt-lower` did when it was compiled with that."""
    manifest = f'[package]\nname = "{name}"\nversion = "1.0.0"\nedition = "2021"\n'
    if name == "lt-upper":
        lower = "pub static SAID: &str = lt_lower::SAID;\n"
        return {"Cargo.toml": f'{manifest}\n[dependencies]\nlt-lower = "1"\n', "src/lib.rs": lower}
    said = f'pub const SAID: &str = concat!("{text} ", env!("STAMP"));\n'
    return {"Cargo.toml": manifest, "build.rs": STAMPS, "src/lib.rs": said}


@functools.cache
def packed(name: str, text: str) -> bytes:
    """A published crate."""
    files = stamped(name, text)
    return crate(name, files.pop("src/lib.rs"), files)


def checksum(name: str, text: str) -> str:
    return hashlib.sha256(packed(name, text)).hexdigest()


def index(name: str, text: str) -> dict[str, bytes]:
    """A crate's entry in the index of a registry."""
    lower = {"name": "lt-lower", "req": "^1", "features": [], "optional": False, "default_features": True}
    needs = [{**lower, "target": None, "kind": "normal"}] if name == "lt-upper" else []
    said = {"name": name, "vers": "1.0.0", "deps": needs, "features": {}, "yanked": False}
    return {f"{name[:2]}/{name[2:4]}/{name}": json.dumps({**said, "cksum": checksum(name, text)}).encode()}


@dataclass
class Crates:
    """Where they are. `commits`: by what the crate there says."""

    server: GitServer
    commits: Mapping[str, str]

    def registry(self, name: str) -> str:
        return f"http://{self.server.address}/files/{name}/"

    def git(self, commit: str) -> str:
        return f"http://{self.server.address}/team/{GIT[commit]}.git"

    def publish(self, registry: str, *names: str) -> None:
        for name in names:
            there = {f"dl/{name}": packed(name, registry), **index(name, registry)}
            there["config.json"] = json.dumps({"dl": f"{self.registry(registry)}dl/{{crate}}"}).encode()
            write(self.server.folder / "files" / registry, there)


@pytest.fixture(scope="module")
def crates(docker_engine: Any) -> Iterator[Crates]:
    """A mirror of crates.io, a private registry, and two private repositories, one of which has two commits."""
    try:
        with serving(gateway(docker_engine)) as server:
            crates = {"private": "lt-private", "fork": "lt-lower"}
            commits = {
                text: server.commit(f"team/{name}.git", stamped(crates[name], text)) for text, name in GIT.items()
            }
            there = Crates(server, commits)
            there.publish("public", "lt-open", "lt-same", "lt-lower", "lt-upper", "lt-private")
            there.publish("corp", "lt-corp")
            yield there
    except OSError:
        pytest.skip("containers cannot reach a server of this machine")


# --- projects --------------------------------------------------------------------------------------------------------


def project(crates: Crates, origins: Origins) -> dict[str, str]:
    """A program that uses these crates."""
    entries, dependencies, patch = [entry("app", needs=origins)], "", ""
    for name, text in origins.items():
        source, given, needs = CRATES_IO, '"1"', ["lt-lower"] if name == "lt-upper" else []
        if text == "corp":
            source, given = f"sparse+{crates.registry(text)}", '{ version = "1", registry = "corp" }'
        elif text in GIT:
            source, given = f"git+{crates.git(text)}#{crates.commits[text]}", f'{{ git = "{crates.git(text)}" }}'
        if text == "fork":
            patch, given = f"\n[patch.crates-io]\n{name} = {given}\n", '"1"'
        known = "" if text in GIT else checksum(name, text)
        entries.append(entry(name, "1.0.0", needs, source=source, checksum=known))
        dependencies += f"{name} = {given}\n"
    uses = "".join(f'    println!("{name} {{}}", {name.replace("-", "_")}::SAID);\n' for name in origins)
    return {
        ".cargo/config.toml": '[source.crates-io]\nreplace-with = "mirror"\n\n'
        f'[source.mirror]\nregistry = "sparse+{crates.registry("public")}"\n\n'
        f'[registries.corp]\nindex = "sparse+{crates.registry("corp")}"\n',
        # With a feature that nobody else has: BuildKit would take one cook for another.
        "Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n\n[profile.dev]\ndebug = 0\n\n'
        f"[features]\nof-{uuid.uuid4().hex} = []\n\n[dependencies]\n{dependencies}{patch}",
        "Cargo.lock": lockfile(*entries),
        "src/main.rs": f"fn main() {{\n{uses}}}\n",
        "dodo.py": "from layerdoit import task_layerdoit\n",
    }


def with_registry(one: Checkout, origins: Origins) -> Checkout:
    """The same with a registry in the tree in the place of crates.io."""
    config = '[source.crates-io]\nreplace-with = "tree"\n\n[source.tree]\nlocal-registry = "crates"\n'
    one.write({".cargo/config.toml": config})
    for name, text in origins.items():
        one.write({f"crates/{name}-1.0.0.crate": packed(name, text)})
        one.write({f"crates/index/{path}": content for path, content in index(name, text).items()})
    return one


@dataclass
class Built:
    """`alone`: what tells the images of its kind from all others; `stamps`: of the crates of its program."""

    one: Checkout
    alone: str
    deps: Outcome
    stamps: Mapping[str, str]

    def took(self, lender: Built) -> set[str]:
        """The crates that the other one has compiled; of all else that it compiled, nothing is in this image."""
        taken = {name for name, stamp in self.stamps.items() if lender.stamps.get(name) == stamp}
        search = "".join(f" -e {stamp}" for stamp in lender.stamps.values())
        image = self.deps.step.spec.tag
        found = self.one.run(image, "sh", "-c", f"grep -rhoaF {search} /cooked /cargo | sort -u").split()
        assert {name for name, stamp in lender.stamps.items() if stamp in found} == taken
        count, total = sum(map(units, taken)), sum(map(units, self.stamps))
        assert self.deps.how == f"cooked, {count} of {total} units taken from {lender.one.name}"
        return taken


def built(one: Checkout, origins: Origins, word: str, alone: str) -> Built:
    """Build a project that says a word of donors; its program says what the crates say that it is meant to have."""
    one.configure(f"env: {{RUST_ALONE: {alone}}}\ndeps: {{donors: {word}}}\n")
    outcomes = one.build()
    assert outcomes["app"].counts["external"] == 0, outcomes["app"].not_fresh
    lines = [line.split() for line in one.said(f"{one.name}:latest").splitlines()]
    lower = {"lt-upper": origins["lt-lower"]} if "lt-upper" in origins else {}
    assert {name: text for name, text, _ in lines} == {**origins, **lower}
    stamps = {name: stamp for name, _, stamp in lines}
    assert stamps.get("lt-upper") == stamps.get("lt-lower")
    return Built(one, alone, outcomes["deps"], stamps)


@pytest.fixture(scope="module")
def lenders(
    docker_engine: Any, crates: Crates, mounts_left: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Built]]:
    """Two projects that have compiled all crates; by what they say of donors."""
    made: dict[str, Checkout] = {}
    try:
        for word in ("true", "private"):
            name = f"lt-{uuid.uuid4().hex[:10]}"
            made[word] = Checkout(tmp_path_factory.mktemp(name), name, docker_engine)
            made[word].write(project(crates, EVERYTHING))
        yield {word: built(one, EVERYTHING, word, one.name) for word, one in made.items()}
    finally:
        for one in made.values():
            one.remove_images()
            mounts_left.append(one.name)


Takes = Callable[..., set[str]]


@pytest.fixture
def takes(checkout: Callable[..., Checkout], crates: Crates) -> Takes:
    """`takes(lender, word, origins)`: which crates another project takes, that says a word of donors."""

    def taken(lender: Built, word: str, origins: Origins = EVERYTHING) -> set[str]:
        return built(checkout(project(crates, origins)), origins, word, lender.alone).took(lender)

    return taken


# --- tests -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lends", "word"), [("true", "true"), ("private", "true"), ("true", "private")])
def test_private_crates_compile_unless_both_say_so(
    takes: Takes, lenders: Mapping[str, Built], lends: str, word: str
) -> None:
    assert takes(lenders[lends], word) == PUBLIC


def test_between_those_who_say_so_nothing_compiles_twice(takes: Takes, lenders: Mapping[str, Built]) -> None:
    assert takes(lenders["private"], "private") == set(EVERYTHING)


def test_another_commit_of_the_same_version_is_another_crate(takes: Takes, lenders: Mapping[str, Built]) -> None:
    assert takes(lenders["private"], "private", {**EVERYTHING, "lt-private": "two"}) == {*EVERYTHING} - {"lt-private"}


def test_the_same_version_from_elsewhere_is_another_crate(takes: Takes, lenders: Mapping[str, Built]) -> None:
    origins = dict.fromkeys(("lt-open", "lt-lower", "lt-upper", "lt-private"), "public")
    assert takes(lenders["private"], "private", origins) == {"lt-open"}


def test_the_same_version_with_another_checksum_is_another_crate(
    checkout: Callable[..., Checkout], crates: Crates
) -> None:
    """Registries in the trees of two projects have each a crate of their own by a name of crates.io."""
    ours, theirs = dict.fromkeys(("lt-open", "lt-same"), "public"), {"lt-open": "public", "lt-same": "another"}
    one, other = (with_registry(checkout(project(crates, origins)), origins) for origins in (ours, theirs))
    lender = built(one, ours, "true", one.name)
    assert built(other, theirs, "true", lender.alone).took(lender) == {"lt-open"}
