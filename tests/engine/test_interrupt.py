"""Builds that are ended from outside: the exit code, what is left (nothing), and that the next run is right."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from tests.support.checkout import Checkout

# A step that lasts until it is ended, as long as a file says so.
SLOW = 'if read("data/slow.txt") == "yes" { std::thread::sleep(std::time::Duration::from_secs(600)); }\n    let folder'


def left(one: Checkout) -> dict[int, str]:
    """Command lines of processes that have to do with the checkout, by their numbers."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if one.name in words:
                found[int(path.parent.name)] = words
    return found


def reached(one: Checkout, run: subprocess.Popen[str], known: Collection[Path], text: str) -> None:
    """Wait until the app's new log holds a text, or the run has ended."""

    def there() -> bool:
        new = [log for log in one.logs("app") if log not in known]
        return run.poll() is not None or (bool(new) and text in new[-1].read_text())

    one.until(there, what=f'"{text}"')


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_build_leaves_nothing(checkout: Callable[..., Checkout], signum: int, code: int) -> None:
    one = checkout()
    one.replace("app/build.rs", "let folder", SLOW)
    one.build()
    tags, image = one.tags(), one.image()["Id"]
    one.write({"app/data/slow.txt": "yes", "app/data/text.txt": "1111"})
    known = one.logs("app")
    run = one.start()
    reached(one, run, known, "Compiling app")
    assert run.poll() is None, "the step does not last"
    assert left(one), "the search for processes finds none"
    run.send_signal(signum)
    _, err = run.communicate(timeout=60)
    assert run.returncode == code, err
    assert f"interrupted by signal {signum:d}" in err
    assert "Traceback" not in err
    one.until(lambda: not left(one), 20, "the end of all children")
    assert (one.tags(), one.image()["Id"]) == (tags, image)
    (one.root / "app/data/slow.txt").unlink()
    assert one.doit().returncode == 0
    assert one.said(f"{one.name}:latest") == one.promised()


def test_builds_killed_at_any_moment_leave_no_stale_binary(checkout: Callable[..., Checkout]) -> None:
    """Killed, which gives no time to clean up, and interrupted, which does; then edited again or not."""
    one = checkout()
    one.build()
    moments = ("$", "load build context", "RUN", "Compiling lib", "Compiling app", "Finished", "exporting")
    numbers = itertools.count(1001)
    changed = ("VERSION", "lib/data/macro.txt", "app/data/made.txt", "app/data/text.txt")
    for turn, (moment, signum) in enumerate(itertools.product(moments, (signal.SIGKILL, signal.SIGINT))):
        kept = changed[turn % len(changed)]
        one.replace("lib/src/deep.rs", one.read("lib/src/deep.rs")[24:28], str(next(numbers)))
        one.write({kept: str(next(numbers))})
        before = one.read(kept)
        known = one.logs("app")
        run = one.start("app")
        reached(one, run, known, moment)
        run.send_signal(signum)
        run.communicate(timeout=60)
        # What the ended build had taken in is edited again, or not.
        if turn % 2:
            one.write({kept: str(next(numbers))})
        built = one.build()["app"].step.spec.tag
        assert one.said(built) == one.promised(), f"{signum!r} at {moment!r}"
        if turn % 2:
            one.write({kept: before})
            assert one.said(one.build()["app"].step.spec.tag) == one.promised(), f"{signum!r}, {moment!r}"
    one.until(lambda: not left(one), 20, "the end of all children")


@contextlib.contextmanager
def heard(one: Checkout) -> Iterator[None]:
    """Somebody goes on reading what the checkout's build says: what is killed beside it breaks none of its pipes."""
    with contextlib.ExitStack() as held:
        for number, words in left(one).items():
            if "buildx build" in words:
                for output in (1, 2):
                    with contextlib.suppress(OSError):
                        file = os.open(f"/proc/{number}/fd/{output}", os.O_RDONLY | os.O_NONBLOCK)
                        held.callback(os.close, file)
        yield


def test_what_a_killed_run_left_behind_is_ended_by_the_next(checkout: Callable[..., Checkout]) -> None:
    """Its child lives on as long as it can say what it has to say, and holds the target folder."""
    one = checkout()
    one.replace("app/build.rs", "let folder", SLOW)
    one.build()
    one.write({"app/data/slow.txt": "yes", "app/data/text.txt": "1111"})
    known = one.logs("app")
    run = one.start()
    reached(one, run, known, "Compiling app")
    with heard(one):
        run.kill()
        run.communicate(timeout=60)
        assert any("buildx build" in words for words in left(one).values()), "there is no orphan"
        tags = one.tags()
        (one.root / "app/data/slow.txt").unlink()
        other = one.doit()
        assert other.returncode == 0
        assert "ending an orphaned build of a killed run" in other.stderr
        assert not left(one)
        assert len(one.tags() - tags) == 1, "the keyed tag of the tree without slow.txt"
        assert one.said(f"{one.name}:latest") == one.promised()
