"""`doit layers bench` on a real project: what it measures, and that it leaves tree and engine as they were."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import stat
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from layerdoit.bench import buildkit, scratch
from layerdoit.history import benchmarks
from tests.support.checkout import Checkout
from tests.support.scratch import docker

WORDS = ("layers", "bench", "--against", "mount", "--scenarios", "leaf,nothing", "--runs", "1")
HISTORY = (".layerdoit", ".layerdoit/history.db")


def tree(root: Path) -> dict[str, tuple[Any, ...]]:
    """Everything below a folder: kind, rights, time of change, content."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in (root, *root.rglob("*")):
        info = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(info.st_mode) else ""
        found[str(path.relative_to(root))] = (info.st_mode, info.st_mtime_ns, info.st_size, info.st_ino, content)
    return found


def left(one: Checkout) -> list[str]:
    """What names a benchmark of this project: images, tags, containers, BuildKit's records, processes, folders."""
    known = [*buildkit.names(), *(record.description for record in buildkit.records())]
    known += [name for _, name in scratch._processes()]
    return [text for text in known if f"{one.name}-bench-" in text]


def prepared(checkout: Callable[..., Checkout], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A repository with changes that no commit has, its base images there, and a folder for temporary files."""
    one = checkout()
    one.git("init", "--quiet")
    one.git("add", "--all")
    one.git("commit", "--quiet", "--message", "x")
    one.replace("app/data/text.txt", "0000", "1111")
    assert one.doit("base").returncode == 0
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    return one


def besides(found: Mapping[str, tuple[Any, ...]], *names: str) -> dict[str, tuple[Any, ...]]:
    return {name: value for name, value in found.items() if name not in names}


def test_it_measures_checks_and_notes_and_leaves_everything_as_it_was(
    checkout: Callable[..., Checkout], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = prepared(checkout, tmp_path, monkeypatch)
    before, records, tags = tree(one.root), {record.id for record in buildkit.records()}, one.tags()
    run = one.doit(*WORDS, "--json", "--html", str(tmp_path / "page.html"), "--summary", str(tmp_path / "s.md"))
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    places = {(scenario, peer) for scenario, peers in told["figures"].items() for peer in peers}
    assert places == {(scenario, peer) for scenario in ("cold", "nothing", "leaf") for peer in ("mount", "layerdoit")}
    assert [cell for cell in told["cells"] if cell["stale"] or cell["error"]] == []
    assert [cell["compiled"] for cell in told["cells"] if cell["scenario"] == "leaf"] == [1, 1]
    assert not any("not checked" in note for note in told["notes"]), told["notes"]
    assert told["figures"]["nothing"]["mount"]["n"] == 3
    assert "expected time: unknown" in run.stderr
    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") == len(places), "a bar for each"
    assert (tmp_path / "s.md").read_text().startswith("## Benchmark of")
    assert besides(tree(one.root), *HISTORY) == besides(before, *HISTORY)
    recorded = benchmarks.latest(one.root / ".layerdoit", "dev/host")
    assert recorded is not None
    assert recorded.seconds["leaf", "mount"] == (told["figures"]["leaf"]["mount"]["median"], 1)
    assert left(one) == []
    assert one.tags() == tags, "the project's own images stay, the borrowed base among them"
    assert list((tmp_path / "temporary").iterdir()) == []
    # The engine has others' records too, but none of these may be of what only this benchmark did.
    come = [record for record in buildkit.records() if record.id not in records]
    assert [record.description for record in come if "bench-" in record.description] == []


def building(one: Checkout) -> Callable[[], bool]:
    """Whether a build of the benchmark runs."""

    def there() -> bool:
        for pid, name in scratch._processes():
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if name.startswith(f"{one.name}-bench-") and {b"build", b"--load"} <= set(words):
                return True
        return False

    return there


def in_the_foreground() -> None:
    """A test run in the background may ignore SIGINT, and a child would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def begun(one: Checkout) -> subprocess.Popen[str]:
    """A benchmark that has come to its first build."""
    run = subprocess.Popen(
        [sys.executable, "-m", "doit", *WORDS],
        cwd=one.root,
        env=one.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=in_the_foreground,  # noqa: PLW1509 - this test has one thread
    )
    there = building(one)
    one.until(lambda: there() or run.poll() is not None, 120, "the first build")
    assert run.poll() is None, run.communicate()
    return run


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_one_leaves_nothing(
    checkout: Callable[..., Checkout], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signum: int, code: int
) -> None:
    one = prepared(checkout, tmp_path, monkeypatch)
    before, tags = tree(one.root), one.tags()
    run = begun(one)
    run.send_signal(signum)
    out, err = run.communicate(timeout=120)
    assert run.returncode == code, out + err
    assert "Traceback" not in err
    assert tree(one.root) == before
    assert left(one) == []
    assert one.tags() == tags
    assert list((tmp_path / "temporary").iterdir()) == []


def test_what_a_killed_one_left_is_removed_by_the_next(
    checkout: Callable[..., Checkout], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = prepared(checkout, tmp_path, monkeypatch)
    before, tags = tree(one.root), one.tags()
    run = begun(one)
    assert scratch.leftovers(one.name) == [], "it runs"
    os.kill(run.pid, signal.SIGKILL)
    # What it started holds its ends of the pipes.
    run.wait(timeout=60)
    assert tree(one.root) == before
    assert len(scratch.leftovers(one.name)) == 1
    assert left(one)
    assert list((tmp_path / "temporary").iterdir())
    done = one.doit("layers", "bench", "--against", "mount", "--scenarios", "cold", "--runs", "1")
    assert done.returncode == 0, done.stderr
    assert "killed left behind" in done.stderr
    assert besides(tree(one.root), *HISTORY) == besides(before, *HISTORY)
    assert left(one) == []
    assert one.tags() == tags
    assert list((tmp_path / "temporary").iterdir()) == []
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.close()
    run.stderr.close()


def test_the_images_of_all_projects_of_a_session_go_and_no_others(docker_engine: Any) -> None:
    name = f"lt-{uuid.uuid4().hex[:8]}-bench-{scratch.identity()}"
    own, foreign = [f"{name}:latest", f"{name}-first:deps-1", f"{name}-second:latest"], [f"other-{name}:latest"]
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w").close()
    for tag in (*own, *foreign):
        repository, _, word = tag.rpartition(":")
        docker_engine.api.import_image_from_data(empty.getvalue(), repository=repository, tag=word)
    try:
        assert sorted(buildkit.tags_of(name)) == sorted(own)
        buildkit.remove_images(buildkit.tags_of(name))
        there = {*docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()}
        assert there & {*own, *foreign} == {*foreign}
    finally:
        buildkit.remove_images([*own, *foreign])
