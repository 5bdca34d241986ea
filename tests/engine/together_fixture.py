"""Runs of doit for the tests that have several of them, or end them: started, watched, and what their images say."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest

from tests.support.checkout import Checkout

New = Callable[..., "Checkout"]
Run = subprocess.Popen[str]

MAIN_FILE = "app/src/main.rs"
TEXT_FILE = "app/data/text.txt"
# A step that is still under way when it is interrupted, and that would show if it went on: it has the mount for itself,
# and lasts longer than anybody waits for a run.
LONG = 600
PATIENCE = 120.0
SLEEP = "    std::thread::sleep(std::time::Duration::from_secs({}));\n}}\n"


def start(one: Checkout, *words: str, root: Path | None = None) -> Run:
    """`doit …` as the leader of a process group, as a shell starts it."""
    return one.start(*words, root=root, stdin=subprocess.DEVNULL, process_group=0)


def finish(run: Run, timeout: float = PATIENCE) -> tuple[int, str, str]:
    """Exit code, output, errors. One that hangs is killed, so that no other test suffers from it."""
    try:
        out, err = run.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        raise
    return run.returncode, out, err


def good(run: Run) -> str:
    """What a run that succeeds says."""
    code, out, err = finish(run)
    assert code == 0, out + err
    return out + err


def slow(one: Checkout, seconds: int = LONG) -> None:
    """Have the next compilation take its time; 0 undoes it."""
    one.write({"lib/build.rs": one.lib_build.replace("}\n", SLEEP.format(seconds))})


@pytest.fixture
def new(checkout: New) -> New:
    """`new()`: a checkout whose compilation can be made slow without another deps layer."""

    def made() -> Checkout:
        one = checkout()
        slow(one, 0)
        return one

    return made


def edit(one: Checkout, value: str) -> None:
    """New values where the compiler and where only the linker's input sees them."""
    text = one.read(MAIN_FILE)
    old = text.split('MAIN: &str = "', 1)[1][:4]
    one.write({MAIN_FILE: text.replace(f'MAIN: &str = "{old}"', f'MAIN: &str = "{value}"'), TEXT_FILE: value})


def compiling(one: Checkout, known: int, root: Path | None = None) -> None:
    """Wait until a new log of an app build says that the slow package compiles."""
    logs = (root or one.root) / ".layerdoit/logs"

    def seen() -> bool:
        found = sorted(logs.glob("*-app.log"), key=lambda path: path.stat().st_mtime_ns)
        return len(found) > known and "Compiling lib" in found[-1].read_text()

    one.until(seen, PATIENCE, "the compilation")


def builds(root: Path) -> list[str]:
    """Command lines of the buildx processes that work for a checkout."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if "buildx" in line and str(root) in line:
                    found.append(line)
    return found


def said_live(run: Run, words: str) -> list[str]:
    """The lines on standard error up to the one that holds the words."""
    assert run.stderr is not None
    lines: list[str] = []
    watchdog = threading.Timer(PATIENCE, run.kill)
    watchdog.start()
    try:
        for line in run.stderr:
            lines.append(line)
            if words in line:
                return lines
    finally:
        watchdog.cancel()
    pytest.fail(f"{words!r} was not said: {''.join(lines)}")


def key_tag(one: Checkout) -> str:
    """The tag that the current tree would have."""
    return next(spec.tag for spec in one.session().inputs.specs if spec.layer == "app")


def right(one: Checkout, tag: str = "latest") -> None:
    """The friendly tag and the keyed one hold what the sources say."""
    promised = one.promised()
    assert one.said(f"{one.name}:{tag}") == promised
    assert one.said(key_tag(one)) == promised


# The user's own dodo.py, so to speak: the first time that a run comes to a place, it waits there for the test.
BEFORE_ITS_BUILD = """\
import os
from layerdoit import task_layerdoit
from layerdoit.engine import buildx
real = buildx.run
def run(*args, **options):
    if os.path.exists({gate!r}):
        open({gate!r}).read()
    return real(*args, **options)
buildx.run = run
"""
AFTER_ITS_BUILD = """\
import os
from layerdoit import task_layerdoit
from layerdoit.front import actions
real = actions.app
def app(session):
    real(session)
    if os.path.exists({gate!r}):
        open({gate!r}).read()
actions.ACTIONS = dict(actions.ACTIONS, app=app)
"""


@contextlib.contextmanager
def held(one: Checkout, dodo: str = BEFORE_ITS_BUILD) -> Iterator[Run]:
    """A run that stands still while the body runs: before its build, with the lock of the checkout; or after it."""
    gate = one.root / ".layerdoit/gate"
    os.mkfifo(gate)
    one.write({"dodo.py": dodo.format(gate=str(gate))})
    run = start(one)
    with one.until(lambda: _reached(gate, run), 300, "the run at its gate"):
        gate.unlink()
        one.write({"dodo.py": one.tiny["dodo.py"]})
        yield run


def _reached(gate: Path, run: Run) -> TextIO | None:
    """The other end of the gate, once the run has opened it."""
    assert run.poll() is None, run.communicate()
    with contextlib.suppress(OSError):
        return open(os.open(gate, os.O_WRONLY | os.O_NONBLOCK), "w", encoding="utf-8")
    return None
