"""What real builds said when they lacked something; the texts in native_failures/ were recorded on an engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit import diagnosis
from layerdoit.config import Base, Config

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


def test_every_recording_is_looked_at() -> None:
    assert {file.stem for file in RECORDED.iterdir()} == set(LACKS)


@pytest.mark.parametrize("name", LACKS)
def test_recorded_failures(name: str) -> None:
    found = diagnosis.diagnose(recorded(name), "trixie")
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
    found = diagnosis.diagnose(text, "trixie")
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
    assert diagnosis.diagnose(text, "trixie") is None


def test_only_the_failing_script_counts() -> None:
    before = "warning: x: The system library `alsa` required by crate `alsa-sys` was not found.\n"
    found = diagnosis.diagnose(before + recorded("zlibng"), "trixie")
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
    advice = diagnosis.advice(recorded("openssl"), config({}))
    assert advice is not None
    assert advice.sentence == "the build script of openssl-sys 0.9.118 lacks openssl.pc"
    lists = "packages: [libssl-dev], runtime_packages: [libssl3t64]"
    assert advice.setting == f"add to layerdoit.yaml: base: {{{lists}}}"
    there = config({"base.packages": "layerdoit.yaml:7"}, packages=("cmake",), runtime_packages=("tzdata",))
    advice = diagnosis.advice(recorded("openssl"), there)
    assert advice is not None
    lists = "packages: [cmake, libssl-dev], runtime_packages: [tzdata, libssl3t64]"
    assert advice.setting == f"set in layerdoit.yaml:7, under base: {lists}"


def test_no_advice_that_cannot_help() -> None:
    assert diagnosis.advice(recorded("openssl"), config({}, packages=("libssl-dev",))) is None
    assert diagnosis.advice(recorded("openssl"), config({}, target="x86_64-unknown-linux-musl")) is None
    assert diagnosis.advice(recorded("zlibng"), config({}, target="x86_64-unknown-linux-musl")) is not None


@given(st.lists(st.tuples(st.sampled_from(sorted(LACKS)), st.integers(0, 3000), st.integers(0, 3000)), max_size=4))
def test_pieces_of_real_texts_never_break_it(pieces: list[tuple[str, int, int]]) -> None:
    found = diagnosis.diagnose("".join(recorded(name)[start:end] for name, start, end in pieces), "bookworm")
    assert found is None or found.build
