"""A random workspace of readers: macros, build scripts and plain includes, each on some folder of the tree.

`make(chance)` makes one. Its program prints a line for everything that was read, with who read it, how and where.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.files import write
from tests.support.reading_rust import READING, macros, script

BINARIES: Final = ("app", "second")
NAMES: Final = (
    "a.txt", "b.txt", "maybe.txt", "sub/deep/c.txt", "sub/d.txt", "one.sql",
    "README.md", "LICENSE", "CHANGELOG.md", "Dockerfile", "compose.yml", "Makefile", "justfile", "clippy.toml",
    ".gitignore", ".gitattributes", ".editorconfig", ".dockerignore", ".github/ci.yml", ".cargo/config.toml",
    ".vscode/settings.json", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "inner/Cargo.toml", "inner/x.txt",
    "x.rs", "src/bin/x.rs", "src/lib.rs", "src/main.rs", "tests/y.rs", "benches/z.rs", "examples/w.rs", "build.rs",
    "with blank.txt", "quo'te.txt", 'dou"ble.txt', "#hash.txt", "$dollar.txt", "-dash.txt", "é.txt", "a*b.txt",
    "per%cent.txt", "semi;colon.txt", "[brackets].txt", "tilde~", "target/t.txt", "co:lon.txt",
)  # fmt: skip
"""Names of data files: those that tools know, those that cargo finds by itself, and those that scripts stumble over."""

# What a reader needs to be there: without it nothing compiles.
FIXED: Final = {"fixed.txt": "include_str", "fixed.in": "include", "fixed.rs": "path", "sub/fixed.txt": "manifest_dir"}
MACROS: Final = (*READING, "tracked")
PLAIN: Final = tuple(FIXED.values())
NAMED: Final = (None, "build.rs", "one", "folder", "missing")
"""What a build script tells cargo of: nothing, itself, one file of the folder, the folder, a file that is not there."""


@dataclass(frozen=True)
class Part:
    """One reader: who reads, how, which folder; `link`: by a symbolic link in the own package."""

    crate: str
    way: str
    place: str
    link: bool = False
    named: str | None = None

    @property
    def label(self) -> str:
        by = " by a link" if self.link else ""
        told = f", names {self.named or 'nothing'}" if self.crate.startswith("script") else ""
        return f"{self.crate} {self.way} {self.place}{by}{told}"


@dataclass
class Workspace:
    """What was made, for those who edit it."""

    virtual: bool
    parts: list[Part] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    @property
    def app(self) -> str:
        """The folder of the package `app`, with a slash, or nothing."""
        return "crates/app/" if self.virtual else ""

    def folder(self, crate: str) -> str:
        return self.app if crate == "app" else f"crates/{crate}/"

    @property
    def places(self) -> list[str]:
        """The folders that are read."""
        return sorted({part.place for part in self.parts})

    def write(self, root: Path) -> None:
        write(root, self.files)
        for path, target in self.links.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            os.symlink(target, root / path)


def content(path: str, number: str) -> str:
    """A data file's content, of a length that depends on its name only."""
    name = path.rpartition("/")[2]
    if name == "Cargo.toml":
        return f'[package]\nname = "t{number}"\n'
    if name.endswith(".rs"):
        return f'pub const V: &str = "{number}";\n#[allow(dead_code)]\npub fn main() {{}}\n'
    if name.endswith(".in"):
        return f'"{number}"'
    comment = name in (".gitignore", ".gitattributes", ".dockerignore", "pointer") or name.endswith(".toml")
    return f"# {number}\n" if comment else number


def make(chance: random.Random, parts: int = 14, scripts: int = 4) -> Workspace:
    """A workspace with so many readers that are no build scripts, and so many that are."""
    made = Workspace(virtual=chance.random() < 0.5)
    app = made.app
    places = [
        f"{app}data", f"{app}examples", f"{app}templates", f"{app}src/tests", "crates/lib/data", "crates/lib/benches",
        "crates/lib/src/parts", "crates/store/data", "crates/store/tests/cases", "crates/devtool/data", "migrations",
        "frontend/dist", "schema/tests", ".config/app",
    ]  # fmt: skip
    for _ in range(parts):
        crate = chance.choice(("app", "lib", "util"))
        way = chance.choice((*MACROS, *MACROS, *PLAIN))
        made.parts.append(Part(crate, way, chance.choice(places), chance.random() < 0.2))
    for number in range(scripts):
        way, named = chance.choice(READING), chance.choice(NAMED)
        made.parts.append(Part(f"script{number}", way, chance.choice(places), chance.random() < 0.2, named))
    made.parts = list(dict.fromkeys(made.parts))
    for place in made.places:
        for name in ("a.txt", *chance.sample(NAMES, 2)):
            made.files.setdefault(f"{place}/{name}", content(name, "0000"))
        made.files[f"{place}/pointer"] = "a.txt"
    for number, part in enumerate(made.parts):
        _links(made, part, number)
        if part.way in PLAIN:
            name = next(name for name, way in FIXED.items() if way == part.way)
            made.files[f"{part.place}/{name}"] = content(name, "0000")
    _crates(made)
    return made


def _links(made: Workspace, part: Part, number: int) -> None:
    if part.link:
        home = made.folder(part.crate)
        made.links[f"{home}via{number}"] = os.path.relpath(part.place, home or ".")


def _seen(made: Workspace, part: Part, start: str) -> str:
    """The part's folder, as it is written in a file of `start`."""
    home = made.folder(part.crate)
    place = f"{home}via{made.parts.index(part)}" if part.link else part.place
    return os.path.relpath(place, start or ".")


def _expression(made: Workspace, part: Part, number: int) -> tuple[str, str]:
    """Items and an expression that a source of the crate's `src` has for a part."""
    home = made.folder(part.crate)
    here, beside = _seen(made, part, home), _seen(made, part, f"{home}src")
    plain = {
        "include_str": ("", f'include_str!("{beside}/fixed.txt")'),
        "include": ("", f'include!("{beside}/fixed.in")'),
        "path": (f'#[path = "{beside}/fixed.rs"]\nmod part{number};\n', f"part{number}::V"),
        "manifest_dir": ("", f'include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/{here}/sub/fixed.txt"))'),
    }
    of_a_file = {"text": "/a.txt", "exists": "/maybe.txt"}
    return plain.get(part.way) or ("", f'reader::{part.way}!("{here}{of_a_file.get(part.way, "")}")')


def _source(made: Workspace, crate: str, more: str = "") -> str:
    """A function `parts` that has a line for each part of the crate."""
    mine = [(number, part) for number, part in enumerate(made.parts) if part.crate == crate]
    found = [(part, *_expression(made, part, number)) for number, part in mine]
    items = "".join(items for _, items, _ in found)
    lines = "".join(f"    say({part.label!r}, {value});\n".replace("'", '"') for part, _, value in found)
    return (
        f'#![allow(dead_code)]\n{items}pub const SOURCE: &str = "0000";\n{more}'
        'fn say(label: &str, value: &str) { println!("{label}: {value:?}"); }\n'
        f'pub fn parts() {{\n    say("{crate}", SOURCE);\n    say("{crate} version", env!("CARGO_PKG_VERSION"));\n'
        f'    say("{crate} extra", if cfg!(feature = "extra") {{ "on" }} else {{ "off" }});\n{lines}}}\n'
    )


def manifest(name: str, dependencies: Mapping[str, str], more: str = "") -> str:
    lines = "".join(f'{other} = {{ path = "{path}" }}\n' for other, path in dependencies.items())
    return (
        f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n\n[features]\ndefault = []\nextra = []\n\n'
        f"[dependencies]\n{lines}{more}"
    )


def lock(crates: Mapping[str, Sequence[str]]) -> str:
    """Cargo.lock of a workspace without external crates."""
    found = "version = 4\n"
    for name, dependencies in sorted(crates.items()):
        found += f'\n[[package]]\nname = "{name}"\nversion = "0.1.0"\n'
        if dependencies:
            found += "dependencies = [\n" + "".join(f' "{other}",\n' for other in sorted(dependencies)) + "]\n"
    return found


def _crates(made: Workspace) -> None:
    """Manifests, sources and the lock."""
    scripts = [part for part in made.parts if part.crate.startswith("script")]
    uses: dict[str, list[str]] = {
        "app": ["reader", "lib", "util", *(part.crate for part in scripts)],
        "lib": ["reader", "util"],
        "util": ["reader"],
        "reader": [],
        "store": [],
        "devtool": ["reader"],
        **{part.crate: [] for part in scripts},
    }
    for crate, others in uses.items():
        home = made.folder(crate)
        paths = {other: os.path.relpath(f"crates/{other}", home or ".") for other in others}
        more = "\n[lib]\nproc-macro = true\n" if crate == "reader" else ""
        if crate == "app":
            more = f'\n[dev-dependencies]\ndevtool = {{ path = "{os.path.relpath("crates/devtool", home or ".")}" }}\n'
        made.files[f"{home}Cargo.toml"] = manifest(crate, paths, more)
    members = ", ".join(f'"{made.folder(crate)[:-1]}"' for crate in uses if made.folder(crate))
    workspace = f'[workspace]\nmembers = [{members}]\nresolver = "2"\n\n[profile.dev]\ndebug = 0\n'
    made.files["Cargo.toml"] = workspace + ("" if made.virtual else "\n" + made.files["Cargo.toml"])
    made.files["Cargo.lock"] = lock({**uses, "app": [*uses["app"], "devtool"]})
    made.files["crates/reader/src/lib.rs"] = macros()
    made.files["crates/store/src/lib.rs"] = 'pub const SOURCE: &str = "0000";\n'
    made.files["crates/devtool/src/lib.rs"] = _source(made, "devtool")
    made.files["crates/util/src/lib.rs"] = _source(made, "util")
    made.files["crates/lib/src/lib.rs"] = _source(made, "lib", "pub fn others() { util::parts(); }\n")
    for part in scripts:
        _script(made, part)
    made.files[f"{made.app}src/main.rs"] = (
        _source(made, "app")
        + "fn main() {\n    parts();\n    lib::parts();\n    lib::others();\n"
        + "".join(f"    {part.crate}::parts();\n" for part in scripts)
        + "}\n"
    )
    made.files[f"{made.app}src/bin/second.rs"] = (
        'const SOURCE: &str = "0000";\nfn main() {\n'
        '    println!("second {SOURCE} {}", lib::SOURCE);\n    lib::parts();\n}\n'
    )
    made.files.update({"README.md": "0000", ".github/ci.yml": "0000", "docs/page.md": "0000"})
    made.files[".gitignore"] = "/target\n.doit.db*\n"
    made.files["dodo.py"] = "from layerdoit import task_layerdoit\n"


def _script(made: Workspace, part: Part) -> None:
    home = made.folder(part.crate)
    here = _seen(made, part, home)
    of_a_file = {"text": "/a.txt", "exists": "/maybe.txt"}
    named = {"one": f"{here}/b.txt", "folder": here, "missing": f"{here}/missing.txt"}
    made.files[f"{home}build.rs"] = script(
        part.way, here + of_a_file.get(part.way, ""), named.get(part.named or "", part.named)
    )
    made.files[f"{home}src/lib.rs"] = (
        _source(made, part.crate)
        .replace(
            "pub fn parts() {\n",
            f'include!(concat!(env!("OUT_DIR"), "/made.rs"));\npub fn parts() {{\n    say("{part.label}", MADE);\n',
        )
        .replace(f'    say("{part.label}", {_expression(made, part, made.parts.index(part))[1]});\n', "")
    )
