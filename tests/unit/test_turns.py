"""When the turns of a watch begin, and what ends them; what a turn does is left out."""

from __future__ import annotations

import hashlib
import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerdoit.core.errors import LayerdoitError
from layerdoit.project.project import Project
from layerdoit.watch import changes, sessions
from layerdoit.watch.edit_turn import Address
from layerdoit.watch.events import Event
from layerdoit.watch.facts import Facts
from layerdoit.watch.turns import Turns
from layerdoit.watch.workshop import Cancelled
from tests.support.git import commit_all

PATIENCE = 20.0
FILES = {
    "Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n',
    "Cargo.lock": 'version = 4\n\n[[package]]\nname = "app"\nversion = "0.1.0"\n',
    "src/main.rs": "fn main() {}\n",
    "rust-toolchain.toml": '[toolchain]\nchannel = "1.90.0"\n',
    ".gitignore": "target/\n.layerdoit/\n",
}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Short(Turns):
    """What the reading of a turn has seen is noted; a turn about the text `goes on` goes on until it is ended."""

    def __init__(self, root: Path) -> None:
        self.done: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.told: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.file = root / "src/main.rs"
        super().__init__(Project.open(root, {}), "", "app", self._hear, coloured=False)

    def _hear(self, event: Event) -> None:
        if event.kind in ("cancelled", "failed", "serving"):
            self.told.put(event.kind)

    def _do(self, what: str, facts: Facts, since: float) -> None:
        del what, since
        found = self._session.tree.all_sources.entries["src/main.rs"].digest
        self.done.put(found)
        if found == digest("goes on") and self._cancel.wait(PATIENCE):
            raise Cancelled("a newer change came")
        if found == digest("fails"):
            raise LayerdoitError("it does not compile")
        self._serving = facts

    def next(self) -> str:
        return self.done.get(timeout=PATIENCE)


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Short]:
    monkeypatch.setattr(sessions, "sweep", lambda *_, **__: None)
    root = tmp_path / "ws"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    commit_all(root)
    made = Short(root)
    made.start()
    assert made.next() == digest(FILES["src/main.rs"])
    yield made
    made.end()
    assert made.has_ended(PATIENCE)
    made.refuse_broken()


def test_each_edit_has_one_turn(watch: Short) -> None:
    for text in ("one", "two", "three"):
        watch.file.write_text(text)
        assert watch.next() == digest(text)
    assert watch.done.empty()
    assert watch.told.empty()


def test_what_is_written_in_two_steps_is_one_turn(watch: Short, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "QUIET", 1.0)
    monkeypatch.setattr(changes, "LONGEST", PATIENCE)
    monkeypatch.setattr("layerdoit.watch.readings.LONGEST", PATIENCE)
    read: queue.SimpleQueue[str] = queue.SimpleQueue()
    real = Facts.of

    def noted(session: object) -> Facts:
        found = real(session)  # type: ignore[arg-type]
        read.put(watch.file.read_text())
        return found

    monkeypatch.setattr(Facts, "of", noted)
    watch.file.write_text("")
    # It is read at once, and compiled only when nothing came for a second.
    assert read.get(timeout=PATIENCE) == ""
    watch.file.write_text("all of it")
    assert watch.next() == digest("all of it")
    assert watch.told.empty()


def test_a_newer_change_ends_a_turn(watch: Short) -> None:
    watch.file.write_text("goes on")
    assert watch.next() == digest("goes on")
    watch.file.write_text("newer")
    assert watch.next() == digest("newer")
    assert watch.told.get(timeout=PATIENCE) == "cancelled"
    assert watch.told.empty()


def test_half_a_manifest_fails_only_where_it_stays(watch: Short) -> None:
    manifest = watch.file.parents[1] / "Cargo.toml"
    manifest.write_text("[package")
    assert watch.told.get(timeout=PATIENCE) == "failed"
    manifest.write_text(FILES["Cargo.toml"].replace("0.1.0", "0.1.1"))
    assert watch.next() == digest(FILES["src/main.rs"])


def test_what_was_wrong_before_something_else_was_is_told_again(watch: Short) -> None:
    manifest = watch.file.parents[1] / "Cargo.toml"
    manifest.write_text("[package")
    assert watch.told.get(timeout=PATIENCE) == "failed"
    watch.file.write_text("fails")
    manifest.write_text(FILES["Cargo.toml"])
    assert watch.next() == digest("fails")
    assert watch.told.get(timeout=PATIENCE) == "failed"
    manifest.write_text("[package")
    assert watch.told.get(timeout=PATIENCE) == "failed"
    watch.file.write_text(FILES["src/main.rs"])
    manifest.write_text(FILES["Cargo.toml"])
    assert watch.told.empty()


def test_an_edit_that_is_taken_back_while_it_compiles_has_an_end(watch: Short) -> None:
    watch._addresses = (Address("app", "", "", "app:latest"),)
    watch.file.write_text("goes on")
    assert watch.next() == digest("goes on")
    watch.file.write_text(FILES["src/main.rs"])
    assert watch.told.get(timeout=PATIENCE) == "cancelled"
    assert watch.told.get(timeout=PATIENCE) == "serving"
    assert watch.done.empty()
    # Only once.
    watch.file.write_text("one")
    assert watch.next() == digest("one")
    assert watch.told.empty()
