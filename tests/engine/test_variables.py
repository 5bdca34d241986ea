"""Variables of `env`: a new value cooks nothing, and whatever was compiled with the old one compiles again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest

from layerdoit.components import script_protocol
from layerdoit.components.script_protocol import Asks
from layerdoit.engine import api, mounts
from tests.support.checkout import Checkout
from tests.support.lockfile import entry, external, lockfile
from tests.support.manifest import package

SUM = hashlib.sha256(b"reader").hexdigest()
# A build script that tells cargo nothing of what it reads.
SCRIPT = """
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-env=TOLD={}", std::env::var("APP_WORD").unwrap_or("none".into()));
}
"""
FILES = {
    "Cargo.toml": package("app", '[dependencies]\nquiet = "1"\nreader = "1"\n'),
    "Cargo.lock": lockfile(
        entry("app", needs=["quiet", "reader"]), external("quiet", "1.0.0", SUM), external("reader", "1.0.0", SUM)
    ),
    ".cargo/config.toml": '[source.crates-io]\nreplace-with = "v"\n[source.v]\ndirectory = "vendor"\n'
    "[net]\noffline = true\n",
    "src/main.rs": """
fn main() {
    print!("{} {} {}", option_env!("APP_VERSION").unwrap_or("none"), env!("TOLD"), reader::WORD);
    assert_eq!(quiet::N, 1);
}
""",
    "build.rs": SCRIPT.replace("APP_WORD", "APP_VERSION"),
    "vendor/reader/Cargo.toml": package("reader", version="1.0.0"),
    "vendor/reader/build.rs": SCRIPT,
    "vendor/reader/src/lib.rs": 'pub const WORD: &str = env!("TOLD");',
    "vendor/reader/.cargo-checksum.json": json.dumps({"files": {}, "package": SUM}),
    "vendor/quiet/Cargo.toml": package("quiet", version="1.0.0"),
    "vendor/quiet/src/lib.rs": "pub const N: u8 = 1;",
    "vendor/quiet/.cargo-checksum.json": json.dumps({"files": {}, "package": SUM}),
}


def test_a_value_of_the_project_compiles_the_project_only(checkout: Callable[..., Checkout]) -> None:
    one = checkout(FILES)

    def said(version: str, word: str) -> tuple[str, str, set[str]]:
        """What the program says, what became of the deps layer, and which crates read a changed variable."""
        one.configure(f'env: {{APP_VERSION: "{version}", APP_WORD: "{word}"}}\n')
        built = one.build()
        read = {note.crate for note in script_protocol.every(Asks, built["app"].notes)}
        return one.said(built["app"].step.spec.tag), built["deps"].step.action, read

    assert said("1", "a") == ("1 1 a", "build", set())
    # Its own build script reads it without telling cargo.
    assert said("2", "a") == ("2 2 a", "reuse", set())
    # So does an external one.
    assert said("2", "b") == ("2 2 b", "reuse", {"reader"})
    assert said("3", "b") == ("3 3 b", "reuse", set())
    assert said("1", "a") == ("1 1 a", "reuse", set())
    # Another target folder, of the same deps image.
    for mount in mounts.of_project(one.name, api.builder_name()):
        mounts.prune(mount, api.builder_name())
    assert said("4", "c") == ("4 4 c", "reuse", {"reader"})


@pytest.mark.parametrize("env", ["", 'env: {CARGO_NET_OFFLINE: "true"}\n'])
def test_cooking_downloads_whatever_the_project_says(checkout: Callable[..., Checkout], env: str) -> None:
    """`net.offline` is for builds from a cache that the cook does not have."""
    itoa = "4a5f13b858c8d314ee3e8f639011f7ccefe71f97f96e50151fb991f267928e2c"
    one = checkout(
        {
            "Cargo.toml": package("app", '[dependencies]\nitoa = "=1.0.15"\n'),
            "Cargo.lock": lockfile(entry("app", needs=["itoa"]), external("itoa", "1.0.15", itoa)),
            ".cargo/config.toml": "" if env else "[net]\noffline = true\n",
            "src/main.rs": 'fn main() { print!("{}", itoa::Buffer::new().format(7)); }',
        }
    )
    one.configure(f"{env}profile: dev\n")
    assert one.said(one.build()["app"].step.spec.tag) == "7"
