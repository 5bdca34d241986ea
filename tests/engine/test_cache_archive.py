"""`doit cache_save` and `doit cache_load`: what was compiled comes back, and never makes a wrong program."""

from __future__ import annotations

import os
import signal
import subprocess
import tarfile
import time
import uuid
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from layerdoit.build import archive_file, leftovers, mount_archive
from layerdoit.build.archive_file import Facts, NotSaved
from layerdoit.core.errors import BuildError
from layerdoit.engine import api, mounts
from layerdoit.flows import saved_artefacts
from layerdoit.layers.outcome import Outcome
from tests.support.checkout import Checkout
from tests.support.printing_workspace import TINY

DAY = 86_400


def save(checkout: Checkout, file: Path) -> Facts:
    saved_artefacts.save(checkout.session(), file)
    checkout.forget_sessions()
    return archive_file.read(file)


def load(checkout: Checkout, file: Path, *, anew: bool = False) -> None:
    try:
        saved_artefacts.load(checkout.session(), file, anew=anew)
    finally:
        checkout.forget_sessions()


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory, docker_engine: Any) -> Iterator[Checkout]:
    """A checkout that is built; its images and mounts, and those of its clones, go at the end."""
    name = f"lt-{uuid.uuid4().hex[:10]}"
    one = Checkout(tmp_path_factory.mktemp("origin"), name, docker_engine)
    one.write({**TINY, ".gitignore": ".layerdoit\n"})
    one.configure()
    one.git("init", "-q", "-b", "main")
    one.git("add", ".")
    one.git("commit", "-q", "-m", "first")
    try:
        one.build()
        yield one
    finally:
        one.remove()


@pytest.fixture(scope="module")
def saved(origin: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was compiled there."""
    file = tmp_path_factory.mktemp("saved") / "a.tar"
    save(origin, file)
    return file


@pytest.fixture
def clone(origin: Checkout, tmp_path: Path, docker_engine: Any) -> Iterator[Checkout]:
    """The same repository in another folder: as a machine that has the images, and no target mount yet."""
    origin.git("clone", "-q", str(origin.root), str(tmp_path / "clone"))
    one = Checkout(tmp_path / "clone", origin.name, docker_engine)
    yield one
    one.forget_sessions()


def compiled(outcome: Outcome) -> int | None:
    return outcome.counts.get("compiled")


def renamed(checkout: Checkout, path: str, name: str, value: str) -> None:
    """Another constant of the same length, in a file of the same time."""
    file = checkout.root / path
    stamp = file.stat().st_mtime_ns
    head, _, rest = file.read_text().partition(f'const {name}: &str = "')
    file.write_text(f'{head}const {name}: &str = "{value}{rest[4:]}')
    os.utime(file, ns=(stamp, stamp))


def test_an_edit_after_a_load_compiles_what_changed(clone: Checkout, saved: Path) -> None:
    facts = archive_file.read(saved)
    assert facts.files > 20
    assert 0 < saved.stat().st_size < facts.unpacked
    assert (facts.project, facts.variant) == (clone.name, "dev/host")
    load(clone, saved)
    renamed(clone, "app/src/main.rs", "MAIN", "0001")
    outcome = clone.build()["app"]
    assert (compiled(outcome), outcome.cold) == (1, False)
    assert clone.said(outcome.step.spec.tag) == clone.promised()


def test_a_file_of_another_state_never_makes_a_wrong_program(clone: Checkout, saved: Path, tmp_path: Path) -> None:
    """Sources older and newer than what was saved, of equal sizes and lying times, and a clock that went back."""
    new, ahead, behind = (tmp_path / f"{name}.tar" for name in ("new", "ahead", "behind"))
    for path, name in (("app/src/main.rs", "MAIN"), ("lib/src/lib.rs", "LIB"), ("lib/src/deep.rs", "DEEP")):
        renamed(clone, path, name, "0002")
    clone.write({"app/data/text.txt": "newer", "lib/data/macro.txt": "newer", "VERSION": "2"})
    clone.build()
    save(clone, new)
    shift(new, ahead, 2 * DAY)
    shift(new, behind, -400 * DAY)
    steps = [(saved, "0003"), (new, "0000"), (ahead, "0004"), (behind, "0005"), (saved, "0006")]
    for number, (file, value) in enumerate(steps):
        for path, name in (("app/src/main.rs", "MAIN"), ("lib/src/deep.rs", "DEEP")):
            renamed(clone, path, name, value)
        clone.write({"app/data/text.txt": value, "lib/data/macro.txt": value, "VERSION": f"{number}"})
        for path in ("app/data/text.txt", "lib/data/macro.txt"):
            os.utime(clone.root / path, (DAY, DAY) if number % 2 else (time.time() + DAY,) * 2)
        load(clone, file, anew=True)
        outcome = clone.build()["app"]
        assert compiled(outcome)
        assert clone.said(outcome.step.spec.tag) == clone.promised(), (file.name, value)


def shift(source: Path, target: Path, seconds: int) -> None:
    """The same file, saved by a machine whose clock is another one."""
    folder = target.with_suffix(".folder")
    with tarfile.open(source) as outer:
        outer.extractall(folder, filter="data")
    packed = folder / "moved"
    with tarfile.open(folder / "packed") as inner, tarfile.open(packed, "w:gz", format=tarfile.PAX_FORMAT) as moved:
        for member in inner:
            member.mtime += seconds
            member.pax_headers = {}
            moved.addfile(member, inner.extractfile(member) if member.isreg() else None)
    digest = sha256(packed.read_bytes()).hexdigest()
    archive_file.write(target, archive_file.read(source)._replace(digest=digest, packer="gzip"), packed)


def test_what_is_compiled_here_stays(clone: Checkout, saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    renamed(clone, "lib/src/lib.rs", "LIB", "0007")
    clone.build()
    load(clone, saved)
    assert "kept" in capsys.readouterr().out
    renamed(clone, "app/src/main.rs", "MAIN", "0007")
    assert compiled(clone.build()["app"]) == 1
    load(clone, saved, anew=True)
    assert "loaded" in capsys.readouterr().out
    renamed(clone, "app/src/main.rs", "MAIN", "0008")
    outcome = clone.build()["app"]
    # The library is that of the file, which is older.
    assert compiled(outcome) == 2
    assert clone.said(outcome.step.spec.tag) == clone.promised()


def test_a_wrong_file_changes_nothing(clone: Checkout, saved: Path, tmp_path: Path) -> None:
    damaged, half, wrong = (tmp_path / f"{name}.tar" for name in ("damaged", "half", "wrong"))
    facts = archive_file.read(saved)
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    # As a load that was ended: half of the files are unpacked before it shows that there are no more.
    with tarfile.open(saved) as outer:
        outer.extractall(tmp_path, filter="data")
    packed = (tmp_path / "packed").read_bytes()
    (tmp_path / "packed").write_bytes(packed[: len(packed) // 2])
    archive_file.write(half, facts, tmp_path / "packed")
    for file in (damaged, half):
        with pytest.raises(NotSaved, match="damaged"):
            load(clone, file)
    for change, said in (
        (facts._replace(project="another"), "another project"),
        (facts._replace(platform="linux/riscv64"), "another platform"),
        (facts._replace(variant="release/host"), "another profile"),
        (facts._replace(toolchain="1.2.3"), "another Rust toolchain"),
        (facts._replace(cook="ffffffffffff"), "other dependencies"),
    ):
        archive_file.write(wrong, change, tmp_path / "packed")
        with pytest.raises(NotSaved, match=said):
            load(clone, wrong)
    renamed(clone, "app/src/main.rs", "MAIN", "0009")
    outcome = clone.build()["app"]
    assert outcome.cold
    assert clone.said(outcome.step.spec.tag) == clone.promised()


@pytest.mark.parametrize(
    ("moment", "signum", "value"),
    [
        ("load build context", signal.SIGKILL, "0021"),
        ("[unpack 2/2]", signal.SIGKILL, "0022"),
        ("[unpack 2/2]", signal.SIGINT, "0023"),
    ],
)
def test_a_load_that_is_ended_makes_no_wrong_program(
    clone: Checkout, saved: Path, moment: str, signum: signal.Signals, value: str
) -> None:
    run = clone.start("cache_load", str(saved))
    clone.until(
        lambda: run.poll() is not None or any(moment in log.read_text() for log in clone.logs("cache_load")),
        what=moment,
    )
    run.send_signal(signum)
    run.communicate(timeout=60)
    # Where it came to its end before the signal, it is loaded.
    assert run.returncode in (0, -signum, 128 + signum)
    renamed(clone, "lib/src/deep.rs", "DEEP", value)
    outcome = clone.build()["app"]
    assert outcome.counts["compiled"] in (2, 4)
    assert clone.said(outcome.step.spec.tag) == clone.promised()


def test_a_build_begins_with_nothing_where_a_load_was_killed(clone: Checkout, saved: Path) -> None:
    """The mark that it leaves is there, and files that no program is right with."""
    load(clone, saved)
    session = clone.session()
    mount = leftovers.mount(session.project.state, mount_archive.target(session.work))
    spoilt = "find /m/target /m/src -name '*.r*' -type f -exec truncate -s 0 '{}' +; : >/m/loading"
    in_mount(clone, mounts.placed(mount, clone.root, session.project.owner.drawn), spoilt)
    renamed(clone, "lib/src/lib.rs", "LIB", "0010")
    outcome = clone.build()["app"]
    assert outcome.cold
    assert clone.said(outcome.step.spec.tag) == clone.promised()


def in_mount(checkout: Checkout, mount: str, command: str) -> None:
    """Run a command in a build that has the mount at /m."""
    tag = checkout.session().plan.step("deps").spec.tag
    text = f"FROM {tag}\nRUN --mount=type=cache,id={mount},target=/m,sharing=locked : {time.time_ns()}; {command}\n"
    build = ["docker", "buildx", "build", "--quiet", "--builder", api.builder_name(), "--output=type=cacheonly", "-"]
    done = subprocess.run(build, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_is_saved_where_nothing_is_compiled(clone: Checkout, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="target mount is empty"):
        save(clone, tmp_path / "a.tar")
    assert not (tmp_path / "a.tar").exists()


def test_what_users_get_wrong(clone: Checkout, saved: Path, tmp_path: Path) -> None:
    """One message with what to do next, and an exit code."""
    (tmp_path / "cut.tar").write_bytes(saved.read_bytes()[:-5000])
    (tmp_path / "other.tar").write_text("hello")
    for words, said in (
        (("cache_save",), "cache_save needs one file"),
        (("cache_save", "a", "b"), "cache_save needs one file"),
        (("cache_save", str(tmp_path)), "this is a folder"),
        (("cache_save", str(tmp_path / "none/a.tar")), "no such folder"),
        (("cache_load", "none.tar"), "no such file"),
        (("cache_load", str(tmp_path / "cut.tar")), "cut off"),
        (("cache_load", "../other.tar"), "no file that doit cache_save made"),
    ):
        done = clone.doit(*words)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert said in done.stderr
        assert done.stderr.count("next: ") == 1
