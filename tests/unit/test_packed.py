"""What was written by other code, or is broken, is as good as not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerdoit.tree import index
from layerdoit.tree.index import Index
from layerdoit.tree.packed import Packed

COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
VALUE = {"a": b"\xff", "b": [1, 2, 3]}


def test_a_value_comes_back(tmp_path: Path) -> None:
    form = Packed("thing", ("a", "b"))
    assert form.read(tmp_path / "file") is None
    (tmp_path / "file").write_bytes(form.pack(VALUE))
    assert form.read(tmp_path / "file") == VALUE


@pytest.mark.parametrize("other", [Packed("thing", ("a", "c")), Packed("thing", ("a",)), Packed("other", ("a", "b"))])
def test_other_fields_are_another_file(tmp_path: Path, other: Packed) -> None:
    (tmp_path / "file").write_bytes(other.pack(VALUE))
    assert Packed("thing", ("a", "b")).read(tmp_path / "file") is None


def test_another_python_is_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sys.implementation.cache_tag", "cpython-300")
        (tmp_path / "file").write_bytes(Packed("thing", ("a", "b")).pack(VALUE))
    assert Packed("thing", ("a", "b")).read(tmp_path / "file") is None


@COMMON
@given(content=st.binary(max_size=300))
def test_any_bytes_are_no_index(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index").write_bytes(content)
    assert index.load(tmp_path / "index") == Index()


@COMMON
@given(data=st.data())
def test_a_changed_index_is_no_index(tmp_path: Path, data: st.DataObject) -> None:
    """Cut short, made longer, or with one byte changed anywhere."""
    path = tmp_path / "index"
    index.save(path, Index(settings="s", names=b"a\0b", kinds="fx", digests=b"d" * 64))
    blob = path.read_bytes()
    at = data.draw(st.integers(0, len(blob) - 1))
    changed = data.draw(st.sampled_from([blob[:at], blob + b"x", blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]]))
    path.write_bytes(changed)
    assert index.load(path) == Index()
