"""`doit layers doctor`: what users see, what programs read, and the exit codes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.scratch import MANIFEST, Crate

AWAY = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


def ids(crate: Crate, *words: str, env: dict[str, str] | None = None) -> dict[str, str]:
    """Finding -> level, from the documented JSON, which stands alone on standard output."""
    told = json.loads(crate.doit("layers", "doctor", "--json", *words, env=env).out)
    assert set(told) == {"findings", "not_checked", "facts", "errors", "warnings", "hints"}
    for finding in told["findings"]:
        assert set(finding) == {"id", "level", "what", "where", "why", "fix"}
    assert all(set(item) == {"what", "why"} for item in told["not_checked"])
    return {finding["id"]: finding["level"] for finding in told["findings"]}


def test_all_clear(plain: Crate, docker_engine: Any) -> None:
    done = plain.doit("layers", "doctor").ok()
    lines = done.out.splitlines()
    # A disk that is nearly full is this machine's, and rightly told.
    full = "[disk]" in done.out
    assert lines[-1] == ("1 warning." if full else "No problems found."), done.text
    assert len(lines) < (24 if full else 20)
    assert done.err == ""
    assert not (plain.folder / "target").exists()


def test_without_an_engine_the_rest_is_checked(plain: Crate) -> None:
    plain.write("Dockerfile", "FROM rust:1\nCOPY . .\nRUN cargo build --locked\n")
    done = plain.doit("layers", "doctor", env=AWAY)
    assert done.code == 1
    assert "error: no Docker engine answers at unix:///nowhere/docker.sock [engine-unreachable]" in done.out
    assert "Dockerfile:2: " in done.out
    assert "Traceback" not in done.text


def test_findings_have_place_reason_and_fix(plain: Crate) -> None:
    plain.edit("Cargo.toml", 'version = "0.1.0"', 'version = "0.2.0"')
    plain.write(".env", "API_TOKEN=k3j4h5g6f7d8\n")
    done = plain.doit("layers", "doctor", env=AWAY)
    assert done.code == 1
    assert (
        "error: Cargo.toml:3: Cargo.lock has hello 0.1.0, but the manifest says 0.2.0 [lock-stale]\n  why: " in done.out
    )
    assert "\n  fix: run `cargo update --workspace` and commit Cargo.lock\n" in done.out
    assert ".env:1: this file holds the value of API_TOKEN [secret-in-context]" in done.out
    assert "k3j4" not in done.text


def test_exit_codes(plain: Crate, docker_engine: Any) -> None:
    plain.write("Dockerfile", "FROM rust:1\nWORKDIR /x\nCOPY . .\nRUN cargo build --locked\n")
    assert set(ids(plain).values()) == {"warning"}
    assert plain.doit("layers", "doctor").code == 0
    assert plain.doit("layers", "doctor", "--exit-code").code == 2
    (plain.folder / "Cargo.lock").unlink()
    assert ids(plain)["lock-missing"] == "error"
    assert plain.doit("layers", "doctor", "--exit-code").code == 1


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("layerdoit.yaml", "nonsense: 1\n", "unreadable"),
        ("Cargo.toml", "[package\n", "unreadable"),
        ("Cargo.toml", '[package]\nname = "hello"\nedition = 7\n[dependencies]\nx = 1\n', "unreadable"),
        ("Cargo.lock", "\0", "unreadable"),
        ("rust-toolchain.toml", "[toolchain]\nchannel = 7\n", ""),
        (".cargo/config.toml", "[build\n", "unreadable"),
    ],
)
def test_what_cannot_be_read_is_a_finding(plain: Crate, path: str, text: str, said: str) -> None:
    plain.write(path, text)
    found = ids(plain, env=AWAY)
    assert not said or found[said] == "error"
    done = plain.doit("layers", "doctor", env=AWAY)
    assert done.code == 1
    assert "Traceback" not in done.text


def test_an_empty_folder(plain: Crate) -> None:
    for name in ("Cargo.toml", "Cargo.lock"):
        (plain.folder / name).unlink()
    assert ids(plain, env=AWAY)["unreadable"] == "error"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".cargo/config.toml", 'build = "x"\n'),
        (".cargo/config.toml", "[build]\nrustflags = 7\nrustc-wrapper = []\n"),
        (".cargo/config.toml", 'target = "x"\nsource = 7\nregistries = []\n'),
        ("Cargo.toml", MANIFEST + "rust-version = 7\ndefault-run = []\n[profile.dev]\nlto = []\ninherits = []\n"),
        ("Cargo.toml", MANIFEST + 'metadata = "x"\n[workspace]\npackage = 7\n'),
        ("Dockerfile", "FROM\nRUN cargo\nCOPY\n\0"),
        (".dockerignore", "[\n***\n!\n"),
    ],
)
def test_wrong_types_are_no_tracebacks(plain: Crate, path: str, text: str) -> None:
    plain.write(path, text)
    done = plain.doit("layers", "doctor", "--json", env=AWAY)
    assert "Traceback" not in done.text
    assert done.code == 1
    json.loads(done.out)
