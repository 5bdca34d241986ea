"""What real builds said when they failed for a known cause; build_failures/ was recorded from cargo 1.95."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.cargo import causes, git_asked, manifest
from layerdoit.cargo.failures import Advice
from layerdoit.core.platform import container_triple
from tests.support.files import write
from tests.support.lockfile import lockfile
from tests.support.manifest import package

RECORDED = Path(__file__).parent / "build_failures"
LINKER = f"CARGO_TARGET_{container_triple().upper().replace('-', '_')}_LINKER"
# name of the recording -> what the sentence and the next step hold
KNOWN = {
    "cargofeat": ("the cargo feature `profile-rustflags` is only for a nightly Rust", "TOOLCHAIN=nightly"),
    "curl": (
        "the build script of p-curl wants the network (Could not resolve host: example.invalid)",
        "sources.include",
    ),
    "edition": ("the builder's Rust is older than the edition 2027", "TOOLCHAIN="),
    "exit": ("the build script of p-exit 0.1.0 failed\ncannot read schema", "correct it and run again"),
    "feature": ("src/main.rs:1: `#![feature]` is only for a nightly Rust", "TOOLCHAIN=nightly"),
    "git": (
        "the build script of p-git asks git (build.rs:2), and builds are told nothing of git",
        "build: {git: commit}",
    ),
    "gitnone": ("the build script of p-gitnone asks git (build.rs:2)", "build: {git: commit}"),
    "gitunwrap": ("the build script of p-gitunwrap asks git (build.rs:2)", "build: {git: commit}"),
    "kill": ("was killed (signal 9)", 'env: {CARGO_BUILD_JOBS: "1"}'),
    "linker": ("the builder lacks the linker `my-own-ld`", f"env: {{{LINKER}: cc}}"),
    "macropanic": ("a macro asks git (build.rs:2)", "build: {git: commit}"),
    "msrv": ("p-msrv 0.1.0 requires Rust 1.99, and the builder has 1.95.0", "TOOLCHAIN=1.99"),
    "net": (
        "wants the network (failed to lookup address information: Temporary failure in name resolution)",
        "sources.include",
    ),
    "panic": (
        "the build script of p-panic 0.1.0 failed at build.rs:1\nCONFIG_DIR must be set",
        "env: in layerdoit.yaml",
    ),
    "wrapper": ("starts every compiler by `sccache`", 'env: {RUSTC_WRAPPER: ""}'),
    "zflag": ("the option `Z` is only for a nightly Rust", "TOOLCHAIN=nightly"),
}


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.txt").read_text(encoding="utf-8")


def told(words: str, layer: str = "app", where: str | None = "build.rs:2") -> Advice | None:
    return causes.advice(words, layer, lambda _: where) or causes.unknown(words)


def test_every_recording_is_looked_at() -> None:
    assert {file.stem for file in RECORDED.iterdir()} == set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_recorded_failures(name: str) -> None:
    advice = told(recorded(name))
    assert advice is not None
    sentence, step = KNOWN[name]
    assert sentence in advice.sentence
    assert step in advice.setting
    assert "backtrace" not in advice.sentence
    assert "panicking.rs" not in advice.sentence


SCRIPT = "error: failed to run custom build command for `own v0.1.0 (/build/src)`\n"
SENTENCES = [
    (
        f"{SCRIPT}  thread 'main' panicked at build.rs:3:5:\n  called `Result::unwrap()` on an `Err` value: NotPresent",
        "env: in",
    ),
    (
        f"{SCRIPT}  Error: could not find repository at '/build/src'; class=Repository (6); code=NotFound",
        "build: {git: commit}",
    ),
    (f"{SCRIPT}  vergen: could not find repository at '/build/src'", "build: {git: commit}"),
    (f"{SCRIPT}  built::write: not a git repository", "build: {git: commit}"),
    (f"{SCRIPT}  sh: 1: git: not found", "build: {git: commit}, base: {packages: [git]}"),
    (f"{SCRIPT}  sh: 1: curl: not found", "keep the file among the sources"),
    (
        f"{SCRIPT}  error sending request for url (https://example.invalid/x): dns error",
        "keep the file among the sources",
    ),
    (
        "error: fatal: not a git repository\n --> src/main.rs:3\n  | git_version!()",
        "build: {git: commit}",
    ),
    ("error: error communicating with database: Connection refused\n --> src/db.rs:3", "cargo sqlx prepare"),
    ("error: environment variable `API_URL` not defined at compile time\n --> src/main.rs:3:5", "env: {API_URL: …}"),
    (
        "  collect2: fatal error: ld terminated with signal 9 [Killed]\nerror: could not compile `big` (bin)",
        "CARGO_BUILD_JOBS",
    ),
    (
        "error: could not compile `big` (lib)\n  process didn't exit successfully: `rustc` (signal: 9, SIGKILL: kill)",
        "memory",
    ),
    (
        "  feature `edition2024` is required\n  The package requires the Cargo feature called `edition2024`",
        "TOOLCHAIN=1.85",
    ),
    (
        (
            "error: rustc 1.70.0 is not supported by the following packages:\n"
            "  a@1.0.0 requires rustc 1.74\n  b@2.0.0 requires rustc 1.81.0\n"
        ),
        "TOOLCHAIN=1.81.0",
    ),
    (
        "  lock file version `4` was found, but this version of Cargo does not understand this lock file",
        "TOOLCHAIN=1.78",
    ),
    ("error: could not execute process `qemu-arm target/debug/app` (never executed)", "base.packages"),
]


@pytest.mark.parametrize(("words", "step"), SENTENCES, ids=[words[-40:] for words, _ in SENTENCES])
def test_sentences(words: str, step: str) -> None:
    advice = told(words)
    assert advice is not None
    assert step in advice.sentence + advice.setting


def test_where_git_is_told_the_program_may_lack() -> None:
    advice = causes.advice(f"{SCRIPT}  sh: 1: git: not found", "app", lambda _: "build.rs:2", told=True)
    assert advice is not None
    assert advice.sentence.endswith("asks git (build.rs:2), and the builder has no git")
    assert "base: {packages: [git]}" in advice.setting
    assert causes.advice(f"{SCRIPT}  fatal: not a git repository", "app", lambda _: "build.rs:2", told=True) is None


def test_crates_of_others_may_ask_git_and_the_network() -> None:
    other = "error: failed to run custom build command for `boring-sys v4.0.0`\n  failed to run `git`: No such file"
    assert causes.advice(other, "deps", lambda _: "build.rs:2") is None
    offline = (
        "error: failed to run custom build command for `ort-sys v2.0.0`\n  curl: (6) Could not resolve host: x.example"
    )
    advice = causes.advice(offline, "deps")
    assert advice is not None
    assert "downloads something, and could not: Could not resolve host: x.example" in advice.sentence
    assert "doctor" in advice.setting


@pytest.mark.parametrize(
    "words",
    [
        "error[E0425]: cannot find value `git` in this scope",
        "test net::resolves ... FAILED\n  failed to lookup address information: Name or service not known",
        "thread 'main' panicked at src/main.rs:1:1:\nfatal: not a git repository",
        "   Compiling git2 v0.18.0\nerror[E0308]: mismatched types",
        "",
    ],
)
def test_other_failures_are_left_to_others(words: str) -> None:
    assert told(words, where=None) is None


@given(st.text(), st.sampled_from(["", SCRIPT, "error: proc macro panicked\n"]))
def test_any_output_is_read(words: str, head: str) -> None:
    told(head + words)


ASKING = {
    'Command::new("git").output()': ("", True),
    'Command::new(\n "git",\n )': ("", True),
    'run("git", &["describe"])': ("", True),
    'Command::new("sh").arg("-c").arg("git describe --tags")': ("", True),
    'xshell::cmd!(sh, "git rev-parse HEAD")': ("", True),
    "let r = git2::Repository::discover(d)": ("", False),
    "gix::discover(d)": ("", False),
    "vergen_gitcl::Emitter::default()": ("", True),
    "vergen_git2::Emitter::default()": ("", False),
    "shadow_rs::new()": ("", False),
    "built::write_built_file()": ('built = { version = "0.7", features = ["git2"] }', False),
    "vergen::Emitter::new()": ('vergen = { version = "8", features = ["build", "git", "gitoxide"] }', False),
    "vergen::EmitBuilder::builder().all_git()": ('vergen = "8"', False),
    # These ask nothing.
    "built::util::strptime(d)": ('built = "0.7"', None),
    "vergen::Emitter::default().add_instructions(&b)": ('vergen = "9"', None),
    'println!("digit {}", 1)': ("", None),
    'Command::new("legit")': ("", None),
    'url.starts_with("git")': ("", None),
}


@pytest.mark.parametrize("call", ASKING)
def test_what_asks_git_and_by_which_means(tmp_path: Path, call: str) -> None:
    dependency, program = ASKING[call]
    files = {
        "Cargo.toml": package("a", f"[build-dependencies]\n{dependency}"),
        "Cargo.lock": lockfile(),
        "src/lib.rs": "",
        "build.rs": f"fn main() {{\n    {call};\n}}\n",
    }
    found = [one.program for one in git_asked.asked(manifest.load(write(tmp_path, files)))]
    assert found == ([] if program is None else [program])


def test_a_script_that_asks_git_is_found(tmp_path: Path) -> None:
    ask = 'fn main() {\n    // Command::new("git") in a comment\n    Command::new("git").output();\n}\n'
    root = write(
        tmp_path,
        {
            "Cargo.toml": '[workspace]\nmembers = ["a", "b", "c", "d"]\n',
            "Cargo.lock": lockfile(),
            "a/Cargo.toml": package("a", 'build = "tools/make.rs"'),
            "a/src/lib.rs": "",
            "a/tools/make.rs": ask,
            "b/Cargo.toml": package("b", '[build-dependencies]\nvergen = "8"'),
            "b/src/lib.rs": "",
            "b/build.rs": "fn main() {\n    vergen::EmitBuilder::builder().all_git().emit().unwrap();\n}\n",
            "c/Cargo.toml": package("c", '[dependencies]\ngit-version = "0.3"'),
            "c/src/lib.rs": "pub const V: &str =\n    git_version::git_version!();\n",
            "d/Cargo.toml": package("d"),
            "d/src/lib.rs": 'pub fn f() { std::process::Command::new("git"); }\n',
            "d/build.rs": "fn main() {}\n",
        },
    )
    assert list(git_asked.asked(manifest.load(root))) == [
        ("a", "a/tools/make.rs:3", True),
        ("b", "b/build.rs:2", False),
        ("c", "c/src/lib.rs:2", True),
    ]
