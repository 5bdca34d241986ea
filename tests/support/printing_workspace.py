"""A workspace of three packages whose program prints what it was compiled from, in every way that a source gets in."""

from __future__ import annotations

from collections.abc import Mapping

APP_MANIFEST = """\
[package]
name = "app"
version = "0.1.0"
edition = "2021"

[dependencies]
lib = { path = "../lib" }
"""
LIB_MANIFEST = """\
[package]
name = "lib"
version = "0.1.0"
edition = "2021"

[dependencies]
stamp = { path = "../stamp" }
"""
MAIN = """\
const MAIN: &str = "0000";
const EXTRA: &str = "none";
include!(concat!(env!("OUT_DIR"), "/made.rs"));

fn main() {
    println!("main={MAIN}");
    println!("extra={EXTRA}");
    println!("lib={}", lib::value());
    println!("script={}", lib::SCRIPT.unwrap_or("none"));
    println!("text={}", include_str!("../data/text.txt"));
    println!("macro={}", lib::MACRO);
    println!("parts={}", lib::PARTS);
    println!("made={MADE}");
    println!("version={VERSION}");
}
"""
WITH_EXTRA = "mod extra;\nuse extra::EXTRA;"
WITHOUT_EXTRA = 'const EXTRA: &str = "none";'
# Names no file that it reads: cargo runs it again when a file of its package changes, and knows nothing of the other.
BUILD = """\
fn main() {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or("none".into());
    let text = format!(
        "const MADE: &str = {:?}; const VERSION: &str = {:?};",
        read("data/made.txt"), read("../VERSION")
    );
    let folder = std::env::var("OUT_DIR").unwrap();
    std::fs::write(std::path::Path::new(&folder).join("made.rs"), text).unwrap();
}
"""
LIB_BUILD = """\
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-env=SCRIPT=0000");
}
"""
LIB = """\
mod deep;
pub const MACRO: &str = stamp::read!();
pub const PARTS: &str = stamp::parts!();
pub const SCRIPT: Option<&str> = option_env!("SCRIPT");
const LIB: &str = "0000";
pub fn value() -> String { format!("{LIB}{}", deep::DEEP) }
"""
# Macros that read what no compiler is told of: a file's content, and which files there are.
STAMP = """\
use proc_macro::TokenStream;

fn inside(path: &str) -> std::path::PathBuf {
    std::path::Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join(path)
}

#[proc_macro]
pub fn read(_: TokenStream) -> TokenStream {
    let text = std::fs::read_to_string(inside("data/macro.txt")).unwrap_or("none".into());
    format!("{text:?}").parse().unwrap()
}

#[proc_macro]
pub fn parts(_: TokenStream) -> TokenStream {
    let mut names: Vec<String> = std::fs::read_dir(inside("src/parts"))
        .map(|found| found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    format!("{:?}", names.join(",")).parse().unwrap()
}
"""
LOCK = """\
version = 4

[[package]]
name = "app"
version = "0.1.0"
dependencies = [
 "lib",
]

[[package]]
name = "lib"
version = "0.1.0"
dependencies = [
 "stamp",
]

[[package]]
name = "stamp"
version = "0.1.0"
"""
TINY: Mapping[str, str] = {
    "Cargo.toml": '[workspace]\nmembers = ["app", "lib", "stamp"]\nresolver = "2"\n\n'
    "[profile.dev]\ndebug = 0\nstrip = true\n",
    "Cargo.lock": LOCK,
    "VERSION": "0000",
    "app/Cargo.toml": APP_MANIFEST,
    "app/build.rs": BUILD,
    "app/src/main.rs": MAIN,
    "app/data/text.txt": "0000",
    "app/data/made.txt": "0000",
    "lib/data/macro.txt": "0000",
    "lib/Cargo.toml": LIB_MANIFEST,
    "lib/src/lib.rs": LIB,
    "lib/src/deep.rs": 'pub const DEEP: &str = "0000";\n',
    "stamp/Cargo.toml": '[package]\nname = "stamp"\nversion = "0.1.0"\nedition = "2021"\n\n[lib]\nproc-macro = true\n',
    "stamp/src/lib.rs": STAMP,
    ".gitignore": "/target\n/x-*\n",
    "dodo.py": "from layerdoit import task_layerdoit\n",
}
