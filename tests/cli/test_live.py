"""What a user sees of a build on a terminal, and in CI."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
from collections.abc import Iterator

from tests.support import screen
from tests.support.scratch import Crate
from tests.support.screen import Screen

# Long enough to be looked at.
SLOW = """\
fn main() {
    println!("cargo::rerun-if-env-changed=NEVER");
    std::thread::sleep(std::time::Duration::from_secs(SECONDS));
}
"""


@contextlib.contextmanager
def on_terminal(crate: Crate, *words: str) -> Iterator[Screen]:
    with screen.running([sys.executable, "-m", "doit", *words], cwd=str(crate.folder)) as found:
        yield found


def slow(crate: Crate, seconds: int) -> None:
    crate.write("build.rs", SLOW.replace("SECONDS", str(seconds)))


def row(found: Screen, name: str) -> str:
    return next((line for line in found.lines if line.startswith(f"{name:<8}")), "")


def test_a_build_is_a_row_that_ticks_and_goes(crate: Crate) -> None:
    slow(crate, 4)
    with on_terminal(crate) as found:
        found.until(lambda: row(found, "app"))
        assert row(found, "base") == "base    reused"
        # cargo itself says that its build script runs.
        compiling = r"app     compiling  [█░]+  \d+ of \d+ crates? · \d+ % · \d+ s$"
        found.until(lambda: "hello(build)" in found.text and re.match(compiling, row(found, "app")))
        before = row(found, "app")
        found.until(lambda: row(found, "app") not in ("", before))
        assert found.end() == 0
        assert "[build" not in found.text
        assert not row(found, "base")
        assert row(found, "app").startswith("app     build ")
        assert found.lines[-1].startswith("image ")
        assert found.shows_cursor


def test_the_screen_is_clean_after_ctrl_c_and_another_size_is_followed(crate: Crate) -> None:
    slow(crate, 60)
    with on_terminal(crate) as found:
        found.until(lambda: "hello(build)" in found.text)
        found.resize(40, 10)
        found.until(lambda: re.match(r"app     compiling  (\d+ of \d+ crates? · )?\d+ s$", row(found, "app")))
        found.process.send_signal(signal.SIGINT)
        assert found.end() == 128 + signal.SIGINT
        assert not row(found, "app")
        assert found.shows_cursor


def test_in_ci_a_layer_is_a_group_of_plain_lines(crate: Crate) -> None:
    crate.edit("src/main.rs", "first text", "text for CI")
    done = crate.doit(env={"GITHUB_ACTIONS": "true", "CI": "true"}).ok()
    groups = [line for line in done.err.splitlines() if line.startswith("::")]
    assert groups == ["::group::app: preparing", "::endgroup::"]
    assert "\x1b" not in done.text


def test_side_by_side_each_line_says_whose_it_is(crate: Crate) -> None:
    dodo = "import layerdoit\ntask_shop = layerdoit.tasks('.', prefix='shop')\n"
    crate.write("dodo.py", dodo)
    crate.edit("src/main.rs", "first text", "text side by side")
    done = crate.doit("-n", "2", "shop:image").ok()
    ours = [line for line in done.out.splitlines() if "build" in line or "image" in line]
    assert ours
    assert all(line.startswith(("shop: ", ".  shop:", "-- shop:")) for line in ours), done.out
