"""A reading that has what an earlier one left finds what a reading without it finds."""

from __future__ import annotations

import contextlib
import copy
import os
import random
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from layerdoit.core import toml
from layerdoit.core.errors import LayerdoitError
from layerdoit.core.state import State
from layerdoit.flows.session import Session
from layerdoit.project import question
from layerdoit.project.inputs import Inputs
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from layerdoit.tree import entries, kept
from layerdoit.tree.entries import Found
from layerdoit.tree.kept import Kept
from layerdoit.watch import watched
from tests.support.git import commit_all, git

FILES = {
    "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["crates/*"]\n\n[workspace.dependencies]\nlog = "0.4"\n',
    "crates/api/Cargo.toml": (
        '[package]\nname = "api"\nversion = "0.1.0"\nedition = "2021"\n\n'
        '[dependencies]\nutil.path = "../util"\nlog.workspace = true\n'
    ),
    "crates/api/src/main.rs": "fn main() {}\n",
    "crates/api/src/deep/a.rs": "// a\n",
    "crates/api/src/deep/b.rs": "// b\n",
    "crates/util/Cargo.toml": '[package]\nname = "util"\nversion = "0.1.0"\nedition = "2021"\n',
    "crates/util/src/lib.rs": "",
    "Cargo.lock": (
        'version = 4\n\n[[package]]\nname = "api"\nversion = "0.1.0"\ndependencies = [\n "log",\n "util",\n]\n\n'
        '[[package]]\nname = "log"\nversion = "0.4.1"\n'
        'source = "registry+https://github.com/rust-lang/crates.io-index"\nchecksum = "00"\n\n'
        '[[package]]\nname = "util"\nversion = "0.1.0"\n'
    ),
    "assets/page.html": "<p>\n",
    "rust-toolchain.toml": '[toolchain]\nchannel = "1.90.0"\n',
    "layerdoit.yaml": "project: ws\nimage: {assets: {assets: /srv}}\n",
    ".gitignore": "target/\n.layerdoit/\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "ws"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    commit_all(root)
    return root


def found(session: Session) -> object:
    """All that a turn of a watch goes by, or what is wrong."""
    try:
        specs = Inputs(session.tree, question.build(session.project, "linux/amd64")).specs
        every = session.tree.all_sources
        return {spec.layer: (spec.key, dict(spec.inputs)) for spec in specs}, dict(every.entries), every.digest()
    except LayerdoitError as error:
        return str(error)


def cold(root: Path, folder: Path) -> object:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return found(Session(Run(), Project.open(root, {}, state=State(folder))))


# --- edits -----------------------------------------------------------------------------------------------------------


def unseen(root: Path, name: str, text: str) -> None:
    """Of the same size, with the times of before."""
    before = (root / name).stat()
    (root / name).write_text(text)
    os.utime(root / name, ns=(before.st_atime_ns, before.st_mtime_ns))


def swapped(root: Path) -> None:
    one, other = root / "crates/api/src/deep/a.rs", root / "crates/api/src/deep/b.rs"
    if one.exists() and other.exists():
        one.rename(root / "third")
        other.rename(one)
        (root / "third").rename(other)


def appended(root: Path, name: str, text: str) -> None:
    with (root / name).open("a") as file:
        file.write(text)


def removed(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink()


def turned(root: Path, name: str, target: str) -> None:
    """A link where a file was, or the other way round."""
    path = root / name
    was = path.is_symlink()
    path.unlink(missing_ok=True)
    path.write_text("plain\n") if was else path.symlink_to(target)


def nested(root: Path, name: str) -> None:
    """A repository in the repository."""
    git(root, "init", "-q", name)
    git(root / name, "commit", "-q", "--allow-empty", "-m", "x")


EDITS: tuple[Callable[[Path, int], object], ...] = (
    lambda root, at: (root / "crates/api/src/main.rs").write_text(f"fn main() {{}} // {at}\n"),
    lambda root, at: unseen(root, "crates/util/src/lib.rs", f"// {at:06}\n"),
    lambda root, _: swapped(root),
    lambda root, at: (root / f"crates/api/src/deep/new{at}.rs").write_text(""),
    lambda root, _: removed((root / "crates/api/src/deep").glob("new*.rs")),
    lambda root, at: (root / "crates/api/src/main.rs").chmod(0o755 if at % 2 else 0o644),
    lambda root, at: appended(root, "crates/api/Cargo.toml", f"# {at}\n"),
    lambda root, at: appended(root, "crates/util/Cargo.toml", f"[features]\nf{at} = []\n"),  # broken the second time
    lambda root, _: (root / "crates/util/Cargo.toml").write_text(FILES["crates/util/Cargo.toml"]),
    lambda root, at: (root / "Cargo.lock").write_text(FILES["Cargo.lock"].replace("0.4.1", f"0.4.{at}")),
    lambda root, at: (root / "assets/page.html").write_text(f"<p>{at}\n"),
    lambda root, at: (root / ".gitignore").write_text(FILES[".gitignore"] + ("deep/\n" if at % 2 else "")),
    lambda root, at: (root / ".dockerignore").write_text("**/deep/b.rs\n" if at % 2 else ""),
    lambda root, at: (root / ".git/info/exclude").write_text("new*.rs\n" if at % 2 else ""),
    lambda root, _: turned(root, "crates/api/src/deep/link.rs", "a.rs"),
    lambda root, _: shutil.rmtree(root / "crates/api/src/deep", ignore_errors=True),
    lambda root, _: git(root, "checkout", "-q", "--", "."),
    lambda root, at: git(root, "config", "core.excludesFile", f"{root}/ignored{at % 2}"),
    lambda root, at: (root / f"ignored{at % 2}").write_text("new*.rs\n" if at % 3 else ""),
    lambda root, at: nested(root, f"crates/api/src/deep/repo{at}"),
    lambda root, _: git(root, "add", "-A"),
    lambda root, _: git(root, "reset", "-q", "--hard"),
    lambda root, at: (root / "layerdoit.yaml").write_text(
        FILES["layerdoit.yaml"] + ("sources: {exclude: ['**/b.rs']}\n" if at % 2 else "")
    ),
    lambda root, at: (root / "layerdoit.yaml").write_text(FILES["layerdoit.yaml"] + f"env: {{A: '{at}'}}\n"),
)


@pytest.mark.parametrize("seed", range(4))
def test_warm_readings_find_what_cold_ones_find(root: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same edits each time
    warm = Session(Run(), Project.open(root, {}))
    assert found(warm) == cold(root, tmp_path / "state")
    for at in range(40):
        for _ in range(chance.choice((0, 1, 1, 1, 3))):
            (root / "crates/api/src/deep").mkdir(parents=True, exist_ok=True)
            chance.choice(EDITS)(root, at)
        warm.read_again()
        assert found(warm) == cold(root, tmp_path / "state"), at
        # By what it is told here, answers of git count in the next reading.
        if chance.random() < 0.8:
            with contextlib.suppress(LayerdoitError):
                watched.folders(warm)


# --- what is left ----------------------------------------------------------------------------------------------------


def test_what_was_read_is_not_changed_by_what_is_made_of_it(root: Path) -> None:
    session = Session(Run(), Project.open(root, {}))
    manifests = {name: package.manifest for name, package in session.project.workspace.packages.items()}
    before = copy.deepcopy(manifests)
    inputs = Inputs(session.tree, question.build(session.project, "linux/amd64"))
    assert inputs.specs
    assert inputs.stub.files
    assert manifests == before


def test_nothing_is_parsed_twice(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(Run(), Project.open(root, {}))
    before = found(session)
    parsed, parse = set[str](), toml.parse

    def noted(text: str, where: str) -> dict[str, Any]:
        parsed.add(os.path.basename(where))
        return parse(text, where)

    monkeypatch.setattr(toml, "parse", noted)
    monkeypatch.setattr("layerdoit.cargo.lock.parse", pytest.fail)
    monkeypatch.setattr(kept, "save", pytest.fail)
    (root / "crates/api/src/main.rs").write_text("fn main() { }\n")
    session.read_again()
    assert found(session) != before
    assert parsed <= {"rust-toolchain.toml"}


def test_what_is_made_of_manifests_is_made_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(Run(), Project.open(root, {}))
    before, workspace = found(session), session.project.workspace
    for name in ("selection.select", "stub_closure.closure", "deps_inputs.inputs"):
        monkeypatch.setattr(f"layerdoit.cargo.{name}", pytest.fail)
    (root / "crates/api/src/main.rs").write_text("fn main() { }\n")
    session.read_again()
    assert found(session) != before
    assert session.project.workspace is workspace
    # The same tables in another order are another workspace.
    text = FILES["crates/util/Cargo.toml"].replace(
        'version = "0.1.0"\nedition = "2021"', 'edition = "2021"\nversion = "0.1.0"'
    )
    (root / "crates/util/Cargo.toml").write_text(text)
    session.read_again()
    assert session.project.workspace == workspace
    assert session.project.workspace is not workspace


def test_the_index_on_disk_follows_after_many_edits(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(Run(), Project.open(root, {}))
    found(session)
    saved, read = list[str](), list[str]()
    monkeypatch.setattr(kept, "save", lambda _, one: saved.append(one.digest))
    for at in range(kept._UNSAVED + 1):
        (root / "crates/api/src/main.rs").write_text(f"fn main() {{}} // {at}\n")
        session.read_again()
        found(session)
        read.append(session.tree.all_sources.digest())
        if at < kept._UNSAVED // 2:
            assert saved == []
    # Another file may have been too young in the first reading: then it counts, too.
    assert len(saved) == 1
    assert saved[0] in read[kept._UNSAVED // 2 :]


def test_sending_again_believes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(Run(), Project.open(root, {}))
    before, read, real = found(session), list[str](), entries.read_entry

    def noted(host: str, now: int) -> Found:
        read.append(host)
        return real(host, now)

    monkeypatch.setattr("layerdoit.tree.sources.read_entry", noted)
    session.send_again()
    assert found(session) == before
    assert str(root / "crates/api/src/main.rs") in read


def test_made_once_of_the_same_content() -> None:
    one, calls = Kept(), list[str]()

    def make(of: str) -> Callable[[], str]:
        def made() -> str:
            calls.append(of)
            return of.upper()

        return made

    assert [one.made("name", of, make(of)) for of in ("a", "a", "b", "a")] == ["A", "A", "B", "A"]
    assert one.made("other", "a", make("a")) == "A"
    one.forget()
    assert one.made("name", "a", make("a")) == "A"
    assert calls == ["a", "b", "a", "a", "a"]
