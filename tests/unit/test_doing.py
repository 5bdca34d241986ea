"""What is told of transfers and of a deployment while they go on."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from layerdoit import deploy
from layerdoit.core.doing import Doing, Together, heard_by, tell, transferred
from layerdoit.engine import registry
from layerdoit.flows import deploy_row


def test_each_thread_is_heard_by_its_own() -> None:
    mine: list[Doing] = []
    theirs: list[Doing] = []

    def work() -> None:
        tell(Doing("nobody hears it"))
        with heard_by(theirs.append):
            tell(Doing("theirs"))

    with heard_by(mine.append):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        tell(Doing("mine"))
    tell(Doing("nobody hears it"))
    assert (mine, theirs) == ([Doing("mine")], [Doing("theirs")])


def test_transfers_in_several_threads_are_told_as_one() -> None:
    heard: list[Doing] = []
    with heard_by(heard.append):
        told = Together("pulling")

    def work(name: str, done: int) -> None:
        with told.part(name):
            tell(Doing("begins"))
            tell(Doing("pulling", done, 100, "bytes"))

    for name, done in (("one", 10), ("other", 40)):
        thread = threading.Thread(target=work, args=(name, done))
        thread.start()
        thread.join()
    assert heard[0] == Doing("pulling")
    assert heard[1] == heard[2] == Doing("pulling", 10, 100, "bytes", 0.1)
    assert heard[3] == Doing("pulling", 50, 200, "bytes", 0.25)


def test_a_total_is_known_where_each_part_has_one() -> None:
    assert transferred("pulling", []) == Doing("pulling")
    assert transferred("pulling", [(10, 100), (30, 60)]) == Doing("pulling", 40, 160, "bytes", 0.25)
    assert transferred("pulling", [(10, 100), (30, 0)]) == Doing("pulling", 40, None, "bytes")


def layer(name: str, status: str, current: int = 0, total: int = 0) -> dict[str, object]:
    return {"id": name, "status": status, "progressDetail": {"current": current, "total": total} if total else {}}


def test_a_pull_tells_the_bytes_of_all_layers() -> None:
    heard: list[Doing] = []
    events = [
        {"status": "Pulling from library/debian", "id": "trixie"},
        layer("a", "Pulling fs layer"),
        layer("a", "Downloading", 10, 100),
        layer("b", "Downloading", 20, 300),
        layer("a", "Download complete"),
        layer("a", "Extracting", 5, 100),
        layer("b", "Downloading", 150, 300),
    ]
    with heard_by(heard.append):
        registry._followed(events, "pulling")
    told = [(now.done, now.total) for now in heard]
    assert told == [(None, None), (10, 100), (30, 400), (120, 400), (120, 400), (250, 400)]


def test_a_transfer_that_failed_says_so_in_the_end() -> None:
    with pytest.raises(registry._Refused):
        registry._followed([{"error": "denied"}, {"status": "Done"}], "pushing")


def test_a_deployment_has_a_row_from_its_first_phase_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with deploy_row.shown("shop") as phase:
        assert capsys.readouterr().err == ""
        phase("start")
        phase("healthy")
        assert capsys.readouterr().err == "::group::shop:deploy: replacing the container\n"
    assert capsys.readouterr().err == "::endgroup::\n"


def test_every_phase_of_a_deployment_has_words() -> None:
    # What a service needs has no release, and so no phases that the history keeps.
    assert {*deploy.phases(), "needs"} == set(deploy_row.WORDS)


def test_without_a_phase_nothing_is_imported() -> None:
    program = """
import sys
from layerdoit.flows import deploy_row
with deploy_row.shown(""):
    pass
assert "layerdoit.engine.display" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
