"""The workshop of a watch: what it compiles is what a clean build gives, whatever was changed, ended or broken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from layerdoit.core.errors import BuildError, ContextDiffers, DeployError
from layerdoit.deploy.docker.container_log import AGAIN
from layerdoit.deploy.live import Live
from layerdoit.engine import live_volumes
from layerdoit.flows.ensure import ensure
from layerdoit.flows.session import Session
from layerdoit.watch.agent import Gone
from layerdoit.watch.trial import Trial
from layerdoit.watch.workshop import Cancelled, Compiled, Workshop
from tests.engine.cycle_fixture import FILES, edited
from tests.support.checkout import Checkout
from tests.support.scratch import docker
from tests.support.waiting import until

NEVER = threading.Event()
SPEAKS = """\
#!/bin/sh
rm -f /tmp/spoken
mkfifo /tmp/spoken
while read -r line; do
  case $line in *'"build-finished"'*) printf '\\033[K    Fini' >&2 ;; esac
  printf '%s\\n' "$line"
done </tmp/spoken &
exec cargo-itself "$@" >/tmp/spoken
"""
WAITS = (
    'fn main() { println!("cargo:rustc-env=SCRIPT=1111"); std::thread::sleep(std::time::Duration::from_secs(60)); }\n'
)
OPENS = """\
import sys
from pathlib import Path
from layerdoit.deploy.live import Live
from layerdoit.flows.session import Session
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from layerdoit.watch.workshop import Workshop
opened = Workshop.open(Session(Run(), Project.open(Path(sys.argv[1]), {})), Live(sys.argv[2]), {})
print("open", flush=True)
sys.stdin.readline()
"""


class Room:
    """A workshop for a checkout, and what its programs print."""

    def __init__(self, one: Checkout) -> None:
        self.one = one
        self.live = Live(one.name)
        self.session = one.session()
        self.shop = self.opened()

    def opened(self) -> Workshop:
        return Workshop.open(self.session, self.live, {"served": ["app"]})

    def compile(self, told: Callable[[object], None] = lambda _: None, cancelled: threading.Event = NEVER) -> Compiled:
        self.session.read_again()
        made = self.shop.compile(self.session.inputs, told, cancelled)
        self.shop.expect()
        return made

    @property
    def container(self) -> str:
        return containers(self.one)

    def said(self) -> str:
        try:
            return docker("exec", self.container, "/build/target/debug/app")
        except subprocess.CalledProcessError as error:
            # Seen once in 1,400 turns, on a busy machine: runc lost its own process before it was the program.
            if "read init-p" not in error.stderr:
                raise
            return docker("exec", self.container, "/build/target/debug/app")

    def processes(self) -> list[str]:
        return docker("top", self.container, "-eo", "pid,args").splitlines()[1:]


def containers(one: Checkout) -> str:
    return docker("ps", "--all", "--quiet", "--filter", f"label=io.layerdoit.live={one.name}").strip()


@contextmanager
def room(one: Checkout) -> Iterator[Room]:
    session: Session = one.session()
    for layer in ("base", "deps"):
        ensure(session, layer)
    made = Room(one)
    try:
        yield made
    finally:
        made.shop.close()
        live_volumes.sweep(one.name, session.project.owner, one.name)
        until(lambda: containers(one) == "")


def test_whatever_is_changed_the_program_is_that_of_a_clean_build(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    with room(one) as made:
        first = made.compile()
        assert (first.crates, made.said()) == (4, one.promised())
        assert made.compile().crates == 0

        one.replace("app/src/main.rs", '"0000"', '"1111"')
        assert (made.compile().crates, made.said()) == (1, one.promised())
        one.write({"app/data/text.txt": "1111"})
        assert (made.compile().crates, made.said()) == (1, one.promised()), "included"
        one.write({"lib/data/macro.txt": "1111", "lib/src/parts/one.txt": ""})
        assert (made.compile().crates, made.said()) == (2, one.promised()), "read and listed by a macro"
        (one.root / "lib/src/parts/one.txt").unlink()
        (one.root / "lib/src/parts").rmdir()
        one.write({"VERSION": "1111", "lib/src/parts": "a file in the place of a folder"})
        made.compile()
        assert made.said() == one.promised(), "read by a script outside its package; a folder that is a file now"

        before = os.stat(one.root / "lib/src/deep.rs")
        one.replace("lib/src/deep.rs", "0000", "1111")
        os.utime(one.root / "lib/src/deep.rs", ns=(before.st_atime_ns, before.st_mtime_ns - 10**15))
        assert (made.compile().crates, made.said()) == (2, one.promised()), "an older file with another content"


def test_cargo_waits_for_an_edit_and_only_for_one_that_changes_nothing_it_has_read(
    checkout: Callable[..., Checkout],
) -> None:
    one = checkout()
    with room(one) as made:
        made.compile()
        folder = docker("exec", made.container, "sh", "-c", "dirname $(command -v cargo)").strip()
        here, away = f"{folder}/cargo", f"{folder}/cargo-away"
        docker("exec", made.container, "mv", here, away)
        one.replace("app/src/main.rs", '"0000"', '"1111"')
        assert (made.compile().crates, made.said()) == (1, one.promised()), "by the cargo that was there before"

        docker("exec", made.container, "mv", away, here)
        made.shop.expect()
        docker("exec", made.container, "mv", here, away)
        one.replace("app/Cargo.toml", "[dependencies]", "[dependencies] # other")
        with pytest.raises(BuildError, match="cargo: not found"):
            made.compile()
        docker("exec", made.container, "mv", away, here)
        made.compile()
        assert made.said() == one.promised()
        assert sum("cargo build" in line for line in made.processes()) == 1, "one that waits, and none besides"

        one.replace("app/src/main.rs", "fn main()", "fn main(")
        with pytest.raises(BuildError, match="error"):
            made.compile()
        made.shop.expect()
        docker("exec", made.container, "mv", here, away)
        one.replace("app/src/main.rs", "fn main(", "fn main()")
        made.compile()
        assert made.said() == one.promised(), "also after an error"


def test_what_cargo_still_says_when_it_has_finished_hides_nothing(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    with room(one) as made:
        made.compile()
        folder = docker("exec", made.container, "sh", "-c", "dirname $(command -v cargo)").strip()
        docker("exec", made.container, "mv", f"{folder}/cargo", f"{folder}/cargo-itself")
        script = 'printf %s "$1" >"$2" && chmod +x "$2"'
        docker("exec", made.container, "sh", "-c", script, "sh", SPEAKS, f"{folder}/cargo")
        made.shop.expect()
        one.replace("app/src/main.rs", '"0000"', '"1111"')
        assert (made.compile().crates, made.said()) == (1, one.promised())


def test_what_fails_is_ended_or_moves_is_made_good_by_the_next(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    with room(one) as made:
        made.compile()
        one.replace("app/src/main.rs", "fn main() {", "fn main() { let unused = missing;")
        with pytest.raises(BuildError) as broken:
            made.compile()
        assert "app/src/main.rs:" in str(broken.value)
        assert "cannot find value `missing`" in str(broken.value)
        assert "\x1b[" in broken.value.shown(coloured=True)
        one.replace("app/src/main.rs", "missing;", "1;")
        compiled = made.compile()
        assert (compiled.crates, made.said()) == (1, one.promised())
        assert "unused variable" in compiled.diagnostics[0].text
        one.replace("app/src/main.rs", "let unused = 1;", "")
        at_once = threading.Event()
        at_once.set()
        with pytest.raises(Cancelled):
            made.compile(cancelled=at_once)
        compiled = made.compile()
        assert (compiled.crates, compiled.diagnostics, made.said()) == (1, (), one.promised())

        one.write({"lib/build.rs": WAITS})
        seen, begun = threading.Event(), 0.0

        def cancel() -> None:
            nonlocal begun
            until(lambda: any("build-script-build" in line for line in made.processes()))
            begun = time.monotonic()
            seen.set()

        thread = threading.Thread(target=cancel)
        thread.start()
        with pytest.raises(Cancelled):
            made.compile(cancelled=seen)
        took = time.monotonic() - begun
        thread.join()
        assert took < 5, "0.2 where nothing else runs; the build script waits for a minute"
        assert len(made.processes()) == 1, "whatever cargo has started is gone"
        one.write({"lib/build.rs": one.lib_build})
        one.replace("lib/src/deep.rs", "0000", "2222")
        assert (made.compile().crates, made.said()) == (3, one.promised())

        session = made.session
        one.replace("app/src/main.rs", '"0000"', '"2222"')
        session.read_again()
        inputs = session.inputs
        assert inputs.sources.entries
        one.replace("app/src/main.rs", '"2222"', '"3333"')
        with pytest.raises(ContextDiffers):
            made.shop.compile(inputs, lambda _: None, NEVER)
        made.compile()
        assert made.said() == one.promised()


def compiles_over_the_program_before(made: Room) -> bool:
    """Whether only what differs from the one that served before the last edit is written."""

    def inode(name: str) -> str:
        return docker("exec", made.container, "stat", "-c", "%i", f"/live/web/{name}")

    spare = inode(".hello.spare")
    return made.compile().changed == {"web": ("hello",)} and inode(".hello.new") == spare


def logged(container: str) -> list[str]:
    """The lines of its programs."""
    return [line for line in docker("logs", container).splitlines() if line != AGAIN]


def started(made: Room, token: str, *binaries: str) -> Trial:
    trial = made.shop.start("web", token, 1, binaries, overlap=False)
    trial.started()
    return trial


def test_a_program_serves_in_trial_and_the_old_one_is_put_back(checkout: Callable[..., Checkout]) -> None:
    one = checkout({**FILES, "src/main.rs": FILES["src/main.rs"].replace("fn main() {", "fn main() { // here\n")})
    with room(one) as made:
        made.shop.close()
        made.shop = Workshop.open(made.session, made.live, {"web": ["hello"]})
        ensure(made.session, "app")
        token = "0123456789ab"
        serving = docker(
            *("run", "--detach", "--rm", "--network", "none", "--entrypoint", "/.layerdoit/live"),
            *("--volume", f"{made.live.control}:/.layerdoit"),
            *("--volume", f"{made.live.programs('web')}:/usr/local/bin"),
            *(made.session.plan.step("app").spec.tag, f"/.layerdoit/{token}", "--", "/usr/local/bin/hello"),
        ).strip()
        try:
            served = ["hello starts with first text"]

            def prints(count: int) -> Any:
                return until(lambda: len(found := logged(serving)) >= count and found)

            assert prints(1) == served
            made.compile()
            edited(one, "second text")
            assert made.compile().changed == {"web": ("hello",)}
            trial = started(made, token, "hello")
            served.append("hello starts with second text")
            assert (prints(2), trial.ended()) == (served, None)
            trial.keep()
            made.shop.ahead("web", "a" * 64)
            assert docker("exec", made.container, "cat", "/.layerdoit/ahead/web").strip() == "a" * 64
            assert made.compile().changed == {"web": ()}

            one.replace("src/main.rs", "// here", "std::process::exit(3);")
            assert compiles_over_the_program_before(made)
            trial = started(made, token, "hello")
            until(trial.ended)
            assert trial.ended() == "ended with exit code 3"
            with pytest.raises(DeployError, match="ended with exit code 3"):
                trial.keep()
            trial.put_back()
            served.append("hello starts with second text")
            assert prints(3) == served

            edited(one, "third text")
            assert made.compile().changed == {"web": ("hello",)}
            started(made, token).keep()
            served.append("hello starts with second text")
            assert prints(4) == served, "a program that is not to serve"
            edited(one, "second text")
            one.replace("src/main.rs", "std::process::exit(3);", "// here")
            assert made.compile().changed == {"web": ()}
            names = docker("exec", made.container, "ls", "-A", "/live/web").split()
            assert set(names) <= {"hello", ".hello.same", ".hello.spare"}, "nothing else lies about"
            made.shop.ahead("web", None)
            with pytest.raises(subprocess.CalledProcessError):
                docker("exec", made.container, "cat", "/.layerdoit/ahead/web")
        finally:
            docker("rm", "--force", serving)
        with pytest.raises(DeployError, match="stopped or removed"):
            started(made, token)


def test_a_workshop_that_was_stopped_is_opened_again_and_one_whose_process_was_killed_is_gone(
    checkout: Callable[..., Checkout],
) -> None:
    one = checkout()
    with room(one) as made:
        docker("stop", made.container)
        with pytest.raises(Gone, match="stopped or removed"):
            made.compile()
        assert not made.shop.alive
        made.shop.close()
        made.shop = made.opened()
        assert (made.compile().crates, made.said()) == (4, one.promised())
        made.shop.close()
        until(lambda: containers(one) == "")

        command = [sys.executable, "-c", OPENS, str(one.root), one.name]
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=one.environment(), cwd=os.getcwd()
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        assert containers(one)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        until(lambda: containers(one) == "")
