"""Two runs at once: in one checkout they take turns, in two worktrees they do not meet."""

from __future__ import annotations

import copy
import fcntl
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.engine.conftest import Checkout


def test_two_runs_in_one_checkout_both_finish_right(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    runs = [one.start(), one.start()]
    ends = [run.communicate(timeout=240) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], ends
    assert one.said(f"{one.name}:latest") == one.promised()

    # An edit between: the second run's key is another one, and each is built from what it was keyed by.
    one.write({"VERSION": "1111"})
    first, promised = one.start("app"), one.promised()
    known = len(one.logs("app"))
    one.until(lambda: len(one.logs("app")) > known or first.poll() is not None, what="the first build")
    one.write({"VERSION": "2222"})
    second = one.start("app")
    ends = [run.communicate(timeout=240) for run in (first, second)]
    assert [run.returncode for run in (first, second)] == [0, 0], ends
    assert one.said(f"{one.name}:latest") == one.promised()
    one.write({"VERSION": "1111"})
    assert one.said(one.build()["app"].step.spec.tag) == promised


def test_a_waiting_run_says_so(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    with open(one.project().state / "lock", "a+", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("4711")
        held.flush()
        waiting = one.start("base")
        assert waiting.stderr is not None
        assert "waiting for another run in this checkout (process 4711)" in waiting.stderr.readline()
        fcntl.flock(held, fcntl.LOCK_UN)
        assert waiting.communicate(timeout=240)
        assert waiting.returncode == 0


def test_two_worktrees_build_side_by_side(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    one.git("init", "-q", "-b", "first")
    one.git("add", "-A")
    one.git("commit", "-q", "-m", "x")
    other = copy.copy(one)
    other.root = one.root.with_name(f"{one.name}-feature")
    one.git("worktree", "add", "-q", "-b", "feature", str(other.root))
    for number in range(2):
        one.write({"VERSION": f"111{number}", "app/data/text.txt": f"333{number}"})
        other.write({"VERSION": f"222{number}"})
        runs = [one.start(), other.start()]
        ends = [run.communicate(timeout=240) for run in runs]
        assert [run.returncode for run in runs] == [0, 0], ends
        assert one.said(f"{one.name}:latest") == one.promised()
        assert other.said(f"{one.name}:{other.root.name}") == other.promised()
    assert one.promised() != other.promised()
    mounts = {one.image(tag)["Config"]["Labels"]["io.layerdoit.mount"] for tag in ("latest", other.root.name)}
    assert len(mounts) == 2, "each worktree has a target folder of its own"
