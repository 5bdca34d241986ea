"""The stub workspace judged by cargo itself: same lock, same external packages with the same features, same units.

External packages are git repositories on the local disk: no network is needed. Real programs: test_real_programs.py.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from layerdoit.cargo.selection import Selection
from tests.support.cargo import CARGO, environment, not_fresh, packages, replace_by_real, run, tree, units, write_stub
from tests.support.files import write
from tests.support.git import commit_all
from tests.support.manifest import package as any_package

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

GIT = shutil.which("git")

pytestmark = pytest.mark.skipif(CARGO is None or GIT is None, reason="no cargo or no git on this machine")


@dataclass(frozen=True)
class World:
    """A CARGO_HOME of its own and two git repositories with external crates."""

    env: dict[str, str]
    ext: str
    user: str


EXT = {
    "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["*"]\nexclude = [".git"]\n',
    "alpha/Cargo.toml": """
[package]
name = "alpha"
version = "1.2.0"
edition = "2021"
[dependencies]
beta = { path = "../beta", optional = true }
[features]
default = ["std"]
std = []
extra = ["dep:beta"]
more = ["extra", "beta/b"]
""",
    "alpha/src/lib.rs": "",
    "beta/Cargo.toml": """
[package]
name = "beta"
version = "0.3.0"
edition = "2021"
build = "build.rs"
[features]
a = []
b = []
c = ["a"]
d = []
""",
    "beta/src/lib.rs": "",
    "beta/build.rs": "fn main() {}",
    "delta/Cargo.toml": '[package]\nname = "delta"\nversion = "0.5.1"\nedition = "2021"\n[features]\nf = []\n',
    "delta/src/lib.rs": 'pub fn word() -> &\'static str { "external" }',
    "epsilon/Cargo.toml": '[package]\nname = "epsilon"\nversion = "2.0.0"\n[features]\nx = []\ny = []\n',
    "epsilon/src/lib.rs": "",
}


def user_repository(ext: str) -> dict[str, str]:
    return {
        "Cargo.toml": f"""
[package]
name = "gamma"
version = "0.9.0"
edition = "2021"
[dependencies]
delta = {{ git = "{ext}", features = ["f"] }}
""",
        "src/lib.rs": "pub fn word() -> &'static str { delta::word() }",
    }


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    top = tmp_path_factory.mktemp("world")

    def repository(name: str, files: Mapping[str, str]) -> str:
        root = write(top / name, files)
        commit_all(root)
        return root.as_uri()

    ext = repository("ext", EXT)
    return World(environment(CARGO_HOME=str(top / "cargo-home")), ext, repository("user", user_repository(ext)))


Files = dict[str, str]

# Cases ask for 0.7 of each other where they ask for a version.
package = functools.partial(any_package, version="0.7.3")


def virtual(world: World) -> Files:
    """Everything a virtual workspace with resolver 2 can have."""
    git = f'git = "{world.ext}"'
    return {
        "Cargo.toml": f"""
[workspace]
resolver = "2"
members = ["crates/*", "tools/gen"]
exclude = ["crates/old"]
default-members = ["crates/app"]
[workspace.package]
version = "3.1.4"
edition = "2021"
description = "shared"
[workspace.dependencies]
alpha = {{ {git}, default-features = false }}
renamed = {{ {git}, package = "beta", features = ["d"] }}
util = {{ path = "crates/util", version = "0.7" }}
[workspace.lints.rust]
unused = "deny"
[profile.dev.package."*"]
opt-level = 1
[profile.dev.package.util]
opt-level = 2
[profile.custom]
inherits = "release"
lto = "fat"
""",
        "crates/app/Cargo.toml": f"""
[package]
name = "app"
version.workspace = true
edition.workspace = true
description.workspace = true
[features]
default = ["fast", "native"]
fast = ["alpha/extra"]
hidden = ["dep:delta", "native?/turbo"]
[dependencies]
alpha = {{ workspace = true, features = ["more"] }}
renamed = {{ workspace = true, features = ["c"] }}
delta = {{ {git}, optional = true }}
util.workspace = true
derive = {{ path = "../derive" }}
implicit = {{ path = "../../libs/implicit" }}
shared = {{ path = "../../../shared" }}
native = {{ path = "../native", optional = true }}
[target.'cfg(unix)'.dependencies]
epsilon = {{ {git}, features = ["x"] }}
[target.'cfg(windows)'.dependencies]
epsilon = {{ {git}, features = ["y"] }}
[dev-dependencies]
delta = {{ {git}, features = ["f"] }}
testkit = {{ path = "../testkit" }}
[lints]
workspace = true
""",
        "crates/app/src/main.rs": 'fn main() { println!("{}", util::one() + implicit::one() + shared::one()); }',
        "crates/app/src/bin/second.rs": "fn main() {}",
        "crates/app/sub/Cargo.toml": package("nested-but-not-a-member"),
        "crates/app/sub/src/lib.rs": "",
        "crates/util/Cargo.toml": package("util", f"[dependencies]\nalpha = {{ {git} }}\n[features]\nturbo = []"),
        "crates/util/src/lib.rs": "pub fn one() -> u32 { 1 }",
        "crates/derive/Cargo.toml": package(
            "derive", f'[lib]\nproc-macro = true\n[dependencies]\nbeta = {{ {git}, features = ["a"] }}'
        ),
        "crates/derive/src/lib.rs": "",
        "crates/native/Cargo.toml": package(
            "native",
            f'[features]\nturbo = ["epsilon/x"]\n[build-dependencies]\nepsilon = {{ {git}, features = ["y"] }}',
            head='build = "build/main.rs"\nlinks = "native"',
        ),
        "crates/native/build/main.rs": "fn main() {}",
        "crates/native/src/lib.rs": "",
        "crates/testkit/Cargo.toml": package(
            "testkit", f'[dependencies]\ndelta = {{ {git} }}\napp = {{ path = "../app" }}'
        ),
        "crates/testkit/src/lib.rs": "",
        "crates/old/Cargo.toml": package("old", '[dependencies]\nno-such-crate = { path = "nowhere" }'),
        "crates/notes.txt": "a file among the members",
        "tools/gen/Cargo.toml": package(
            "gen", f'[dependencies]\nbeta = {{ {git}, features = ["c"] }}\nutil.workspace = true'
        ),
        "tools/gen/src/main.rs": "fn main() { let _ = util::one(); }",
        "libs/implicit/Cargo.toml": package("implicit", "[dependencies]\n[dev-dependencies]\nutil.workspace = true"),
        "libs/implicit/src/lib.rs": "pub fn one() -> u32 { 1 }",
        "../shared/Cargo.toml": package(
            "shared", f'[dependencies]\nalpha = {{ {git} }}\n[dev-dependencies]\nnot-there = {{ path = "../nowhere" }}'
        ),
        "../shared/src/lib.rs": "pub fn one() -> u32 { 1 }",
    }


def single(world: World) -> Files:
    """One package without [workspace]; its path dependency is no member, so its dev-dependencies do not count."""
    git = f'git = "{world.ext}"'
    return {
        "Cargo.toml": package(
            "app", f'[dependencies]\nhelper = {{ path = "helper", features = ["on"] }}\nalpha = {{ {git} }}'
        ),
        "src/main.rs": "fn main() {}",
        "build.rs": "fn main() {}",
        "helper/Cargo.toml": package(
            "helper",
            f'[features]\non = ["beta"]\n[dependencies]\nbeta = {{ {git}, optional = true }}\n'
            f"[dev-dependencies]\ndelta = {{ {git} }}",
        ),
        "helper/src/lib.rs": "",
    }


def old_resolver(world: World) -> Files:
    """Resolver 1 unifies dev-, build- and root-package features with everything."""
    git = f'git = "{world.ext}"'
    return {
        "Cargo.toml": f"""
[package]
name = "rooted"
version = "0.1.0"
edition = "2018"
[workspace]
members = ["member"]
[dependencies]
epsilon = {{ {git}, features = ["x"] }}
[dev-dependencies]
beta = {{ {git}, features = ["a"] }}
""",
        "src/main.rs": "fn main() {}",
        "member/Cargo.toml": package(
            "member",
            f"[dependencies]\nbeta = {{ {git} }}\nepsilon = {{ {git} }}\n"
            f'[build-dependencies]\nbeta = {{ {git}, features = ["b"] }}\n'
            f'[dev-dependencies]\nepsilon = {{ {git}, features = ["y"] }}',
        ),
        "member/src/main.rs": "fn main() {}",
        "member/build.rs": "fn main() {}",
    }


def patched(world: World) -> Files:
    """A patch that external crates are compiled against, one only local crates use, one unused."""
    patches = 'delta.path = "patches/delta"\nepsilon.path = "patches/epsilon"\nbeta.path = "../beta"\n'
    return {
        "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["app", "low"]\n'
        '[workspace.package]\nversion = "0.5.9"\nedition = "2021"\n[workspace.lints.rust]\nunused = "warn"\n'
        f'[patch."{world.ext}"]\n{patches}',
        "app/Cargo.toml": package(
            "app",
            f'[dependencies]\ngamma.git = "{world.user}"\nepsilon = {{ git = "{world.ext}", features = ["x"] }}',
        ),
        "app/src/main.rs": 'fn main() { println!("{}", gamma::word()); }',
        "low/Cargo.toml": package("low", f'[dependencies]\nalpha = {{ git = "{world.ext}" }}', version="0.2.0"),
        "low/src/lib.rs": 'pub fn word() -> &\'static str { "patched" }',
        "patches/delta/Cargo.toml": '[package]\nname = "delta"\nversion.workspace = true\nedition.workspace = true\n'
        '[features]\nf = []\n[dependencies]\nlow = { path = "../../low", version = "0.2" }\n'
        "[lints]\nworkspace = true\n",
        "patches/delta/src/lib.rs": "pub fn word() -> &'static str { low::word() }",
        "patches/epsilon/Cargo.toml": package(
            "epsilon", f'[features]\nx = ["alpha/extra"]\n[dependencies]\nalpha.git = "{world.ext}"', version="2.4.0"
        ),
        "patches/epsilon/src/lib.rs": "",
        "../beta/Cargo.toml": package("beta", "[features]\na = []\nb = []\nc = []", version="0.3.7"),
        "../beta/src/lib.rs": "",
    }


def root_patched(world: World) -> Files:
    """The root package itself replaces an external one that another external package uses."""
    return {
        "Cargo.toml": package("delta", "[features]\nf = []", version="0.5.8")
        + f'[workspace]\nmembers = ["app"]\nresolver = "2"\n[patch."{world.ext}"]\ndelta = {{ path = "." }}\n',
        "src/lib.rs": 'pub fn word() -> &\'static str { "root" }',
        "app/Cargo.toml": package("app", f'[dependencies]\ngamma = {{ git = "{world.user}" }}'),
        "app/src/main.rs": 'fn main() { println!("{}", gamma::word()); }',
    }


def namesakes(world: World) -> Files:
    """A member called like an external package, with the same version, both used."""
    return {
        "Cargo.toml": '[workspace]\nresolver = "3"\nmembers = ["app", "delta"]\n',
        "app/Cargo.toml": package(
            "app", f'[dependencies]\ngamma.git = "{world.user}"\nmine = {{ package = "delta", path = "../delta" }}'
        ),
        "app/src/main.rs": "fn main() { assert_ne!(gamma::word(), mine::word()); }",
        "delta/Cargo.toml": package("delta", version="0.5.1"),
        "delta/src/lib.rs": 'pub fn word() -> &\'static str { "mine" }',
    }


def lto(world: World) -> Files:
    """With LTO the crate types of local libraries decide what dependencies are compiled to."""
    git = f'git = "{world.ext}"'
    return {
        "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["*"]\nexclude = ["target"]\n[profile.dev]\nlto = true\n',
        "app/Cargo.toml": package("app", f'[dependencies]\nplug = {{ path = "../plug" }}\nalpha = {{ {git} }}'),
        "app/src/main.rs": "fn main() {}",
        "plug/Cargo.toml": package(
            "plug", f'[lib]\ncrate-type = ["cdylib", "rlib"]\n[dependencies]\nbeta = {{ {git} }}'
        ),
        "plug/src/lib.rs": "",
    }


def foreign(world: World) -> Files:
    """A path dependency that inherits from a workspace of its own, next to this one."""
    git = f'git = "{world.ext}"'
    return {
        "Cargo.toml": package("app", '[dependencies]\npart = { path = "../other/part", features = ["p"] }'),
        "src/main.rs": "fn main() {}",
        "../other/Cargo.toml": f'[workspace]\nmembers = ["part"]\n[workspace.package]\nversion = "9.0.0"\n'
        f'[workspace.dependencies]\nbeta = {{ {git}, features = ["b"] }}\nlow = {{ path = "low" }}\n',
        "../other/part/Cargo.toml": '[package]\nname = "part"\nversion.workspace = true\nedition = "2024"\n'
        '[features]\np = ["beta/a"]\n[dependencies]\nbeta.workspace = true\nlow.workspace = true\n',
        "../other/part/src/lib.rs": "",
        "../other/low/Cargo.toml": package("low", f'[dependencies]\nalpha = {{ {git}, features = ["extra"] }}'),
        "../other/low/src/lib.rs": "",
    }


def replaced(world: World) -> Files:
    """The old [replace] table."""
    return {
        "Cargo.toml": package("app", f'[dependencies]\ngamma = {{ git = "{world.user}" }}')
        + f'[workspace]\nexclude = ["patches"]\n[replace]\n"{world.ext}#delta@0.5.1" = {{ path = "patches/delta" }}\n',
        "src/main.rs": 'fn main() { println!("{}", gamma::word()); }',
        "patches/delta/Cargo.toml": package("delta", "[features]\nf = []", version="0.5.1"),
        "patches/delta/src/lib.rs": 'pub fn word() -> &\'static str { "replaced" }',
    }


def configured(world: World) -> Files:
    """.cargo/config.toml with a patch, a profile, flags, and what does not matter."""
    return {
        **single(world),
        ".cargo/config.toml": f"""
[alias]
b = "build"
[build]
target-dir = "elsewhere"
rustflags = ["--cfg", "seen"]
[profile.dev]
opt-level = 1
[env]
LOCATION = {{ value = "here", relative = true }}
[patch."{world.ext}"]
beta = {{ path = "patched-beta" }}
""",
        "patched-beta/Cargo.toml": package("beta", "[features]\na = []", version="0.3.3"),
        "patched-beta/src/lib.rs": "",
    }


def many_binaries(world: World) -> Files:
    """Old spellings, autodiscovery switched off, [project]."""
    git = f'git = "{world.ext}"'
    return {
        "Cargo.toml": '[project]\nname = "app"\nversion = "0.1.0"\nedition = "2018"\nautobins = false\n'
        '[[bin]]\nname = "tool"\npath = "tool.rs"\n'
        f"[dependencies.alpha]\n{git}\ndefault-features = false\n"
        f'[target."cfg(unix)".dependencies.beta]\n{git}\nfeatures = ["a"]\n',
        "tool.rs": "fn main() {}",
        "src/main.rs": "not compiled",
    }


CASES: dict[str, tuple[Callable[[World], Files], list[Selection | None]]] = {
    "virtual": (virtual, [None, Selection(("gen",), ()), Selection(("app", "gen"), ()), Selection(("util",), ())]),
    "single": (single, [None]),
    "old_resolver": (old_resolver, [None, Selection(("member",), ()), Selection(("member", "rooted"), ())]),
    "patched": (patched, [None, Selection(("low",), ())]),
    "root_patched": (root_patched, [Selection(("app",), ())]),
    "namesakes": (namesakes, [None]),
    "lto": (lto, [None, Selection(("plug",), ())]),
    "foreign": (foreign, [None]),
    "replaced": (replaced, [None]),
    "configured": (configured, [None]),
    "many_binaries": (many_binaries, [None]),
}


def make_real(case: str, world: World, top: Path) -> Path:
    root = top / "checkout" / "_"  # so that the checkout and the build context have one layout
    write(root, CASES[case][0](world))
    run(["cargo", "generate-lockfile", "-q"], root, world.env)
    return root


@pytest.mark.parametrize(
    ("case", "selection"), [(name, item) for name, (_, chosen) in CASES.items() for item in chosen], ids=str
)
def test_same_resolution(case: str, selection: Selection | None, world: World, tmp_path: Path) -> None:
    root = make_real(case, world, tmp_path)
    place, chosen = write_stub(root, tmp_path / "stub", selection)
    run(["cargo", "metadata", "--locked", "--format-version=1"], place, world.env)
    for more in ((), ("--target", "all")):
        assert tree(place, chosen, world.env, *more) == tree(root, chosen, world.env, *more)
    found = units(place, chosen, world.env)
    assert found == units(root, chosen, world.env)
    assert found


@pytest.mark.parametrize("features", [["--no-default-features"], ["--features", "hidden"], ["--all-features"]], ids=str)
def test_same_units_with_features(features: list[str], world: World, tmp_path: Path) -> None:
    root = make_real("virtual", world, tmp_path)
    place, chosen = write_stub(root, tmp_path / "stub", None)
    assert units(place, chosen, world.env, *features) == units(root, chosen, world.env, *features)


@pytest.mark.parametrize(
    ("case", "prints"),
    [("virtual", "3"), ("patched", "patched"), ("root_patched", "root"), ("lto", ""), ("replaced", "replaced")],
)
def test_nothing_external_is_compiled_again(case: str, prints: str, world: World, tmp_path: Path) -> None:
    root = make_real(case, world, tmp_path)
    place, chosen = write_stub(root, tmp_path / "stub", Selection(("app",), ()))
    target = tmp_path / "target"
    assert not_fresh(place, packages(chosen), target, world.env)
    whole = place.name == "_"
    replace_by_real(root.parent if whole else root, place.parent if whole else place)
    assert not_fresh(place, packages(chosen), target, world.env) == []
    binary = subprocess.run([target / "debug" / "app"], capture_output=True, text=True, check=True)
    assert binary.stdout.strip() == prints
