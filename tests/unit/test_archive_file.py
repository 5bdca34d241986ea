"""The file of `doit cache_save`: what it says of itself, and which files are none."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from layerdoit.build import archive_file
from layerdoit.build.archive_file import Facts, NotSaved, read, write
from layerdoit.core.errors import ConfigError
from layerdoit.flows.saved_artefacts import one_file

FACTS = Facts(
    project="shop",
    variant="dev/host",
    platform="linux/amd64",
    toolchain="1.95.0",
    cook="0123456789ab",
    deps="d" * 64,
    packer="gzip",
    digest="0a" * 32,
    files=3,
    unpacked=4_000,
    commit="c" * 40,
    branch="main",
    saved="2026-11-29T12:00:00Z",
)


def saved(folder: Path, facts: Facts = FACTS, content: bytes = b"packed" * 1000) -> Path:
    (folder / "packed").write_bytes(content)
    write(folder / "a.tar", facts, folder / "packed")
    return folder / "a.tar"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = saved(tmp_path)
    assert read(file) == FACTS
    with tarfile.open(file) as archive:
        assert archive.getnames() == [archive_file.HEAD, archive_file.PACKED]
        opened = archive.extractfile(archive_file.PACKED)
        assert opened is not None
        assert opened.read() == b"packed" * 1000
    assert sorted(os.listdir(tmp_path)) == ["a.tar", "packed"]


def test_a_file_that_cannot_be_written_whole_is_not_there(tmp_path: Path) -> None:
    before = saved(tmp_path).read_bytes()
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "a.tar", FACTS, tmp_path / "none")
    assert (tmp_path / "a.tar").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["a.tar", "packed"]


def test_each_length_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    file = saved(tmp_path)
    whole = file.read_bytes()
    end = whole.rindex(b"packed") + len(b"packed")
    for length in {0, 1, 100, 511, 512, 600, 1024, 1100, 1536, 2048, end - 4000, end - 1}:
        file.write_bytes(whole[:length])
        with pytest.raises(NotSaved) as caught:
            read(file)
        assert (caught.value.exit_code, caught.value.where) == (2, str(file))
        assert caught.value.hint
    file.write_bytes(whole[:end])
    assert read(file) == FACTS


def foreign(name: str, content: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"hello\n", "no file that"),
        (os.urandom(5000), "no file that"),
        (foreign("else", b"x"), "no file that"),
        (foreign(archive_file.HEAD, b"no json"), "no file that"),
        (foreign(archive_file.HEAD, b"[]"), "no file that"),
        (foreign(archive_file.HEAD, b'{"format": 1}'), "no file that"),
        (foreign(archive_file.HEAD, json.dumps({"format": 1, **FACTS._asdict(), "files": "x"}).encode()), "no file"),
        (foreign(archive_file.HEAD, b'{"format": 99}'), "newer"),
        (foreign(archive_file.HEAD, b" " * 70_000), "no file that"),
        (foreign(archive_file.HEAD, json.dumps({"format": 1, **FACTS._asdict()}).encode()), "cut off"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(NotSaved) as caught:
        read(tmp_path / "a.tar")
    assert said in caught.value.what


def test_no_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "none.tar", "no such file"), (tmp_path, "folder")):
        with pytest.raises(NotSaved) as caught:
            read(path)
        assert said in caught.value.what


def test_exactly_one_file_is_named() -> None:
    assert one_file(["../a.tar"], "cache_save", "/w/here") == Path("/w/a.tar")
    assert one_file(["/x/a.tar"], "cache_save", "/w/here") == Path("/x/a.tar")
    for words in ([], [""], ["a", "b"]):
        with pytest.raises(ConfigError):
            one_file(words, "cache_save", "/w")
