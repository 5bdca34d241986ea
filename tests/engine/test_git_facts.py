"""What build scripts learn from git: the same as on this machine, never of an earlier commit, and only if they ask."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from layerdoit.layers.outcome import Outcome
from tests.support.checkout import Checkout
from tests.support.files import write
from tests.support.git import commit_all, git
from tests.support.lockfile import entry, lockfile

QUESTIONS = {
    # The first, for it believes what the index says of the files' times.
    "INDEX": "diff-index --name-only HEAD",
    "COMMIT": "rev-parse HEAD",
    "DESCRIBED": "describe --tags --dirty --always",
    "STATUS": "status --porcelain",
    "COUNT": "rev-list --count HEAD",
}
ASKS = """\
use std::process::Command;
fn main() {
    for (name, words) in [QUESTIONS] {
        let done = Command::new("git").args(words.split(' ')).output().expect("git");
        let said = String::from_utf8_lossy(&done.stdout).trim_end().replace('\\n', "|");
        println!("cargo:rustc-env={name}={said}{}", String::from_utf8_lossy(&done.stderr).trim());
    }
}
""".replace("QUESTIONS", ", ".join(f'("{name}", "{words}")' for name, words in QUESTIONS.items()))
MAIN = "fn main() {\n" + "".join(f'    println!("{name}={{}}", env!("{name}"));\n' for name in QUESTIONS) + "}\n"
PACKAGE = '[package]\nname = "NAME"\nversion = "0.1.0"\nedition = "2021"\nbuild = "build.rs"\n'
FILES: Mapping[str, str] = {
    "Cargo.toml": '[workspace]\nmembers = ["app", "quiet"]\nresolver = "2"\n\n[profile.dev]\ndebug = 0\n',
    "Cargo.lock": lockfile(entry("app", needs=["quiet"]), entry("quiet")),
    "app/Cargo.toml": PACKAGE.replace("NAME", "app") + '[dependencies]\nquiet = { path = "../quiet" }\n',
    "app/build.rs": ASKS,
    "app/src/main.rs": MAIN,
    "quiet/Cargo.toml": PACKAGE.replace("NAME", "quiet"),
    "quiet/build.rs": "fn main() {}\n",
    "quiet/src/lib.rs": "",
    "notes.txt": "",
    "docs/page.md": "",
    ".gitignore": "/target\n/layerdoit.yaml\n",
}
CONFIG = 'base: {packages: [git]}\nbuild: {git: commit}\nsources: {exclude: ["docs/"]}\n'


def host(root: Path) -> dict[str, str]:
    """What git says on this machine."""
    said = {}
    for name, words in QUESTIONS.items():
        done = subprocess.run(["git", *words.split()], cwd=root, capture_output=True, text=True, check=False)
        said[name] = done.stdout.rstrip().replace("\n", "|") + done.stderr.strip()
    return said


def image(one: Checkout, outcome: Outcome) -> dict[str, str]:
    """What the image's program prints."""
    rows = one.said(outcome.step.spec.tag).splitlines()
    return dict(row.split("=", 1) for row in rows)


def asked(one: Checkout, build: Callable[[], dict[str, Outcome]], *, compiled: int | None) -> dict[str, Outcome]:
    """Build, compare what the program says with what git says here, and count the crates."""
    outcomes = build()
    assert image(one, outcomes["app"]) == host(one.root)
    counts = outcomes["app"].counts
    assert compiled is None or counts.get("compiled", 0) == compiled, counts
    return outcomes


def keys(outcomes: Mapping[str, Outcome]) -> dict[str, str]:
    return {layer: outcome.step.spec.key for layer, outcome in outcomes.items()}


def test_build_scripts_know_the_commit(checkout: Callable[..., Checkout]) -> None:
    one = checkout(FILES, CONFIG)
    commit_all(one.root, "one")
    git(one.root, "tag", "v1")
    first = asked(one, one.build, compiled=None)

    # The same tree in another commit: a new program, and nobody else compiles.
    commit_all(one.root, "two")
    second = asked(one, one.build, compiled=1)
    assert keys(second) == {**keys(first), "app": second["app"].step.spec.key}
    git(one.root, "tag", "--annotate", "--message", "x", "v2")
    asked(one, one.build, compiled=1)

    # What git counts as a change, sent or not, staged or not.
    (one.root / "notes.txt").write_text("dirty")
    asked(one, one.build, compiled=1)
    (one.root / "notes.txt").write_text("")
    (one.root / "docs/page.md").write_text("dirty")
    # Not sent, so it is missing there.
    changed = one.build()["app"]
    assert image(one, changed)["DESCRIBED"] == host(one.root)["DESCRIBED"] == "v2-dirty"
    git(one.root, "add", "docs")
    asked(one, one.build, compiled=1)

    # Back at the first commit, its image is there.
    git(one.root, "reset", "--quiet", "--hard", "v1")
    git(one.root, "tag", "--delete", "v2")
    assert asked(one, one.build, compiled=0)["app"].step.spec.tag == first["app"].step.spec.tag


def test_an_edit_compiles_what_it_did_before(checkout: Callable[..., Checkout]) -> None:
    one = checkout({**FILES, "app/build.rs": "fn main() {}\n", "app/src/main.rs": "fn main() {}\n"}, CONFIG)
    commit_all(one.root)
    one.build()
    one.write({"app/src/main.rs": 'fn main() { print!("1"); }\n'})
    assert one.build()["app"].counts["compiled"] == 1
    # Nobody asks: another commit makes nothing.
    commit_all(one.root)
    made = one.build()["app"]
    assert (made.step.action, made.counts.get("compiled", 0)) == ("reuse", 0)


def test_a_folder_of_a_repository(checkout: Callable[..., Checkout]) -> None:
    one = checkout({}, "")
    top, module = one.root, one.root.parent / f"{one.name}-module"
    write(module, {"lib.txt": "x"})
    commit_all(module, "of the module")
    one.root = top / "rust"
    one.write(FILES)
    one.configure(CONFIG.replace("commit", "full"))
    write(top, {"other/file.txt": "x", ".gitattributes": "*.txt text\n", ".gitignore": ".doit*\n"})
    (top / "layerdoit.yaml").unlink()
    git(top, "init", "--quiet", "--initial-branch", "main")
    git(top, "submodule", "--quiet", "add", str(module), "rust/module")
    commit_all(top, "one")
    asked(one, one.build, compiled=None)
    write(top, {"other/file.txt": "y"})
    assert image(one, one.build()["app"])["DESCRIBED"].endswith("-dirty")
    git(top, "checkout", "--", "other")
    write(top, {"rust/module/lib.txt": "y"})
    asked(one, one.build, compiled=1)
