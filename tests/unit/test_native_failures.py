"""What real builds said when they lacked something; the texts in native_failures/ were recorded on an engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.cargo import failures
from layerdoit.config import Base, Config, Dockerfiles

RECORDED = Path(__file__).parent / "native_failures"
# name of the recording -> builder packages, runtime packages; None: the text does not say what is missing
LACKS: dict[str, tuple[str, str] | None] = {
    "alsa": ("libasound2-dev", "libasound2t64"),
    "bindgen": ("libclang-dev", ""),
    "boring": ("cmake libclang-dev git", ""),
    "capnp": ("capnproto", ""),
    "clib": ("zlib1g-dev", "zlib1g"),
    "dbus": ("libdbus-1-dev", "libdbus-1-3"),
    "fontconfig": ("libfontconfig-dev", "libfontconfig1"),
    "fuser": ("libfuse3-dev", "libfuse3-4"),
    "glib": ("libglib2.0-dev", "libglib2.0-0t64"),
    "gmp": ("m4", ""),
    "go": ("golang-go", ""),
    "hidapi": ("libudev-dev", "libudev1"),
    "linkz": ("zlib1g-dev", "zlib1g"),
    "lld": ("mold", ""),
    "mlua": ("liblua5.4-dev", "liblua5.4-0"),
    "mysql": ("default-libmysqlclient-dev", "libmariadb3"),
    "nasm": ("nasm", ""),
    "onig": ("libclang-dev", ""),
    "openssl": ("libssl-dev", "libssl3t64"),
    "openssl-vendored": ("perl", ""),
    "perl": ("perl", ""),
    "pq": ("libpq-dev", "libpq5"),
    "protoc": ("protobuf-compiler libprotobuf-dev", ""),
    "pyo3": ("python3-dev", "libpython3.13"),
    "python": None,
    "rocksdb": ("libclang-dev", ""),
    "sasl": ("libsasl2-dev", "libsasl2-2"),
    "sqlite": ("libsqlite3-dev", "libsqlite3-0"),
    "udev": ("libudev-dev", "libudev1"),
    "zlibng": ("cmake", ""),
}


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("Fetched 16.9 MB in 1s\nE: Unable to locate package libsll-dev", "libsll-dev"),
        ("E: Package 'libsll-dev' has no installation candidate", "libsll-dev"),
        ("E: Unable to locate package libsll-dev:arm64", "libsll-dev"),
    ],
)
def test_a_package_that_the_suite_does_not_have_is_named_with_its_place(said: str, named: str) -> None:
    there = config({"base.packages": "layerdoit.yaml:4"}, packages=("libsll-dev",))
    advice = failures.advice(said, there)
    assert advice is not None
    assert named in advice.sentence
    assert "base.packages (layerdoit.yaml:4)" in advice.setting
    runtime = failures.advice(said, Config(base=Base(runtime_packages=("libsll-dev",))))
    assert runtime is not None
    assert "base.runtime_packages (layerdoit.yaml)" in runtime.setting
    assert failures.advice(said, Config()) is None, "a Dockerfile of the user asked for it"


def test_every_recording_is_looked_at() -> None:
    assert {file.stem for file in RECORDED.iterdir()} == set(LACKS)


@pytest.mark.parametrize("name", LACKS)
def test_recorded_failures(name: str) -> None:
    found = failures.diagnose(recorded(name), "trixie")
    expected = LACKS[name]
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert (" ".join(found.build), " ".join(found.run)) == expected


@pytest.mark.parametrize(
    ("text", "build"),
    [
        ("/usr/bin/ld: cannot find -lcrypto: No such file or directory", "libssl-dev"),
        ("/usr/bin/ld: cannot find -lpython3.13: No such file or directory", "python3-dev"),
        ("mold: fatal: library not found: asound", "libasound2-dev"),
        ("ld.lld: error: unable to find library -lz", "zlib1g-dev"),
        ("wrapper.h:1:10: fatal error: 'libavcodec/avcodec.h' file not found", "libavcodec-dev"),
        ("x.c:3:10: fatal error: openssl/ssl.h: No such file or directory", "libssl-dev"),
        ("  sh: 1: nasm: not found", "nasm"),
        ("configure: line 7: bison: command not found", "bison"),
        ("make: flex: No such file or directory", "flex"),
        ("error: linker `clang` not found", "clang"),
        ("/usr/bin/env: 'python3': No such file or directory", "python3"),
    ],
)
def test_sentences_of_linkers_and_shells(text: str, build: str) -> None:
    found = failures.diagnose(text, "trixie")
    assert found is not None
    assert found.build[0] == build


@pytest.mark.parametrize(
    "text",
    [
        "",
        "error[E0425]: cannot find value `x` in this scope",
        "error: cannot find macro `foo` in this scope",
        'error: could not compile `app` (bin "app") due to 1 previous error',
        "error: failed to run custom build command for `app v0.1.0 (/build/src)`\nthread panicked: index out of bounds",
        "error: failed to run custom build command for `openssl-sys v0.9.0`\n--- stderr\nout of memory",
        "thread 'main' panicked at src/main.rs: file not found: config.toml",
        "fatal error: ours.h: No such file or directory",
        "/usr/bin/ld: cannot find -lours: No such file or directory",
    ],
)
def test_other_failures_get_no_advice(text: str) -> None:
    assert failures.diagnose(text, "trixie") is None


def test_only_the_failing_script_counts() -> None:
    before = "warning: x: The system library `alsa` required by crate `alsa-sys` was not found.\n"
    found = failures.diagnose(before + recorded("zlibng"), "trixie")
    assert found is not None
    assert found.build == ("cmake",)


def config(
    where: dict[str, str],
    packages: tuple[str, ...] = (),
    runtime_packages: tuple[str, ...] = (),
    target: str | None = None,
) -> Config:
    return Config(base=Base(packages=packages, runtime_packages=runtime_packages), where=where, target=target)


def test_advice_is_the_line_to_write() -> None:
    advice = failures.advice(recorded("openssl"), config({}))
    assert advice is not None
    assert advice.sentence == "the build script of openssl-sys 0.9.118 lacks openssl.pc"
    lists = "packages: [libssl-dev], runtime_packages: [libssl3t64]"
    assert advice.setting == f"add to layerdoit.yaml: base: {{{lists}}}"
    there = config({"base.packages": "layerdoit.yaml:7"}, packages=("cmake",), runtime_packages=("tzdata",))
    advice = failures.advice(recorded("openssl"), there)
    assert advice is not None
    lists = "packages: [cmake, libssl-dev], runtime_packages: [tzdata, libssl3t64]"
    assert advice.setting == f"set in layerdoit.yaml:7, under base: {lists}"


@pytest.mark.parametrize(
    ("base", "lists"),
    [
        (
            {"image": "own/rust:1-noble", "runtime_image": "ubuntu:24.04"},
            "[libssl-dev], runtime_packages: [libssl3t64]",
        ),
        ({"image": "own/rust:jammy", "runtime_image": "ubuntu:22.04"}, "[libssl-dev], runtime_packages: [libssl3]"),
        ({"image": "rust:1.95-trixie", "runtime_image": "debian:12"}, "[libssl-dev], runtime_packages: [libssl3]"),
        ({"suite": "bookworm"}, "[libssl-dev], runtime_packages: [libssl3]"),
    ],
)
def test_advice_names_packages_of_the_images(base: dict[str, str], lists: str) -> None:
    advice = failures.advice(recorded("openssl"), Config(base=Base(**base)))  # type: ignore[arg-type]
    assert advice is not None
    assert advice.setting == f"add to layerdoit.yaml: base: {{packages: {lists}}}"


def test_advice_says_what_it_assumes() -> None:
    advice = failures.advice(recorded("openssl"), Config(base=Base(image="own/rust:7", runtime_image="ubuntu:24.04")))
    assert advice is not None
    assert advice.setting == (
        "add to layerdoit.yaml: base: {packages: [libssl-dev], runtime_packages: [libssl3t64]}; these are names of"
        " Debian 13 (trixie): the suite of own/rust:7 is not known (set base.suite)"
    )


def test_advice_where_the_suite_lacks_it() -> None:
    said = "error: failed to run custom build command for `webkit2gtk-sys v0.18.0`\n"
    said += "  Package webkit2gtk-4.0 was not found in the pkg-config search path.\n"
    advice = failures.advice(said, Config())
    assert advice is not None
    assert advice.setting == (
        "it is available only in Debian 12 (bookworm) and Ubuntu 22.04 (jammy): "
        "choose one with base.suite, or base.image and base.runtime_image"
    )
    advice = failures.advice(said, Config(base=Base(suite="bookworm")))
    assert advice is not None
    assert "libwebkit2gtk-4.0-dev" in advice.setting
    assert failures.advice(said, Config(target="x86_64-unknown-linux-musl")) is None


def test_no_advice_that_cannot_help() -> None:
    assert failures.advice(recorded("openssl"), config({}, packages=("libssl-dev",))) is None
    assert failures.advice(recorded("openssl"), config({}, target="x86_64-unknown-linux-musl")) is None
    assert failures.advice(recorded("zlibng"), config({}, target="x86_64-unknown-linux-musl")) is not None


@given(st.lists(st.tuples(st.sampled_from(sorted(LACKS)), st.integers(0, 3000), st.integers(0, 3000)), max_size=4))
def test_pieces_of_real_texts_never_break_it(pieces: list[tuple[str, int, int]]) -> None:
    found = failures.diagnose("".join(recorded(name)[start:end] for name, start, end in pieces), "bookworm")
    assert found is None or found.build


GIT = """\
error: failed to get `private` as a dependency of package `app v0.0.0 (/build/src)`

Caused by:
  failed to load source for dependency `private`

Caused by:
  unable to update {}/private.git?branch=x#5d9d53ec

Caused by:
  failed to clone into: /cargo/git/db/private-96094c374166a1c8

Caused by:
  {}
"""


@pytest.mark.parametrize(
    ("host", "cause", "sentence", "next_step"),
    [
        (
            "https://git.example.com",
            "failed to receive HTTP 200 response: got 401; class=Net (12)",
            "https://git.example.com/private.git accepts no login that this machine has in git or ~/.netrc",
            "git credential approve",
        ),
        (
            "https://git.example.com",
            "failed to authenticate when downloading repository: https://me:***@git.example.com/private.git",
            "https://git.example.com/private.git accepts no login that this machine has in git or ~/.netrc",
            "gh auth setup-git",
        ),
        (
            "ssh://git@git.example.com",
            "failed to authenticate when downloading repository",
            "ssh://git@git.example.com/private.git accepts none of the ssh agent's keys",
            "ssh-add",
        ),
        (
            "https://git.example.com",
            "failed to authenticate when downloading repository\n  \n  * attempted ssh-agent authentication, but none",
            "https://git.example.com/private.git accepts none of the ssh agent's keys",
            "ssh-add",
        ),
        (
            "ssh://git@git.example.com",
            "error: unknown SSH host key",
            "ssh://git@git.example.com/private.git: the key of its server is not in known_hosts",
            "known_hosts",
        ),
        (
            "https://github.com",
            "cannot fetch a specific object from the remote repository; class=Invalid (3)",
            "https://github.com/private.git comes from a server that does not serve commits by their id",
            "uploadpack.allowReachableSHA1InWant",
        ),
        (
            "https://git.example.com",
            "[6] Could not resolve hostname; class=Net (12)",
            "https://git.example.com/private.git cannot be fetched: [6] Could not resolve hostname; class=Net (12)",
            "doctor",
        ),
    ],
)
def test_a_git_dependency_that_cannot_be_fetched(host: str, cause: str, sentence: str, next_step: str) -> None:
    found = failures.advice(GIT.format(host, cause), Config())
    assert found is not None
    assert found.sentence == sentence
    assert next_step in found.setting


@pytest.mark.parametrize(
    "said",
    [
        "fatal: could not read Username for 'https://git.example.com': terminal prompts disabled",
        "fatal: Authentication failed for 'https://git.example.com/private.git/'",
    ],
)
def test_git_s_own_words_come_before_cargo_s(said: str) -> None:
    cause = "process didn't exit successfully: `git fetch --no-tags --force` (exit status: 128)"
    found = failures.advice(f"{said}\n{GIT.format('https://git.example.com', cause)}", Config())
    assert found is not None
    assert "accepts no login" in found.sentence
    over_ssh = failures.advice(f"{said}\n{GIT.format('ssh://git@git.example.com', cause)}", Config())
    assert over_ssh is not None
    assert "cannot be fetched" in over_ssh.sentence


def test_a_dockerfile_of_one_s_own_has_to_take_the_login() -> None:
    words = GIT.format("https://git.example.com", "got 401; class=Net (12)")
    own, ours = Config(dockerfiles=Dockerfiles(deps="docker/deps")), Config()
    mount = "docker/deps has to mount the secret: RUN --mount=type=secret,id=git,"
    found = [failures.advice(words, config) for config in (own, ours)]
    assert [mount in advice.setting for advice in found if advice] == [True, False]


def test_a_target_that_something_in_the_build_compiles_for() -> None:
    words = (
        "error[E0463]: can't find crate for `core`\n  |\n"
        "  = note: the `x86_64-unknown-linux-musl` target may not be installed\n"
    )
    found = failures.advice(words, Config())
    assert found is not None
    assert found.setting == "add to layerdoit.yaml: base: {targets: [x86_64-unknown-linux-musl]}"
    assert failures.advice(words, Config(target="x86_64-unknown-linux-musl")) is None
    other = Config(base=Base(targets=("wasm32-wasip1",)), where={"base": "layerdoit.yaml:3"})
    more = failures.advice(words, other)
    assert more is not None
    assert more.setting == "set in layerdoit.yaml:3, under base: targets: [wasm32-wasip1, x86_64-unknown-linux-musl]"


LINT = """\
   Compiling app v0.1.0 (/build/src)
error: unnecessary parentheses around closure body
  --> src/api/util.rs:30:38
   |
30 |     option_to_tuple(origin.map(|u| (text(u))), String::new())
   |                                    ^       ^
   |
{}
help: remove these parentheses

error: could not compile `app` (lib) due to 1 previous error
"""
IN_SOURCES = "note: the lint level is defined here\n  --> src/lib.rs:4:5\n   |\n 4 |     unused_parens,"
IMPLIED = "   = note: `-D unused-parens` implied by `-D unused`\n   = help: to override `-D unused` add `#[allow(x)]`"
ASKED = "   = note: requested on the command line with `-D unused-parens`"


@pytest.mark.parametrize(
    ("note", "who"),
    [
        (IN_SOURCES, "src/lib.rs:4"),
        (IMPLIED, "deny for unused ([lints] in Cargo.toml, or RUSTFLAGS)"),
        (ASKED, "deny for unused-parens ([lints] in Cargo.toml, or RUSTFLAGS)"),
    ],
)
def test_a_warning_that_the_project_makes_an_error(note: str, who: str) -> None:
    """Rust releases add warnings: a project of last year that denies them does not compile."""
    said = LINT.format(note)
    found = failures.advice(said, Config())
    assert found is not None
    head, *shown = found.sentence.split("\n")
    assert head == f"{who} turns a warning into an error"
    assert shown[:2] == ["error: unnecessary parentheses around closure body", "  --> src/api/util.rs:30:38"]
    assert shown[-1] == "help: remove these parentheses"
    assert "env: {RUSTFLAGS: --cap-lints=warn}" in found.setting
    mistake = "error[E0425]: cannot find value `x` in this scope\n"
    assert failures.advice(said + mistake, Config()) is None
    only_a_warning = said.replace("error: unnecessary", "warning: unnecessary")
    assert failures.advice(f"error: expected one of `!` or `::`\n\n{only_a_warning}", Config()) is None
