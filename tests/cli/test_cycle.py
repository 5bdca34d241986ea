"""`doit cycle_fast` and the tasks around the container that runs, as a developer uses them."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time

from tests.support.scratch import Crate, docker
from tests.support.waiting import until

ADDRESS = re.compile(r": healthy at http://127\.0\.0\.1:(\d+)$", re.MULTILINE)


def test_a_day_of_work(crate: Crate) -> None:
    # The first start.
    started = crate.doit("cycle_fast").ok()
    assert f"deploy  {crate.name} started {crate.name}:app-" in started.out
    assert "app built" not in started.out, "all of it was there"
    address = ADDRESS.search(started.out)
    assert address is not None
    assert int(address[1]) == crate.port()
    assert crate.serves() == "first text"
    first = crate.containers()
    assert list(first) == [crate.name]

    shown = crate.doit("status").ok().out
    healthy = f"{crate.name}  healthy  http://127.0.0.1:{crate.port()}  since "
    assert re.search(rf"^{re.escape(healthy)}\d{{4}}-\d\d-\d\d \d\d:\d\d$", shown, re.MULTILINE)
    assert "runs the image of the current tree" in shown
    # It is healthy by an answer, whether or not the engine has kept what it said already.
    assert until(lambda: crate.doit("logs", "--tail", "1").ok().out) == "hello starts with first text\n"

    # Nothing changed: nothing happens.
    again = crate.doit("cycle_fast").ok()
    assert f"deploy  {crate.name} already serves {crate.name}:app-" in again.out
    assert "\ncycle " not in again.out, "nothing was done: there is nothing to sum up"
    assert ADDRESS.search(again.out)
    assert crate.containers() == first

    # An edit is served at the same address.
    crate.edit("src/main.rs", "first text", "second text")
    other = "runs another image than that of the current tree; doit cycle_fast replaces it"
    assert other in crate.doit("status").ok().out
    replaced = crate.doit("-v", "2", "cycle_fast").ok()
    assert f"deploy  {crate.name} replaced the old one: " in replaced.out
    summary = replaced.out.partition("\ncycle ")[2]
    assert re.match(r" +[\d.]+ s: base reused, deps reused, app built\n", summary), replaced.out
    assert re.search(r"^  app +[\d.]+ s.*: 1 crate compiled, .* sent$", summary, re.MULTILINE)
    assert re.search(
        r"^  deploy +[\d.]+ s, median [\d.]+ s of \d+: start .*, swap .*, remove old ", summary, re.MULTILINE
    )
    assert len(summary.splitlines()) <= 5
    assert "1 file changed: src/main.rs" in replaced.out
    assert ADDRESS.search(replaced.out).groups() == address.groups()  # type: ignore[union-attr]
    assert crate.serves() == "second text"
    second = crate.containers()
    assert list(second) == [crate.name]
    assert second != first

    # Back to a tree that was built: no build, the old image is deployed again.
    crate.edit("src/main.rs", "second text", "first text")
    crate.doit("cycle_fast").ok()
    assert crate.serves() == "first text"

    # The end, twice.
    assert "container removed" in crate.doit("destroy").ok().out
    assert crate.containers() == {}
    assert "nothing to do" in crate.doit("destroy").ok().out
    assert "nothing is deployed; doit cycle_fast deploys it" in crate.doit("status").ok().out

    # What is built can be deployed without a build.
    assert "healthy at http://" in crate.doit("deploy").ok().out
    assert crate.serves() == "first text"


def test_a_nuclear_cycle_asks_and_no_is_no(crate: Crate) -> None:
    crate.doit("cycle_fast").ok()
    before = crate.images(), crate.containers()
    code, printed = _typed(crate, "cycle_nuclear", b"no\n")
    assert code == 1
    assert "builds base, deps and app from scratch (" in printed
    assert "clears at most" in printed
    assert "cycle_nuclear? [y/N]" in printed
    assert "cancelled; nothing was cleared" in printed
    assert (crate.images(), crate.containers()) == before


def test_what_fails_leaves_the_old_one_serving(crate: Crate) -> None:
    crate.doit("cycle_fast").ok()
    before = crate.containers()
    good = (crate.folder / "src/main.rs").read_text()
    still = f"layerdoit: {crate.name} still serves at http://127.0.0.1:{crate.port()}\n"

    crate.edit("src/main.rs", "first text", "text that nobody builds")
    refused = crate.doit("deploy")
    assert refused.code == 1
    assert "there is no image of the current tree" in refused.err
    assert still in refused.err

    crate.write("src/main.rs", good.replace("let listener", "let listener: u32"))
    failed = crate.doit("cycle_fast")
    assert failed.code == 1
    assert "error[E0308]: mismatched types" in failed.err
    assert failed.out == ""
    assert (crate.containers(), crate.serves()) == (before, "first text")

    crate.edit("layerdoit.yaml", "timeout: 20", "timeout: 1")
    crate.write("src/main.rs", good.replace("200 OK", "500 Sick").replace("first text", "sick text"))
    latest = crate.images()[f"{crate.name}:latest"]
    failed = crate.doit("cycle_fast")
    assert failed.code == 1
    assert "was not healthy within 1 s (GET / answered 500)" in failed.err
    assert crate.images()[f"{crate.name}:latest"] == latest, "latest follows what serves"
    # Who asks for the image has the tag on it; what is deployed again takes it back.
    assert f"image   {crate.name}:latest" in crate.doit("image").ok().out
    assert crate.images()[f"{crate.name}:latest"] != latest
    crate.write("src/main.rs", good)
    crate.doit("deploy").ok()
    assert crate.images()[f"{crate.name}:latest"] == latest
    crate.write("src/main.rs", good.replace("200 OK", "500 Sick").replace("first text", "sick text"))
    failed = crate.doit("cycle_fast")
    assert failed.code == 1
    assert "hello starts with sick text" in failed.err
    assert still in failed.err
    assert (crate.containers(), crate.serves()) == (before, "first text")

    # What ends, and what becomes healthy, is waited for.
    crate.edit("layerdoit.yaml", "timeout: 1", "timeout: 20")
    crate.write("src/main.rs", good.replace("    let listener", "    if TEXT.len() > 0 { panic!() }\n    let listener"))
    failed = crate.doit("cycle_fast")
    assert failed.code == 1
    assert "ended with exit code 101 before it was healthy" in failed.err
    assert "panicked at src/main.rs:6" in failed.err
    assert still in failed.err
    assert (crate.containers(), crate.serves()) == (before, "first text")

    crate.write("src/main.rs", good.replace("first text", "third text"))
    crate.doit("cycle_fast").ok()
    assert crate.serves() == "third text"
    serving = docker("inspect", "--format", "{{.Image}}", crate.name).strip()
    assert crate.images()[f"{crate.name}:latest"] == serving


def test_status_of_a_container_that_ended(crate: Crate) -> None:
    crate.doit("cycle_fast").ok()
    subprocess.run(["docker", "kill", crate.name], check=True, capture_output=True)
    shown = crate.doit("status").ok().out
    assert "exited, exit code 137" in shown
    refused = crate.doit("connect")
    assert refused.code == 1
    assert "is not running (exited)" in refused.err
    crate.doit("cycle_fast").ok()
    assert crate.serves() == "first text"


def test_logs_follow_until_the_container_ends(crate: Crate) -> None:
    crate.doit("cycle_fast").ok()
    argv = [sys.executable, "-m", "doit", "logs", "--follow"]
    with subprocess.Popen(argv, cwd=crate.folder, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        for line in following.stdout:
            if line == "hello starts with first text\n":
                break
        subprocess.run(["docker", "kill", crate.name], check=True, capture_output=True)
        assert following.wait(timeout=20) == 0


def test_connect_gives_a_shell_in_the_container(crate: Crate) -> None:
    crate.doit("cycle_fast").ok()
    code, printed = _typed(crate, "connect", b"echo sum-$((40 + 2)); id -un; test -t 0 && echo a-terminal; exit\n")
    assert code == 0
    assert "sum-42" in printed
    assert "\napp\r" in printed
    assert "\na-terminal" in printed


def _typed(crate: Crate, task: str, text: bytes) -> tuple[int, str]:
    """A task at a terminal of its own, and what is typed there: the exit code, and all that was shown."""
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "doit", task]
    with subprocess.Popen(
        argv, cwd=crate.folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as child:
        os.close(theirs)
        os.write(ours, text)
        printed = _until_closed(ours, seconds=60)
        code = child.wait(timeout=20)
    os.close(ours)
    return code, printed


def _until_closed(terminal: int, seconds: float) -> str:
    """All that is written to a terminal until nobody has it open."""
    printed = b""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # EIO: the other side was closed
            return printed.decode(errors="replace")
        if not part:
            break
        printed += part
    return printed.decode(errors="replace")


COUNTING = """\
from layerdoit import task_layerdoit
from layerdoit.build import planning

def counted(name):
    real = getattr(planning, name)
    def wrapped(*args, **options):
        found = real(*args, **options)
        if found is not None:
            print("a plan was made")
        return found
    setattr(planning, name, wrapped)

counted("make")
counted("unchanged")
"""


def test_one_call_makes_one_plan(crate: Crate) -> None:
    """Tasks hand it on: what engine and registry hold is asked once."""
    crate.write("dodo.py", COUNTING)
    assert crate.doit().ok().out.count("a plan was made") == 1
    assert crate.doit().ok().out.count("a plan was made") == 1
    crate.edit("src/main.rs", "first text", "planned text")
    edited = crate.doit("cycle_fast").ok()
    assert edited.out.count("a plan was made") == 1, edited.out
    assert crate.serves() == "planned text"
    assert crate.doit("cycle_fast").ok().out.count("a plan was made") == 1
    assert crate.doit("status").ok().out.count("a plan was made") == 1
