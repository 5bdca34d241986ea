"""A small workspace with as many files as wanted: three members, one external crate, an asset."""

from __future__ import annotations

from pathlib import Path

from layerdoit.bench.running import ask

_LINE = "// a line of a file that no module names: it is sent, hashed and looked at, and costs no compiling\n"
_PER_FOLDER = 50

_FILES = {
    "Cargo.toml": """\
[workspace]
resolver = "2"
members = ["app", "middle", "deep"]
""",
    "app/Cargo.toml": """\
[package]
name = "app"
version = "0.1.0"
edition = "2021"

[dependencies]
middle = { path = "../middle" }
""",
    "app/src/main.rs": 'fn main() {\n    println!("{}", middle::twice(21));\n}\n',
    "middle/Cargo.toml": """\
[package]
name = "middle"
version = "0.1.0"
edition = "2021"

[dependencies]
deep = { path = "../deep" }
""",
    "middle/src/lib.rs": "pub fn twice(number: u32) -> String {\n    deep::text(2 * number)\n}\n",
    "deep/Cargo.toml": """\
[package]
name = "deep"
version = "0.1.0"
edition = "2021"

[dependencies]
itoa = "1"
""",
    "deep/src/lib.rs": "pub fn text(number: u32) -> String {\n    itoa::Buffer::new().format(number).to_owned()\n}\n",
    "assets/page.css": "body { margin: 0 }\n",
    "layerdoit.yaml": "image:\n  assets:\n    assets: /srv/assets\n",
    ".gitignore": "/target/\n",
}


def workspace(folder: Path, files: int = 0) -> Path:
    """Write the workspace, filled up to `files` Rust files, and have cargo lock it."""
    for name, content in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    have = sum(name.endswith(".rs") for name in _FILES)
    for number in range(max(0, files - have)):
        path = folder / "middle" / "src" / f"part{number // _PER_FOLDER:03d}" / f"file{number:05d}.rs"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"// {number}\n" + _LINE * (10 + number % 20))
    ask(["cargo", "generate-lockfile"], folder)
    return folder
