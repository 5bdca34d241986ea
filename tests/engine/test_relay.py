"""What cargo prints is in the file when it has finished, and nobody waits for its end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerdoit.core.resources import dockerfile_dir

ARTEFACT = json.dumps({"reason": "compiler-artifact", "fresh": True}, separators=(",", ":")) + "\n"
QUOTED = json.dumps({"reason": "compiler-message", "said": '{"reason":"build-finished","success":true}'}) + "\n"


def finished(success: bool) -> str:
    return json.dumps({"reason": "build-finished", "success": success}, separators=(",", ":")) + "\n"


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("there is no C compiler")
    made = tmp_path_factory.mktemp("relay") / "relay"
    subprocess.run([compiler, "-O2", "-Wall", "-Werror", "-o", made, dockerfile_dir() / "relay.c"], check=True)
    return made


@contextmanager
def relayed(relay: Path, file: Path, cargo: int) -> Iterator[tuple[subprocess.Popen[bytes], BinaryIO]]:
    """The relay, and where cargo's words for people go in."""
    reads, writes = os.pipe()
    command = ["sh", "-c", f'exec "$@" 3</dev/fd/{reads}', "sh", str(relay), str(file), str(cargo)]
    with (
        open(writes, "wb", buffering=0) as words,
        subprocess.Popen(command, stdin=-1, stderr=-1, pass_fds=[reads]) as found,
    ):
        os.close(reads)
        yield found, words
        found.kill()


@given(
    lines=st.lists(st.sampled_from([ARTEFACT, QUOTED, finished(False), "\n", "{\n", "x" * 70_000 + "\n"])),
    said=st.lists(st.sampled_from(["a line\n", "a bar\r", "half", "\n"]), max_size=10),
)
@settings(max_examples=30, deadline=None)
def test_it_ends_with_the_build_while_its_writer_lives(
    relay: Path, tmp_path_factory: pytest.TempPathFactory, lines: list[str], said: list[str]
) -> None:
    file = tmp_path_factory.mktemp("messages") / "messages"
    printed, spoken = "".join(lines) + finished(True), "".join(said)
    with subprocess.Popen(["sleep", "60"]) as cargo:
        with relayed(relay, file, cargo.pid) as (found, words):
            words.write(spoken.encode())
            assert found.stdin is not None
            found.stdin.write(printed.encode())
            found.stdin.flush()
            assert found.wait(10) == 0
            assert found.stderr is not None
            assert found.stderr.read().decode() == spoken[: max(spoken.rfind("\n"), spoken.rfind("\r")) + 1]
        assert os.getpriority(os.PRIO_PROCESS, cargo.pid) == 19
        cargo.kill()
    assert file.read_text() == printed


@pytest.mark.parametrize("printed", ["", ARTEFACT, QUOTED, finished(True)[:-1], finished(False)])
def test_a_cargo_that_ends_without_a_word_has_not_succeeded(relay: Path, printed: str, tmp_path: Path) -> None:
    file = tmp_path / "messages"
    with relayed(relay, file, 0) as (found, words):
        words.write(b"cargo: not found")
        # Somebody who still has its standard error is not waited for.
        _, spoken = found.communicate(printed.encode(), timeout=10)
    assert (found.returncode, spoken) == (1, b"cargo: not found")
    assert file.read_text() == printed
