"""Who holds a lock: whether that process is gone can be said of this machine since its last start, and of no other."""

from __future__ import annotations

import subprocess
import sys

import pytest

from layerdoit.deploy import process_mark

SAY = "from layerdoit.deploy import process_mark; print(process_mark.mine(), flush=True); input()"


def test_a_process_is_there_until_it_ends() -> None:
    assert not process_mark.is_gone(process_mark.mine())
    with subprocess.Popen(
        [sys.executable, "-c", SAY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        mark = child.stdout.readline().strip()
        assert not process_mark.is_gone(mark)
        child.communicate("")
    assert process_mark.is_gone(mark)


def parts() -> dict[str, str]:
    place, _, rest = process_mark.mine().rpartition("/")
    host, boot, namespace = place.split("/")
    number, _, began = rest.partition("-")
    return {"host": host, "boot": boot, "namespace": namespace, "number": number, "began": began}


@pytest.mark.parametrize(
    ("part", "gone"),
    [("host", False), ("boot", False), ("namespace", False), ("number", False), ("began", True)],
    ids=["another machine", "another of that name, or another start", "a container", "no number", "its number again"],
)
def test_of_another_place_nobody_can_tell(part: str, gone: bool) -> None:
    found = parts() | {part: "x"}
    mark = f"{found['host']}/{found['boot']}/{found['namespace']}/{found['number']}-{found['began']}"
    assert process_mark.is_gone(mark) == gone


@pytest.mark.parametrize("mark", ["", "somebody", "/1-2", "a b c"])
def test_what_is_no_mark_says_nothing(mark: str) -> None:
    assert not process_mark.is_gone(mark)


def test_where_the_kernel_says_nothing_only_equality_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_mark, "_BOOT", process_mark._BOOT / "nowhere")
    assert process_mark.mine() == process_mark.mine()
    assert not process_mark.is_gone(process_mark.mine().rpartition("-")[0] + "-1")
