"""Programs that read files while they compile, by crates that everybody uses for it, and edits of what they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Changes = Mapping[str, str | None]
"""Path -> new content; None where the file goes."""


@dataclass(frozen=True)
class Program:
    """A workspace without Cargo.lock; edits that follow one another, by what they are."""

    files: Mapping[str, str]
    edits: Mapping[str, Changes]


_IGNORED: Final = "/target\n.doit.db*\n"
_DODO: Final = "from layerdoit import task_layerdoit\n"
_ROOT: Final = """\
[workspace]
members = ["crates/db"]

[package]
name = "app"
version = "0.1.0"
edition = "2021"

[profile.dev]
debug = 0

[dependencies]
db = { path = "crates/db" }
"""
_DB: Final = '[package]\nname = "db"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\n'

# A module that says so by itself, before `main`: nobody else has to know its name.
_PART: Final = """\
extern "C" fn say() { println!("part {}", "NUMBER"); }
#[used]
#[link_section = ".init_array"]
static SAY: extern "C" fn() = say;
"""


def part(number: str) -> str:
    return _PART.replace("NUMBER", number)


EMBEDDING: Final = Program(
    {
        "Cargo.toml": _ROOT
        + 'automod = "1"\naskama = "0.14"\nrust-embed = { version = "8", features = ["debug-embed"] }\n',
        "crates/db/Cargo.toml": _DB + 'include_dir = "0.7"\n',
        "crates/db/src/lib.rs": """\
use include_dir::{include_dir, Dir, DirEntry};
static MIGRATIONS: Dir = include_dir!("$CARGO_MANIFEST_DIR/../../migrations");
pub fn show() { walk(&MIGRATIONS) }
fn walk(folder: &Dir) {
    for one in folder.entries() {
        match one {
            DirEntry::Dir(inner) => { println!("folder {}", inner.path().display()); walk(inner) }
            DirEntry::File(file) => println!("file {}: {:?}", file.path().display(), file.contents_utf8()),
        }
    }
}
""",
        "src/main.rs": """\
mod parts { automod::dir!("src/parts"); }

#[derive(rust_embed::Embed)]
#[folder = "frontend/dist"]
struct Site;

#[derive(askama::Template)]
#[template(path = "page.txt")]
struct Page;

fn main() {
    use askama::Template;
    db::show();
    let mut found: Vec<_> = Site::iter().collect();
    found.sort();
    for one in found {
        println!("site {one}: {:?}", String::from_utf8_lossy(&Site::get(&one).unwrap().data));
    }
    println!("{}", Page.render().unwrap());
}
""",
        "src/parts/one.rs": part("1"),
        "migrations/1.sql": "one",
        "frontend/package.json": "{}",
        "frontend/dist/app.js": "app",
        "frontend/dist/img/logo.svg": "logo",
        "templates/page.txt": 'page {% include "part.txt" %}',
        "templates/part.txt": "part",
        "others/page.txt": "another page",
        ".gitignore": _IGNORED,
        "dodo.py": _DODO,
    },
    {
        "a migration is added": {"migrations/2.sql": "two"},
        "a migration is changed": {"migrations/1.sql": "oNe"},
        "a bundle has another name": {"frontend/dist/app.js": None, "frontend/dist/app-2.js": "app"},
        "files with names that tools know are added": {
            f"{folder}/{name}": name
            for folder in ("frontend/dist", "migrations/basic")
            for name in ("README.md", "LICENSE", "Dockerfile", ".gitattributes", "Makefile", "tests/x.rs")
        },
        "a module is added": {"src/parts/two.rs": part("2")},
        "a module is changed": {"src/parts/one.rs": part("3")},
        "the included part of a template is changed": {"templates/part.txt": "pArt"},
        "a setting says that templates lie elsewhere": {"askama.toml": '[general]\ndirs = ["others"]\n'},
        "a template there is changed": {"others/page.txt": "yet another page"},
        "that setting is gone": {"askama.toml": None},
        "the last file of a folder is gone": {"frontend/dist/img/logo.svg": None},
        "a migration is gone": {"migrations/2.sql": None},
        "a module is gone": {"src/parts/two.rs": None},
    },
)
"""include_dir, rust-embed, automod and askama."""

GENERATING: Final = Program(
    {
        "Cargo.toml": _ROOT + 'prost = "0.13"\n\n[build-dependencies]\nprost-build = "0.13"\nprotox = "0.8"\n',
        "crates/db/Cargo.toml": _DB
        + 'sqlx = { version = "0.8", default-features = false, features = ["macros", "migrate"] }\n',
        "crates/db/src/lib.rs": """\
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");
pub fn show() {
    for one in MIGRATIONS.iter() { println!("{} {} {:?}", one.version, one.description, one.sql) }
}
""",
        "build.rs": """\
fn main() {
    println!("cargo:rerun-if-changed=proto/main.proto");
    let found = protox::compile(["main.proto"], ["proto"]).unwrap();
    prost_build::compile_fds(found).unwrap();
}
""",
        "src/main.rs": """\
mod made { include!(concat!(env!("OUT_DIR"), "/shop.rs")); }
fn main() {
    db::show();
    println!("{:?}", made::Order::default());
}
""",
        "proto/main.proto": 'syntax = "proto3";\npackage shop;\nimport "item.proto";\n'
        "message Order { Item item = 1; }\n",
        "proto/item.proto": 'syntax = "proto3";\npackage shop;\nmessage Item { string name = 1; }\nmessage Unused {}\n',
        "migrations/1_one.sql": "one",
        ".gitignore": _IGNORED,
        "dodo.py": _DODO,
    },
    {
        "a migration is added": {"migrations/2_two.sql": "two"},
        "a migration is changed": {"migrations/1_one.sql": "oNe"},
        "the file that a named one imports is changed": {
            "proto/item.proto": 'syntax = "proto3";\npackage shop;\nmessage Item { string title = 1; }\n',
        },
        "a migration is gone": {"migrations/1_one.sql": None},
    },
)
"""sqlx's migrations, and prost with a compiler in Rust."""
