"""The deps layer: what compiles in it, what does not compile again after it, and when it is made anew."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from layerdoit.core.errors import WorkspaceError
from layerdoit.engine.images import PREFIX
from layerdoit.layers.outcome import Outcome
from tests.support.checkout import Checkout
from tests.support.git import commit_all
from tests.support.lockfile import entry, external, lockfile

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ITOA = {
    "1.0.9": "af150ab688ff2122fcef229be89cb50dd66af9e01a4ff320cc137eecc9bacc38",
    "1.0.10": "b1a46d1a171d865aa5f83f92695765caa047a9b4cbae2cbf37dbd613a793fd4c",
    "1.0.11": "49f1f14873335454500d59611f1cf4a4b0f786f9ac11f4312a78e4cf2566695b",
}
# Name, version, checksum, dependencies. Crates of few lines.
BYTES = ("bytes", "1.12.1", "fc652a48c352aef3ea3aed32080501cf3ef6ed5da78602a020c991775b0aff04", ())
FNV = ("fnv", "1.0.7", "3f9eec918d3f24069decb9af1554cad7c880e2da24a9afd88aca000531ab82c1", ())
HTTP = ("http", "1.1.0", "21b9ddb458710bc376481b842f5da65cdf31522de232c1ca8146abce2a358258", ("bytes", "fnv", "itoa"))
SEMVER = ("semver", "1.0.28", "8a7852d02fc848982e0c167ef163aaff9cd91dc640ba85e263cb1ce46fae51cd", ())
Crate = tuple[str, str, str, tuple[str, ...]]


def lock(itoa: str, uses: Mapping[str, tuple[str, ...]], *others: Crate) -> str:
    """Cargo.lock of members (name -> dependencies), itoa and other external crates."""
    crates: list[Crate] = [("itoa", itoa, ITOA[itoa], ()), *others]
    local = [entry(name, needs=needs) for name, needs in uses.items()]
    return lockfile(*local, *(external(*crate) for crate in crates))


MEMBERS: Mapping[str, tuple[str, ...]] = {"app": ("lib",), "lib": ("fnv", "itoa", "stamp"), "stamp": ()}


def using(one: Checkout, *names: str) -> None:
    """Have the library use external crates, and compile them under a key that BuildKit has nothing for yet."""
    one.configure(f"env: {{RUST_TEST: {one.name}}}\n")
    manifest = one.read("lib/Cargo.toml") + "".join(f'{name} = "1"\n' for name in names)
    used = {
        "fnv": "fnv::FnvHashMap::<u8, u8>::default().len()",
        "itoa": "itoa::Buffer::new().format(1).len()",
        "http": "http::StatusCode::OK.as_u16() as usize",
    }
    body = "".join(f"#[inline(never)] pub fn {name}() -> usize {{ {used[name]} }}\n" for name in names)
    one.write({"lib/Cargo.toml": manifest, "lib/src/lib.rs": one.read("lib/src/lib.rs") + body})


def compiled(one: Checkout, layer: str) -> set[str]:
    """The crates that the last build of a layer compiled."""
    return set(re.findall(r"^\s*Compiling (\S+) v", one.logs(layer)[-1].read_text(), re.MULTILINE))


def right(one: Checkout, built: Mapping[str, Outcome]) -> bool:
    """No external crate compiled with the app, and the program says what the sources say."""
    app = built["app"]
    assert app.counts.get("external", 0) == 0, app.not_fresh
    return one.said(app.step.spec.tag) == one.promised()


def label(one: Checkout, tag: str, name: str) -> str:
    found = one.image(tag)["Config"]["Labels"][PREFIX + name]
    assert isinstance(found, str)
    return found


def test_the_example_compiles_no_external_crate_with_the_app(checkout: Callable[..., Checkout]) -> None:
    one = checkout({})
    shutil.copytree(
        EXAMPLES, one.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("target", ".layerdoit", "node_modules")
    )
    one.root = one.root / "bookshelf"
    configured = one.read("layerdoit.yaml")
    one.configure(configured)
    app = one.build()["app"]
    assert app.counts["external"] == 0, app.not_fresh
    assert app.counts["compiled"] >= 6
    with closing(sqlite3.connect(one.root / ".layerdoit/history.db")) as history:
        rows = history.execute("SELECT compiled, external FROM layers WHERE layer = 'app'").fetchall()
    assert rows == [(app.counts["compiled"], 0)]


def test_a_bump_compiles_the_bumped_crate_and_its_dependents(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    using(one, "http")
    uses = {**MEMBERS, "lib": ("http", "stamp")}
    one.write({"Cargo.lock": lock("1.0.9", uses, BYTES, FNV, HTTP)})
    commit_all(one.root)
    first = one.build()
    assert first["deps"].counts["external"] == 4
    assert right(one, first)

    one.write({"Cargo.lock": lock("1.0.10", uses, BYTES, FNV, HTTP)})
    second = one.build()
    assert second["deps"].step.why == "itoa 1.0.9 → 1.0.10"
    assert second["deps"].step.parent is not None
    assert compiled(one, "deps") & {"itoa", "http", "bytes", "fnv"} == {"itoa", "http"}
    assert second["deps"].counts["external"] == 2
    assert compiled(one, "app") == {"lib", "app"}, "stamp, which depends on nothing, is carried over"
    assert right(one, second)

    # Back: nothing is built. And forth with an edit: the mount still has everything.
    one.write({"Cargo.lock": lock("1.0.9", uses, BYTES, FNV, HTTP)})
    assert {outcome.step.action for outcome in one.build().values()} == {"reuse"}
    one.write({"VERSION": "1234"})
    assert right(one, one.build())
    one.write({"Cargo.lock": lock("1.0.10", uses, BYTES, FNV, HTTP)})
    assert right(one, one.build())

    # Another checkout starts with the chain as it is: its new mount lacks nothing that the last image of the chain has.
    folder = one.root
    one.root = folder.with_name(f"{folder.name}-again")
    shutil.copytree(folder, one.root, ignore=shutil.ignore_patterns(".layerdoit"))
    one.write({"VERSION": "4321"})
    again = one.build()
    assert again["deps"].step.action == "reuse"
    assert right(one, again)


def test_a_chain_does_not_grow_beyond_its_limit(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    using(one, "fnv", "itoa")
    with_limit = one.read("layerdoit.yaml") + "deps: {max_chain: 1}\n"
    one.write({"layerdoit.yaml": with_limit, "Cargo.lock": lock("1.0.9", MEMBERS, FNV)})
    root = one.build()["deps"].step.spec
    cook = label(one, root.tag, "cook")
    for version in ("1.0.10", "1.0.11"):
        one.write({"Cargo.lock": lock(version, MEMBERS, FNV)})
        built = one.build()
        assert right(one, built)
        spec = built["deps"].step.spec
        assert (label(one, spec.tag, "depth"), label(one, spec.tag, "parent")) == ("1", root.key)
    subprocess.run(["docker", "image", "rm", root.tag], capture_output=True, check=True)
    one.write({"layerdoit.yaml": with_limit + "profile: release\n"})
    assert one.build()["deps"].step.parent is None, "another profile's crates are of no use"
    # Where only full chains are left, all is cooked in one image again.
    one.write({"layerdoit.yaml": with_limit, "Cargo.lock": lock("1.0.9", MEMBERS, FNV), "VERSION": "9999"})
    built = one.build()
    assert built["deps"].step.parent is None
    assert label(one, root.tag, "depth") == "0"
    assert label(one, root.tag, "cook") != cook
    assert right(one, built)


def test_what_makes_the_deps_layer_anew(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    using(one, "fnv", "itoa")
    one.write(
        {
            "Cargo.toml": one.read("Cargo.toml").replace('"stamp"', '"stamp", "spare"'),
            "spare/Cargo.toml": '[package]\nname = "spare"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\n',
            "spare/src/lib.rs": "",
            "Cargo.lock": lock("1.0.9", {**MEMBERS, "spare": ()}, FNV),
        }
    )
    deps = one.build()["deps"].step.spec

    # A description is none of its business.
    one.replace("app/Cargo.toml", "[package]", '[package]\ndescription = "new"')
    built = one.build()
    assert (built["deps"].step.action, built["app"].step.action) == ("reuse", "build")
    assert right(one, built)

    # A member that is not built gets a dependency: no key changes, but cargo has to know the package.
    one.write({"spare/Cargo.toml": one.read("spare/Cargo.toml") + 'semver = "1"\n'})
    one.write({"Cargo.lock": lock("1.0.9", {**MEMBERS, "spare": ("semver",)}, FNV, SEMVER)})
    built = one.build()
    assert built["deps"].step.spec.key == deps.key
    assert built["deps"].step.why == "its registry index lacks packages of Cargo.lock: semver 1.0.28"
    assert built["deps"].counts["external"] == 0
    assert label(one, deps.tag, "depth") == "1", "each refresh is a layer more"
    assert right(one, built)
    assert {outcome.step.action for outcome in one.build().values()} == {"reuse"}

    # The image is gone: it is made again, and the mount goes on.
    subprocess.run(["docker", "image", "rm", deps.tag], capture_output=True, check=True)
    one.write({"app/data/text.txt": "5555"})
    built = one.build()
    assert built["deps"].step.why == "image was removed"
    assert right(one, built)


def test_a_lock_file_that_lags_behind_is_named(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    one.build()
    one.write({"lib/Cargo.toml": one.read("lib/Cargo.toml") + 'itoa = "1"\n'})
    line = one.read("lib/Cargo.toml").count("\n")
    logs = one.logs("deps")
    with pytest.raises(WorkspaceError, match="does not have the dependency `itoa` of `lib`") as caught:
        one.build()
    assert caught.value.where == str(one.root / f"lib/Cargo.toml:{line}")
    assert caught.value.hint == "run `cargo update --workspace` and commit Cargo.lock"
    assert one.logs("deps") == logs, "nothing was built"


# In a build script: cargo, with a target folder of its own.
NESTED = """
    let folder = std::path::PathBuf::from(std::env::var("OUT_DIR").unwrap()).join("nested");
    std::fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = "[package]\\nname = \\"nested\\"\\nversion = \\"0.1.0\\"\\n[workspace]\\n";
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.join("src/lib.rs"), "").unwrap();
    let mut nested = std::process::Command::new(std::env::var("CARGO").unwrap());
    nested.args(["build", "--offline", "--target-dir"]).arg(folder.join("target"));
    assert!(nested.arg("--manifest-path").arg(folder.join("Cargo.toml")).status().unwrap().success());
"""


def test_a_target_folder_of_its_own_is_left_alone(checkout: Callable[..., Checkout]) -> None:
    """A project's own build.build-dir does not lead away from what is cooked; a build script may run cargo."""
    one = checkout()
    using(one, "itoa", "fnv")
    one.write({"Cargo.lock": lock("1.0.10", MEMBERS, FNV)})
    head, brace, rest = one.read("app/build.rs").partition("{")
    one.write({"app/build.rs": head + brace + NESTED + rest})
    assert right(one, one.build())
    one.write({".cargo/config.toml": '[build]\nbuild-dir = "elsewhere"\n', "app/build.rs": head + brace + rest})
    assert right(one, one.build())
