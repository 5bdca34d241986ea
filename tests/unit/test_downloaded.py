"""What cargo has downloaded here goes into a cook: what is locked, and is what Cargo.lock says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from layerdoit.cargo import downloaded
from layerdoit.cargo.lock import LockPackage
from tests.support.files import write
from tests.support.lockfile import CRATES_IO

HERE, OLD = "index.crates.io-1949cf8c6b5b557f", "index.crates.io-6f17d22bba15001f"


def locked(name: str, content: str, source: str = CRATES_IO) -> LockPackage:
    return LockPackage(name, "1.0.0", source, hashlib.sha256(content.encode()).hexdigest())


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "home"))
    return tmp_path / "home/registry"


def given(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("name", "entry"),
    [("a", "1/a"), ("cc", "2/cc"), ("syn", "3/s/syn"), ("serde", "se/rd/serde"), ("Inflector", "in/fl/inflector")],
)
def test_an_entry_of_the_index_is_where_cargo_keeps_it(name: str, entry: str) -> None:
    assert downloaded.entry_of(name) == entry


def test_what_is_locked_is_given_and_nothing_else(registry: Path, tmp_path: Path) -> None:
    write(
        registry,
        {
            f"index/{HERE}/config.json": "{}",
            f"index/{HERE}/.cache/se/rd/serde": "entry",
            f"index/{HERE}/.cache/3/l/log": "entry",
            f"index/{HERE}/.cache/wi/nd/windows": "entry",
            f"cache/{HERE}/serde-1.0.0.crate": "serde",
            f"cache/{HERE}/serde-1.0.1.crate": "another version",
            f"cache/{HERE}/windows-1.0.0.crate": "windows",
            f"cache/{HERE}/broken-1.0.0.crate": "half",
            f"cache/{HERE}/mine-1.0.0.crate": "mine",
            f"index/{OLD}/.cache/se/rd/serde": "older entry",
            f"cache/{OLD}/serde-1.0.0.crate": "serde",
            "index/registry.example-0123456789abcdef/config.json": '{"dl": "https://me:secret@registry.example"}',
        },
    )
    packages = [
        locked("serde", "serde"),
        locked("windows", "windows"),
        locked("broken", "whole"),
        locked("mine", "mine", "registry+https://registry.example/index"),
        LockPackage("git", "1.0.0", "git+https://git.example/git#0123"),
    ]
    downloaded.give(packages, tmp_path / "to")
    assert given(tmp_path / "to") == [
        f"cache/{HERE}/serde-1.0.0.crate",
        f"cache/{HERE}/windows-1.0.0.crate",
        f"cache/{OLD}/serde-1.0.0.crate",
        f"index/{HERE}/.cache/se/rd/serde",
        f"index/{HERE}/.cache/wi/nd/windows",
        f"index/{HERE}/config.json",
        f"index/{OLD}/.cache/se/rd/serde",
    ]


@pytest.mark.parametrize("packages", [[], [locked("serde", "serde")]])
def test_a_machine_without_cargo_gives_nothing(registry: Path, tmp_path: Path, packages: list[LockPackage]) -> None:
    downloaded.give(packages, tmp_path / "to")
    assert not registry.exists()
    assert not (tmp_path / "to").exists()


def test_what_cannot_be_read_is_left_out(registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = f"index/{HERE}/.cache/se/rd/serde"
    write(registry, {f"index/{HERE}/config.json": "{}", entry: "entry"})
    read = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == "serde":
            raise PermissionError
        return read(path)

    # The tests may run as root, who may read all.
    monkeypatch.setattr(Path, "read_bytes", refused)
    downloaded.give([locked("serde", "serde")], tmp_path / "to")
    assert given(tmp_path / "to") == [f"index/{HERE}/config.json"]


def test_a_link_is_given_as_the_file_that_it_leads_to(registry: Path, tmp_path: Path) -> None:
    write(registry, {f"index/{HERE}/config.json": "{}", "elsewhere/serde": "serde"})
    archive = f"cache/{HERE}/serde-1.0.0.crate"
    (registry / archive).parent.mkdir(parents=True)
    (registry / archive).symlink_to(registry / "elsewhere/serde")
    downloaded.give([locked("serde", "serde")], tmp_path / "to")
    assert (tmp_path / "to" / archive).read_text() == "serde"
    assert not (tmp_path / "to" / archive).is_symlink()
