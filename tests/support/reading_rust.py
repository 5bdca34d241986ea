"""The Rust of a workspace whose macros and build scripts read in every way that a compiler is not told of."""

from __future__ import annotations

from typing import Final

# The ways to read, for macros and build scripts alike: each makes one text of what it finds at a path.
WAYS: Final = r"""
use std::path::Path;

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or("none".into())
}

fn exists(path: &Path) -> String {
    path.exists().to_string()
}

fn names(path: &Path) -> Vec<String> {
    let mut found: Vec<String> = std::fs::read_dir(path)
        .map(|all| all.map(|one| one.unwrap().file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    found.sort();
    found
}

fn list(path: &Path) -> String {
    names(path).join(",")
}

fn walk(path: &Path) -> String {
    let inside = |name: &String| {
        let one = path.join(name);
        if one.is_dir() { format!("{name}/[{}]", walk(&one)) } else { format!("{name}={}", text(&one)) }
    };
    names(path).iter().map(inside).collect::<Vec<_>>().join(";")
}

/// The folder's file `pointer` names the file that is read.
fn indirect(path: &Path) -> String {
    text(&path.join(text(&path.join("pointer")).trim()))
}

/// Another thread reads.
fn thread(path: &Path) -> String {
    let path = path.to_path_buf();
    std::thread::spawn(move || walk(&path)).join().unwrap()
}

/// Every link on the way is followed first.
fn canonical(path: &Path) -> String {
    std::fs::canonicalize(path).map(|place| walk(&place)).unwrap_or("none".into())
}

/// A child process reads.
fn shell(path: &Path) -> String {
    run(path, "ls -A; for one in *; do [ ! -f \"$one\" ] || cat \"./$one\"; done")
}

/// A child of a child lists, and goes into folders by their descriptors.
fn find(path: &Path) -> String {
    run(path, "find . | sort")
}

fn run(path: &Path, script: &str) -> String {
    let mut command = std::process::Command::new("sh");
    let done = command.args(["-c", script]).env("LC_ALL", "C").current_dir(path).output();
    done.map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or("none".into())
}

/// Reads without any library, so that nothing between a program and the kernel sees it.
fn raw(path: &Path) -> String {
    let listed = kernel::open(path).map(|file| kernel::entries(file));
    let Some(mut found) = listed else { return "none".into() };
    if found.is_empty() {
        return String::from_utf8_lossy(&kernel::open(path).map(kernel::read).unwrap_or_default()).into_owned();
    }
    found.sort();
    let inside = |name: &String| {
        let read = kernel::open(&path.join(name)).map(kernel::read).unwrap_or_default();
        format!("{name}={}", String::from_utf8_lossy(&read))
    };
    found.iter().map(inside).collect::<Vec<_>>().join(";")
}

#[cfg(target_arch = "x86_64")]
mod kernel {
    use std::os::unix::ffi::OsStrExt;

    fn call(number: i64, first: i64, second: i64, third: i64) -> i64 {
        let mut result = number;
        unsafe {
            std::arch::asm!(
                "syscall", inlateout("rax") result, in("rdi") first, in("rsi") second, in("rdx") third,
                in("r10") 0, lateout("rcx") _, lateout("r11") _
            );
        }
        result
    }

    pub fn open(path: &std::path::Path) -> Option<i64> {
        let mut name = path.as_os_str().as_bytes().to_vec();
        name.push(0);
        let file = call(257, -100, name.as_ptr() as i64, 0);
        (file >= 0).then_some(file)
    }

    fn all(number: i64, file: i64) -> Vec<u8> {
        let (mut found, mut buffer) = (Vec::new(), [0u8; 4096]);
        loop {
            let length = call(number, file, buffer.as_mut_ptr() as i64, 4096);
            if length <= 0 { break }
            found.extend_from_slice(&buffer[..length as usize]);
        }
        call(3, file, 0, 0);
        found
    }

    pub fn read(file: i64) -> Vec<u8> { all(0, file) }

    pub fn entries(file: i64) -> Vec<String> {
        let (found, mut names, mut at) = (all(217, file), Vec::new(), 0);
        while at < found.len() {
            let length = u16::from_ne_bytes([found[at + 16], found[at + 17]]) as usize;
            let name = found[at + 19..at + length].split(|byte| *byte == 0).next().unwrap();
            if name != b"." && name != b".." { names.push(String::from_utf8_lossy(name).into_owned()) }
            at += length;
        }
        names
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod kernel {
    pub fn open(path: &std::path::Path) -> Option<std::path::PathBuf> { path.exists().then(|| path.into()) }
    pub fn read(path: std::path::PathBuf) -> Vec<u8> { std::fs::read(path).unwrap_or_default() }
    pub fn entries(path: std::path::PathBuf) -> Vec<String> { super::names(&path) }
}
"""

READING: Final = ("text", "exists", "list", "walk", "indirect", "thread", "canonical", "shell", "find", "raw")
"""Names of the ways."""

_MACRO: Final = """
#[proc_macro]
pub fn {name}(input: TokenStream) -> TokenStream {{
    format!("{{:?}}", super_{name}(&inside(input))).parse().unwrap()
}}
"""
_TRACKED: Final = r"""
/// As `walk`, and rustc is told of the files, but not of the folder.
#[proc_macro]
pub fn tracked(input: TokenStream) -> TokenStream {
    fn files(path: &Path, found: &mut String) {
        for name in names(path) {
            let one = path.join(name);
            if one.is_dir() { files(&one, found) }
            else if one.exists() { *found += &format!("const _: &[u8] = include_bytes!({one:?});") }
        }
    }
    let (path, mut found) = (inside(input), String::new());
    files(&path, &mut found);
    format!("{{ {found} {:?} }}", super_walk(&path)).parse().unwrap()
}

/// A module for each Rust file of a folder.
#[proc_macro]
pub fn modules(input: TokenStream) -> TokenStream {
    let path = inside(input);
    let module = |name: &String| {
        let stem = name.strip_suffix(".rs")?;
        Some(format!("#[path = {:?}] mod {stem};", path.join(name)))
    };
    names(&path).iter().filter_map(module).collect::<String>().parse().unwrap()
}

/// Reads a file under a second name, which it gives and takes away.
#[proc_macro]
pub fn second_name(input: TokenStream) -> TokenStream {
    let path = inside(input);
    let second = path.with_extension("second");
    let _ = std::fs::hard_link(&path, &second);
    let found = std::fs::read_to_string(&second).unwrap_or("none".into());
    let _ = std::fs::remove_file(&second);
    format!("{found:?}").parse().unwrap()
}

/// As `list`, and takes away what is there.
#[proc_macro]
pub fn consume(input: TokenStream) -> TokenStream {
    let path = inside(input);
    let found = names(&path).join(",");
    let _ = std::fs::remove_dir_all(&path);
    format!("{found:?}").parse().unwrap()
}

fn inside(input: TokenStream) -> std::path::PathBuf {
    let input = input.to_string();
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join(input.trim_matches('"'))
}
"""


def macros() -> str:
    """The library of the crate `reader`: a macro for each way, and those that make items."""
    aliases = "".join(f"fn super_{name}(path: &Path) -> String {{ ways::{name}(path) }}\n" for name in READING)
    ways = WAYS.replace("\nfn ", "\npub fn ")
    return (
        f"use proc_macro::TokenStream;\nuse std::path::Path;\nuse ways::names;\nmod ways {{{ways}}}\n{aliases}"
        + "".join(_MACRO.format(name=name) for name in READING)
        + _TRACKED
    )


_SCRIPT: Final = """\
#![allow(dead_code)]
const SCRIPT: &str = "0000";

fn main() {{
    {named}
    let path = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join({path:s});
    let made = format!("pub const MADE: &str = {{:?}};", format!("{{SCRIPT}} {{}}", {way}(&path)));
    std::fs::write(Path::new(&std::env::var("OUT_DIR").unwrap()).join("made.rs"), made).unwrap();
}}
"""


def script(way: str, path: str, named: str | None) -> str:
    """A build script that reads a path in one of the ways and tells cargo of another one, or of none."""
    told = "" if named is None else f'println!("cargo:rerun-if-changed={named}");'
    return _SCRIPT.format(named=told, path=f'"{path}"', way=way) + WAYS
