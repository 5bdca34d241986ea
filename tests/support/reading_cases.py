"""Edits that builds are known to miss: a workspace, an edit, and what its program prints before and afterwards."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tests.support.reading_rust import macros, script
from tests.support.reading_workspace import lock, manifest


@dataclass(frozen=True)
class Package:
    """A package of a case's workspace; `home` is its folder, nothing at the root."""

    name: str
    home: str
    source: str
    uses: Sequence[str] = ()
    script: str = ""


@dataclass(frozen=True)
class Case:
    """`edit`: path -> new content, or None where the file goes. The program `app` prints `after` then."""

    packages: Sequence[Package]
    data: Mapping[str, str]
    edit: Mapping[str, str | None]
    before: str
    after: str
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, str]:
        """The workspace, with the macros' crate among its members."""
        packages = [*self.packages, Package("reader", "crates/reader", macros())]
        homes = {one.name: one.home for one in packages}
        made = dict(self.data)
        for one in packages:
            head = f"{one.home}/" if one.home else ""
            paths = {other: os.path.relpath(homes[other], one.home or ".") for other in one.uses}
            kind = "\n[lib]\nproc-macro = true\n" if one.name == "reader" else ""
            made[f"{head}Cargo.toml"] = manifest(one.name, paths, kind)
            made[f"{head}src/{'main' if one.name == 'app' else 'lib'}.rs"] = one.source
            if one.script:
                made[f"{head}build.rs"] = one.script
        members = ", ".join(f'"{home}"' for home in homes.values() if home)
        workspace = f'[workspace]\nmembers = [{members}]\nresolver = "2"\n\n[profile.dev]\ndebug = 0\n'
        made["Cargo.toml"] = f"{workspace}\n{made.get('Cargo.toml', '')}"
        made["Cargo.lock"] = lock({one.name: one.uses for one in packages})
        made[".gitignore"] = "/target\n.doit.db*\n"
        made["dodo.py"] = "from layerdoit import task_layerdoit\n"
        return made


def _prints(value: str) -> str:
    return f'fn main() {{ println!("{{}}", {value}); }}\n'


def _app(value: str, *uses: str, home: str = "") -> Package:
    return Package("app", home, _prints(value), ["reader", *uses])


def _library(name: str, value: str, home: str = "") -> Package:
    return Package(name, home or f"crates/{name}", f"pub const READ: &str = {value};\n", ["reader"])


def _of_script(name: str, way: str, path: str, named: str | None) -> Package:
    source = 'include!(concat!(env!("OUT_DIR"), "/made.rs"));\n'
    return Package(name, f"crates/{name}", source, (), script(way, path, named))


def _one_more(packages: Sequence[Package], folder: str, new: str = "2.sql") -> Case:
    """A file is added to a folder of which the program prints names and contents."""
    data = {f"{folder}/1.sql": "one"}
    files = sorted({"1.sql": "one", new: "two"}.items())
    after = ";".join(f"{name}={text}" for name, text in files)
    return Case(packages, data, {f"{folder}/{new}": "two"}, "1.sql=one", after)


_WRITTEN: Final = "crates/made/src/written.rs"
_WRITING: Final = Package(
    "made",
    "crates/made",
    "mod written;\npub use written::V;\n",
    script="""\
fn main() {
    println!("cargo:rerun-if-changed=../../schema.txt");
    let text = std::fs::read_to_string("../../schema.txt").unwrap();
    std::fs::write("src/written.rs", format!("pub const V: &str = {text:?};\\n")).unwrap();
}
""",
)
_MOVING: Final = replace(
    _WRITING,
    script=_WRITING.script.replace('write("src/written.rs"', 'write("x.tmp"').replace(
        "\n}\n", '\n    std::fs::rename("x.tmp", "src/written.rs").unwrap();\n}\n'
    ),
)
_LINKING: Final = Package(
    "made",
    "crates/made",
    'pub const MADE: &str = include_str!(concat!(env!("OUT_DIR"), "/made.txt"));\n',
    script="""\
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let made = std::path::Path::new(&std::env::var("OUT_DIR").unwrap()).join("made.txt");
    let _ = std::fs::remove_file(&made);
    std::fs::hard_link("../../schema.txt", made).unwrap();
}
""",
)
_POINTING: Final = replace(
    _LINKING,
    source='pub const MADE: &str = reader::text!("/build/pointing.o");\n',
    uses=["reader"],
    script="""\
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let _ = std::fs::remove_file("/build/pointing.o");
    std::os::unix::fs::symlink("/build/src/schema.txt", "/build/pointing.o").unwrap();
}
""",
)
_WALKS: Final = 'reader::walk!("data")'
_UNUSUAL: Final = (
    "README.md", "LICENSE", "CHANGELOG", "CONTRIBUTING.md", "COPYING", "Dockerfile", ".gitignore", ".gitattributes",
    ".editorconfig", "rust-toolchain", "clippy.toml", ".rustfmt.toml", "deny.toml", "Makefile", "justfile",
    ".dockerignore", "compose.yaml", "docker-compose.dev.yml", "Cargo.lock",
)  # fmt: skip

SEEN: Final[Mapping[str, Case]] = {
    "a file is added to the folder of the macro's user": _one_more([_app(_WALKS)], "data"),
    "a file of the folder of the macro's user is changed": Case(
        [_app(_WALKS)], {"data/1.sql": "one"}, {"data/1.sql": "two"}, "1.sql=one", "1.sql=two"
    ),
    "a file is added to a folder in no package": _one_more(
        [_app('reader::walk!("../../migrations")', home="crates/app")], "migrations"
    ),
    "a file is replaced by one of another name in a sibling's folder": Case(
        [_app("db::READ", "db"), _library("db", 'reader::tracked!("../store/data")'), _library("store", '""')],
        {"crates/store/data/app.js": "one"},
        {"crates/store/data/app.js": None, "crates/store/data/app-2.js": "two"},
        "app.js=one",
        "app-2.js=two",
    ),
    "a script names one file of the folder that it reads": Case(
        [_app("made::MADE", "made"), _of_script("made", "walk", "data", "data/1.sql")],
        {"crates/made/data/1.sql": "one"}, {"crates/made/data/2.sql": "two"},
        "0000 1.sql=one", "0000 1.sql=one;2.sql=two",
    ),
    "a script's child process reads a folder": Case(
        [_app("made::MADE", "made"), _of_script("made", "shell", "data", "build.rs")],
        {"crates/made/data/1.sql": "one"}, {"crates/made/data/1.sql": "two"},
        "0000 1.sql\none", "0000 1.sql\ntwo",
    ),
    "a script reads past every library": Case(
        [_app("made::MADE", "made"), _of_script("made", "raw", "data", "build.rs")],
        {"crates/made/data/1.sql": "one"}, {"crates/made/data/1.sql": "two"},
        "0000 1.sql=one", "0000 1.sql=two",
    ),
}  # fmt: skip
"""What was always right."""

MISSED: Final[Mapping[str, Case]] = {
    # A1
    "the folder is the root package's, the macro's user another": _one_more(
        [_app("db::READ", "db"), _library("db", 'reader::tracked!("../../migrations")')], "migrations"
    ),
    "the folder is that of a member without a reader": _one_more(
        [_app('reader::tracked!("frontend/dist")'), _library("frontend", '""', "frontend")], "frontend/dist", "a-2.js"
    ),
    "the folder is a sibling's": _one_more(
        [_app("db::READ", "db"), _library("db", 'reader::walk!("../store/data")'), _library("store", '""')],
        "crates/store/data",
    ),
    "a file that nobody tracks is changed in a sibling's folder": Case(
        [_app("db::READ", "db"), _library("db", 'reader::walk!("../store/data")'), _library("store", '""')],
        {"crates/store/data/1.sql": "one"},
        {"crates/store/data/1.sql": "two"},
        "1.sql=one",
        "1.sql=two",
    ),
    # A2
    "another package's script names a folder of this name": Case(
        [_app('[helper::MADE, " ", reader::walk!("assets")].concat()', "helper"),
         _of_script("helper", "walk", "assets", "assets")],
        {"assets/x.txt": "one", "crates/helper/assets/h.txt": "h"},
        {"assets/x.txt": "two", "assets/y.txt": "three"},
        "0000 h.txt=h x.txt=one",
        "0000 h.txt=h x.txt=two;y.txt=three",
    ),
    # A3
    "files of a template have names that tools know": Case(
        [_app('reader::list!("templates")')],
        {"templates/a.txt": ""},
        {f"templates/{name}": "" for name in _UNUSUAL},
        "a.txt",
        ",".join(sorted(["a.txt", *_UNUSUAL])),
    ),
    "files of a template lie in folders that tools know": Case(
        [_app('reader::walk!("templates")')],
        {"templates/a.txt": "a"},
        {f"templates/{name}/x.yml": "x" for name in (".github", ".cargo", ".vscode", ".idea")},
        "a.txt=a",
        ".cargo/[x.yml=x];.github/[x.yml=x];.idea/[x.yml=x];.vscode/[x.yml=x];a.txt=a",
    ),
    "a template has a manifest": Case(
        [_app('reader::walk!("templates")')],
        {"templates/basic/a.txt": "a"},
        {"templates/basic/Cargo.toml": '[package]\nname = "x"\n', "templates/basic/src/main.rs": ""},
        "basic/[a.txt=a]",
        'basic/[Cargo.toml=[package]\nname = "x"\n;a.txt=a;src/[main.rs=]]',
    ),
    # A4
    "a Rust file is added to a folder of examples": _one_more(
        [_app('reader::walk!("examples/x")')], "examples/x", "2.rs"
    ),
    "a Rust file is added below tests": _one_more([_app('reader::walk!("src/tests")')], "src/tests", "2.rs"),
    "a Rust file is changed below tests": Case(
        [_app('reader::walk!("src/tests")')], {"src/tests/a.rs": "// one"}, {"src/tests/a.rs": "// two"},
        "a.rs=// one", "a.rs=// two",
    ),
    # What an edit leaves behind.
    "the last file of a folder is gone": Case(
        [_app(_WALKS)], {"data/1.sql": "one", "data/old/2.sql": "two"}, {"data/old/2.sql": None},
        "1.sql=one;old/[2.sql=two]", "1.sql=one",
    ),
    "a script that names nothing reads a sibling's folder": Case(
        [_app("made::MADE", "made"), _of_script("made", "walk", "../store/data", None), _library("store", '""')],
        {"crates/store/data/1.sql": "one"}, {"crates/store/data/2.sql": "two"},
        "0000 1.sql=one", "0000 1.sql=one;2.sql=two",
    ),
    "a macro reads past every library": Case(
        [_app("db::READ", "db"), _library("db", 'reader::raw!("../../migrations")')],
        {"migrations/1.sql": "one"}, {"migrations/1.sql": "two"},
        "1.sql=one", "1.sql=two",
    ),
    "a folder comes to be into which a script's child wanted to go": Case(
        [_app("made::MADE", "made"), _of_script("made", "shell", "data", "build.rs")],
        {}, {"crates/made/data/1.sql": "one"}, "0000 none", "0000 1.sql\none",
    ),
    "a file to which a macro gives a second name is changed": Case(
        [_app("db::READ", "db"), _library("db", 'reader::second_name!("../../schema.txt")')],
        {"schema.txt": "one"}, {"schema.txt": "two"}, "one", "two",
    ),
    "a folder that a macro takes away has one more file": Case(
        [_app("db::READ", "db"), _library("db", 'reader::consume!("../../once")')],
        {"once/1": ""}, {"once/2": ""}, "1", "1,2",
    ),
    "a folder comes to be into which a macro's child wanted to go": Case(
        [_app("db::READ", "db"), _library("db", 'reader::find!("../../migrations")')],
        {}, {"migrations/1.sql": "one"}, "none", ".\n./1.sql\n",
    ),
    "a file of which a script makes a second name is changed": Case(
        [_app("made::MADE", "made"), _LINKING],
        {"schema.txt": "one"}, {"schema.txt": "two"}, "one", "two",
    ),
    "a file is changed to which a link leads that has the name of a compiled one": Case(
        [_app("made::MADE", "made"), _POINTING],
        {"schema.txt": "one"}, {"schema.txt": "two"}, "one", "two",
    ),
    "a source that a script moves into its place was edited by hand": Case(
        [_app("made::V", "made"), _MOVING],
        {"schema.txt": "one", _WRITTEN: 'pub const V: &str = "old";\n'},
        {_WRITTEN: 'pub const V: &str = "by hand";\n'},
        "one", "one",
    ),
    "a source that a script writes was edited by hand": Case(
        [_app("made::V", "made"), _WRITING],
        {"schema.txt": "one", _WRITTEN: 'pub const V: &str = "old";\n'},
        {_WRITTEN: 'pub const V: &str = "by hand";\n'},
        "one", "one",
    ),
    "a source that a script writes is gone": Case(
        [_app("made::V", "made"), _WRITING],
        {"schema.txt": "one", _WRITTEN: 'pub const V: &str = "old";\n'}, {_WRITTEN: None},
        "one", "one",
    ),
    "a file comes to be for whose absence a script looked": Case(
        [_app("made::MADE", "made"), _of_script("made", "exists", "../../.env", "build.rs")],
        {}, {".env": "x"}, "0000 false", "0000 true",
    ),
}  # fmt: skip
"""What was not."""
