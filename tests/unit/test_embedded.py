"""Files that code names, and that builds would not get: what doctor says of them, and what init proposes."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.cargo import embedded
from layerdoit.config import Config
from layerdoit.doctor import source_facts
from layerdoit.doctor.source_checks import SourceFacts, sources
from layerdoit.init import proposal
from layerdoit.init.found import look
from layerdoit.tree import lfs
from layerdoit.tree.lister import Lister
from layerdoit.tree.sources import scan
from tests.support.files import write
from tests.support.git import git
from tests.support.lockfile import entry, lockfile
from tests.support.manifest import package

MAIN = """\
// include_str!("../comment.txt")
static A: &str = include_str!("../web/dist/index.html");
static B: &[u8] = include_bytes!(
    "../../schema/s.sql"
);
static C: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/joined.txt"));
static D: &str = include_str!(concat!(env!("OUT_DIR"), "/made.rs"));
static E: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../migrations");
#[derive(RustEmbed)]
#[folder = "web/dist/"]
struct Web;
static F: Migrator = sqlx::migrate!("db");
static G: EmbeddedMigrations = embed_migrations!();
include!("parts.rs");
#[path = "../../../beside/module.rs"]
mod beside;
fn main() {}
"""
BUILD = """\
fn main() {
    println!("cargo:rerun-if-changed=../proto/x.proto");
    tonic_build::compile_protos("proto/y.proto").unwrap();
    println!("hello world");
}
"""
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace in a folder of a repository."""
    root = write(tmp_path / "repo/ws", {
        "Cargo.toml": '[workspace]\nmembers = ["app"]\nresolver = "2"\n', "Cargo.lock": lockfile(entry("app")),
        "app/Cargo.toml": package("app"), "app/src/main.rs": MAIN, "app/build.rs": BUILD,
        "app/web/dist/index.html": "", "../schema/s.sql": "", "app/proto/y.proto": "", "proto/x.proto": "",
        ".gitignore": "dist\n*.proto\n",
    })  # fmt: skip
    git(root.parent, "init", "-q")
    return root


def test_what_code_names(root: Path) -> None:
    named = list(embedded.named(root, ["app/src/main.rs", "app/build.rs", "app/Cargo.toml", "absent.rs"]))
    assert [(item.path, item.where) for item in named] == [
        ("app/web/dist/index.html", "app/src/main.rs:2"), ("schema/s.sql", "app/src/main.rs:3"),
        ("app/src/parts.rs", "app/src/main.rs:14"), ("../beside/module.rs", "app/src/main.rs:15"),
        ("app/joined.txt", "app/src/main.rs:6"),
        ("migrations", "app/src/main.rs:8"), ("app/web/dist", "app/src/main.rs:10"), ("app/db", "app/src/main.rs:12"),
        ("proto/x.proto", "app/build.rs:2"), ("app/proto/y.proto", "app/build.rs:3"),
    ]  # fmt: skip


def facts(root: Path) -> SourceFacts:
    lister = Lister(root)
    return source_facts.collect(lister, scan(lister, index_file=None), Config())


def test_doctor_names_what_is_hidden(root: Path) -> None:
    (root / "app/src/main.rs").write_text(MAIN.replace("../../schema", "../../../schema"))
    found = list(sources(facts(root)))
    assert {(one.id, one.where) for one in found} == {
        ("source-hidden", where)
        for where in ("app/src/main.rs:2", "app/src/main.rs:3", "app/build.rs:2", "app/build.rs:3")
    }
    said = {one.where: (one.what, one.fix) for one in found}
    assert said["app/src/main.rs:2"] == (
        "app/web/dist/index.html is not sent to builds: git ignores it (.gitignore:1: `dist`)",
        "add to layerdoit.yaml: sources: {include: [app/web/dist]}",
    )
    assert said["app/src/main.rs:3"][1] == "add to layerdoit.yaml: sources: {include: [../schema]}"


def test_init_proposes_what_is_hidden(root: Path) -> None:
    (root / "app/src/main.rs").write_text(MAIN.replace("../../schema", "../../../schema"))
    items = [item for item in proposal.propose(look(root)).active if item.path == "sources.include"]
    assert {item.value for item in items} == {"app/web/dist", "../schema", "proto", "app/proto"}
    assert next(item.why for item in items if item.value == "../schema") == (
        "app/src/main.rs:3 reads it; it lies outside the workspace"
    )
    write(root, {"layerdoit.yaml": "sources:\n  include: [app/web/dist, ../schema, proto, app/proto]\n"})
    assert not [item for item in proposal.propose(look(root)).active if item.path == "sources.include"]


def test_pointers_of_git_lfs(root: Path) -> None:
    write(root, {"app/logo.png": POINTER, "app/real.png": "version https://git-lfs", "notes": POINTER * 20})
    assert list(lfs.pointers(root, ["app/logo.png"])) == [], "without git LFS no file is looked at"
    write(root.parent, {".gitattributes": "*.png filter=lfs diff=lfs merge=lfs -text\n"})
    assert facts(root).pointers == ("app/logo.png",)
    assert look(root).pointers == ("app/logo.png",)
    assert any(
        "only the pointers of git LFS are here: app/logo.png" in line for line in proposal.propose(look(root)).remarks
    )
    (found,) = [one for one in sources(facts(root)) if one.id == "lfs-pointer"]
    assert found.fix == "git lfs pull"


def test_links_and_configurations_out_of_the_repository(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = root.parent.parent
    monkeypatch.setenv("CARGO_HOME", str(top.parent / ".cargo"))
    write(top, {"beyond/x": "", ".cargo/config.toml": "", "../.cargo/config.toml": ""})
    for link, target in (("away", "../../beyond"), ("near", "../schema"), ("gone", "/nowhere"), ("far", str(top))):
        (root / link).symlink_to(target)
    found = facts(root)
    assert dict(found.links) == {"away": "../../beyond", "far": str(top)}
    assert [path for path in found.configs if path.is_relative_to(top)] == [top / ".cargo/config.toml"]
    assert top.parent / ".cargo/config.toml" not in found.configs
    assert {one.id for one in sources(found)} >= {"link-outside", "cargo-config-outside"}
