"""What cargo prints is in the file when it has finished, and nobody waits for its end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

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


@given(lines=st.lists(st.sampled_from([ARTEFACT, QUOTED, "\n", "{\n", "x" * 70_000 + "\n"])), success=st.booleans())
@settings(max_examples=30, deadline=None)
def test_it_ends_with_the_build_while_its_writer_lives(
    relay: Path, tmp_path_factory: pytest.TempPathFactory, lines: list[str], success: bool
) -> None:
    file = tmp_path_factory.mktemp("messages") / "messages"
    printed = "".join(lines) + finished(success)
    with subprocess.Popen(["sleep", "60"]) as cargo:
        with subprocess.Popen([relay, file, str(cargo.pid)], stdin=subprocess.PIPE) as found:
            assert found.stdin is not None
            found.stdin.write(printed.encode())
            found.stdin.flush()
            assert found.wait(10) == (0 if success else 1)
        assert os.getpriority(os.PRIO_PROCESS, cargo.pid) == 19
        cargo.kill()
    assert file.read_text() == printed


@pytest.mark.parametrize("printed", ["", ARTEFACT, QUOTED, finished(True)[:-1]])
def test_a_cargo_that_ends_without_a_word_has_not_succeeded(relay: Path, printed: str, tmp_path: Path) -> None:
    file = tmp_path / "messages"
    assert subprocess.run([relay, file, "0"], input=printed.encode(), check=False).returncode == 1
    assert file.read_text() == printed
