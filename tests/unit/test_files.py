"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from layerdoit.core import files


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "note"
    files.write(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        files.write(path, b"new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["note"]


def test_a_file_has_the_mode_and_the_time_that_it_was_given(tmp_path: Path) -> None:
    files.write(tmp_path / "note", b"\xff", mode=0o640, stamp=1_000_000_007)
    found = (tmp_path / "note").stat()
    assert (found.st_mode & 0o777, found.st_mtime_ns) == (0o640, 1_000_000_007)
    assert (tmp_path / "note").read_bytes() == b"\xff"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'"a"', b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "note"
    assert files.read_json(path) == {}
    path.write_bytes(content)
    assert files.read_json(path) == {}


def test_a_json_object_comes_back_as_it_was_written(tmp_path: Path) -> None:
    files.write_json(tmp_path / "note", {"b": "1", "a": ["ä"]})
    assert list(files.read_json(tmp_path / "note").items()) == [("b", "1"), ("a", ["ä"])]
