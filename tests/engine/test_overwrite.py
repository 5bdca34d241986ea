"""A file that is overwritten block by block has the content of the other one, or the program says that it has not."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerdoit.core.resources import dockerfile_dir

LARGEST = 40 * 2**20
"""Bytes; of more than 32 MiB, two processes overwrite a half each."""


@pytest.fixture(scope="module")
def overwrite(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, Path], bool]:
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("there is no C compiler")
    made = tmp_path_factory.mktemp("overwrite") / "overwrite"
    subprocess.run([compiler, "-O2", "-Wall", "-Werror", "-o", made, dockerfile_dir() / "overwrite.c"], check=True)
    return lambda source, target: subprocess.run([made, source, target, target], check=False).returncode == 0


@given(
    size=st.integers(0, 300_000) | st.just(LARGEST),
    was=st.integers(0, 300_000) | st.just(LARGEST),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 10_000)), max_size=5),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_the_content_is_that_of_the_other_one(
    overwrite: Callable[[Path, Path], bool],
    tmp_path_factory: pytest.TempPathFactory,
    size: int,
    was: int,
    edits: list[tuple[float, int]],
    seed: int,
) -> None:
    folder = tmp_path_factory.mktemp("files")
    content = bytearray(random.Random(seed).randbytes(size))  # noqa: S311
    (folder / "target").write_bytes((content + bytes(max(0, was - size)))[:was])
    for where, length in edits:
        at = int(where * size)
        content[at : at + length] = bytes(len(content[at : at + length]))
    (folder / "source").write_bytes(content)
    (folder / "source").chmod(0o755)
    assert overwrite(folder / "source", folder / "target")
    assert (folder / "target").read_bytes() == content
    assert os.stat(folder / "target").st_mode & 0o777 == 0o755
    shutil.rmtree(folder)


def test_what_others_use_is_left_alone(overwrite: Callable[[Path, Path], bool], tmp_path: Path) -> None:
    source, target, second = tmp_path / "source", tmp_path / "target", tmp_path / "second"
    source.write_bytes(b"new")
    target.write_bytes(b"old")
    os.link(target, second)
    assert not overwrite(source, target), "it has a second name"
    shutil.copy("/bin/sleep", tmp_path / "program")
    with subprocess.Popen([tmp_path / "program", "60"]) as running:
        assert not overwrite(source, tmp_path / "program"), "it runs"
        running.kill()
    assert not overwrite(source, tmp_path / "none")
    assert not overwrite(tmp_path / "none", target)
    target.unlink()
    target.symlink_to("/dev/null")
    assert not overwrite(source, target)
    assert second.read_bytes() == b"old"
