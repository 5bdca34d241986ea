"""What a build says that did not find a file, and what the user is told of it. Outputs are those of real builds."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.cargo.failures import Advice
from layerdoit.components import hidden_files
from layerdoit.project import question
from layerdoit.project.inputs import Inputs
from layerdoit.project.project import Project
from layerdoit.project.snapshot import Tree
from tests.support.files import write
from tests.support.git import git
from tests.support.lockfile import entry, lockfile
from tests.support.manifest import package

MAIN = """\
use include_dir::{include_dir, Dir};
mod gone;
static A: &str = include_str!("../web/dist/index.html");
#[derive(rust_embed::RustEmbed)]
#[folder = "web/dist/"]
struct Web;
fn main() {}
"""
BUILD = """\
fn main() -> Result<(), Box<dyn std::error::Error>> {
    std::fs::read_to_string("../../proto/x.proto")?;
    Ok(())
}
"""
SCRIPT = """\
error: failed to run custom build command for `app v0.1.0 (/build/src/ws/app)`
Caused by:
  process didn't exit successfully: `/build/target/debug/build/app-9/build-script-build` (exit status: 1)
  --- stderr
"""


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """A workspace in a folder of a repository that hides much."""
    root = write(tmp_path / "ws", {
        "Cargo.toml": '[workspace]\nmembers = ["app"]\nresolver = "2"\n', "Cargo.lock": lockfile(entry("app")),
        "app/Cargo.toml": package("app"), "app/src/main.rs": MAIN, "app/build.rs": BUILD,
        "app/src/gone.rs": "", "app/web/dist/index.html": "", "app/migrations/1.sql": "", "../proto/x.proto": "",
        "../shared.txt": "", "app/templates/a.html": "",
        "app/.sqlx/query-1.json": "", "README.md": "", "target/CACHEDIR.TAG": "", "target/x": "",
        ".gitignore": "dist/\n/target\n/app/migrations\ngone.rs\ntemplates\nnever\n.sqlx\n", ".dockerignore": "*.md\n",
        "layerdoit.yaml": "toolchain: 1.95.0\n",
    })  # fmt: skip
    write(tmp_path, {".cargo/config.toml": ""})
    git(tmp_path, "init", "-q")
    project = Project.open(root, {})
    return Inputs(Tree(project), question.build(project, "linux/amd64"))


def told(inputs: Inputs, words: str) -> Advice:
    found = hidden_files.advice(words, inputs)
    assert found is not None, words
    return found


@pytest.mark.parametrize(
    ("words", "path", "rule", "include"),
    [
        (
            ("error: couldn't read `app/src/../web/dist/index.html`: No such file or directory (os error 2)\n"
            " --> app/src/main.rs:3:18\n"),
            "app/web/dist/index.html", "git ignores it (.gitignore:1: `dist/`)", "app/web/dist",
        ),
        (
            "error: couldn't read app/src/../web/dist/index.html: No such file or directory (os error 2)\n",
            "app/web/dist/index.html", "git ignores it (.gitignore:1: `dist/`)", "app/web/dist",
        ),
        (
            "error: couldn't read `/build/src/ws/app/../README.md`: No such file or directory (os error 2)\n",
            "README.md", ".dockerignore:1 leaves it out (`*.md`)", "README.md",
        ),
        (
            ("error[E0583]: file not found for module `gone`\n --> app/src/main.rs:2:1\n  |\n"
            '  = help: to create the module `gone`, create file "app/src/gone.rs" or "app/src/gone/mod.rs"\n'),
            "app/src/gone.rs", "git ignores it (.gitignore:4: `gone.rs`)", "app/src/gone.rs",
        ),
        (
            ("error: #[derive(RustEmbed)] folder '/build/src/ws/app/web/dist/' does not exist. cwd: '/build/src/ws'\n"
            " --> app/src/main.rs:5:1\n"),
            "app/web/dist", "git ignores it (.gitignore:1: `dist/`)", "app/web/dist",
        ),
        # A macro that says no path.
        (
            "error: this folder was not found\n --> app/src/main.rs:5:1\n",
            "app/web/dist/index.html", "git ignores it (.gitignore:1: `dist/`)", "app/web/dist",
        ),
        (
            ("error: proc macro panicked\n --> app/src/main.rs:7:1\n"
            '  = help: message: "/build/src/ws/app/migrations" is not a directory\n'),
            "app/migrations", "git ignores it (.gitignore:3: `/app/migrations`)", "app/migrations",
        ),
        (
            'error: template "a.html" not found in directories ["/build/src/ws/app/templates"]\n',
            "app/templates", "git ignores it (.gitignore:5: `templates`)", "app/templates",
        ),
        # A build script: with its path, with a place, and with neither.
        (
            (f"{SCRIPT}  thread 'main' (17567) panicked at app/build.rs:2:107:\n"
            '  called `Result::unwrap()`: "cannot open ../../proto/x.proto: No such file or directory"\n'),
            "../proto/x.proto", "it lies outside the workspace", "../proto",
        ),
        (
            (f"{SCRIPT}  thread 'main' (17300) panicked at app/build.rs:2:60:\n  called `Result::unwrap()` on an `Err` "
            'value: Os { code: 2, kind: NotFound, message: "No such file or directory" }\n'),
            "../proto/x.proto", "it lies outside the workspace", "../proto",
        ),
        (
            f'{SCRIPT}  Error: Os {{ code: 2, kind: NotFound, message: "No such file or directory" }}\n',
            "../proto/x.proto", "it lies outside the workspace", "../proto",
        ),
        (
            (f'{SCRIPT}  Error: Custom {{ kind: Other, error: "protoc failed: Could not make proto path relative: '
            '../../proto/x.proto: No such file or directory" }\n'),
            "../proto/x.proto", "it lies outside the workspace", "../proto",
        ),
        (
            "error: can't find lib `app` at path `/build/src/ws/app/migrations/1.sql`\n",
            "app/migrations/1.sql", "git ignores it (.gitignore:3: `/app/migrations`)", "app/migrations",
        ),
        (
            ("error: `SQLX_OFFLINE=true` but there is no cached data for this query, run `cargo sqlx prepare` to "
            "update the query cache or unset `SQLX_OFFLINE`\n --> app/src/main.rs:1:1\n"),
            "app/.sqlx", "git ignores it (.gitignore:7: `.sqlx`)", "app/.sqlx",
        ),
        (
            "error: couldn't read `/build/src/ws/../shared.txt`: No such file or directory (os error 2)\n",
            "../shared.txt", "it lies outside the workspace", "../shared.txt",
        ),
    ],
)  # fmt: skip
def test_a_hidden_file_is_named_with_its_rule(inputs: Inputs, words: str, path: str, rule: str, include: str) -> None:
    found = told(inputs, words)
    assert found.sentence.splitlines()[0] == f"{path} is not sent to builds: {rule}"
    assert f"include: [{include}]" in found.setting
    assert words.splitlines()[0] in found.sentence


def test_what_is_included_already_stays_in_the_setting(inputs: Inputs) -> None:
    (inputs.project.root / "layerdoit.yaml").write_text("sources:\n  include: [other]\n")
    project = Project.open(inputs.project.root, {})
    again = Inputs(Tree(project), question.build(project, "linux/amd64"))
    words = "error: couldn't read `README.md`: No such file or directory (os error 2)\n"
    assert told(again, words).setting == "set in layerdoit.yaml:2, under sources: include: [other, README.md]"


def test_a_library_that_the_linker_misses_is_named_with_what_hides_it(inputs: Inputs) -> None:
    settings = "toolchain: 1.95.0\nimage: {assets: {libs: /usr/lib}}\n"
    write(inputs.project.root, {"libs/libours.so": "", "layerdoit.yaml": settings})
    again = Inputs(Tree(inputs.project.again()), question.build(inputs.project.again(), "linux/amd64"))
    words = """\
error: linking with `cc` failed: exit status: 1
  = note:  "cc" "-m64" "-L" "/build/src/ws/libs" "-lours" "-o" "/build/target/debug/deps/app-4c"
  = note: rust-lld: error: unable to find library -lours
"""
    found = hidden_files.advice(words, again)
    assert found is not None
    assert "libs/libours.so is not sent to builds: it is an asset" in found.sentence
    assert "sources: {include: [libs]}" in found.setting


def test_a_file_that_is_not_there_either(inputs: Inputs) -> None:
    words = "error: couldn't read `app/src/../never/more.txt`: No such file or directory (os error 2)\n"
    found = told(inputs, words)
    assert found.sentence.startswith("app/never/more.txt does not exist in this tree, and git ignores it (.gitignore:6")
    assert found.setting == "run what makes it; and add to layerdoit.yaml: sources: {include: [app/never]}"
    found = told(inputs, words.replace("never", "nowhere"))
    assert found.sentence.startswith("app/nowhere/more.txt does not exist in this tree, either\nerror: couldn't read")
    assert found.setting == "make it, or correct the path"


@pytest.mark.parametrize(
    "words",
    [
        "error[E0425]: cannot find value `migrations` in this scope\n --> app/src/main.rs:7:1\n",
        'error: could not compile `app` (bin "app") due to 1 previous error\n',
        "error: linking with `cc` failed\n  = note: /usr/bin/ld: cannot find -lfoo: No such file or directory\n",
        "error: cannot read `target`\n",
        "error: cannot read `app/src/main.rs`: missing\n --> app/src/main.rs:9:1\n",
        "",
    ],
)  # fmt: skip
def test_what_is_about_something_else(inputs: Inputs, words: str) -> None:
    assert hidden_files.advice(words, inputs) is None
