"""`doit watch` and what goes wrong around it: one message each, the old program serves, the watch goes on."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from tests.engine.cycle_fixture import FILES, crate, edited, ok, serves
from tests.engine.watch_fixture import Watching, containers, volumes, watching
from tests.support.checkout import Checkout
from tests.support.ports import PORT, free_port
from tests.support.scratch import MAIN, docker, remove_containers
from tests.support.waiting import until

__all__ = ["watching"]

MAIN_RS = "src/main.rs"
MARK = "    // here\n"
PROGRAM = MAIN.replace("    let listener", MARK + "    let listener").replace(
    "        let length",
    '        if buffer.starts_with(b"GET /crash") { eprintln!("it gives up"); std::process::exit(7); }\n'
    "        let length",
)
LIBC = 'extern "C" {{ fn {}; }}\n    '
DEAF = LIBC.format("signal(number: i32, what: usize) -> usize") + "unsafe { signal(15, 1); }\n"
DAEMON = LIBC.format("fork() -> i32") + "if unsafe { fork() } != 0 { std::process::exit(0); }\n"
OWN = '    std::fs::write("/usr/local/bin/state", TEXT).unwrap();\n'
# Told to end, it listens no longer at once, and ends later.
LINGERS = (
    LIBC.format("signal(number: i32, what: usize) -> usize; fn close(fd: i32) -> i32; fn usleep(us: u32) -> i32")
    + 'extern "C" fn end(_: i32) { unsafe { for fd in 3..20 { close(fd); } usleep(300_000); }'
    + ' println!("it has ended"); std::process::exit(0); }\n'
    + '    println!("it begins");\n    unsafe { signal(15, end as *const () as usize); }\n'
)
SILENT = "    std::thread::sleep(std::time::Duration::from_secs(600));\n"
CONFIG = """\
image:
  user: root
deploy:
  port: {port}
  publish: {publish}
  health:
    path: /
    timeout: 20
  stop_grace: 1
watch:
  settle: 600
"""


class Faulty:
    """A watched checkout, and what is done to it."""

    def __init__(self, one: Checkout, watch: Watching) -> None:
        self.one, self.watch = one, watch

    def has(self, text: str, **facts: Any) -> None:
        """The next turn lets this serve."""
        self.watch.until("serving", **facts)
        assert serves(self.one) == text

    @property
    def workshop(self) -> str:
        (control,) = (name for name in volumes(self.one) if "." not in name)
        found = docker("ps", "--quiet", "--no-trunc", "--filter", f"volume={control}").split()
        (workshop,) = set(found) - {self.service}
        return workshop

    @property
    def service(self) -> str:
        return containers(self.one)[self.one.name]


def test_what_goes_wrong_is_told_once_and_the_next_edit_serves(
    checkout: Callable[..., Checkout], parents: str, watching: Callable[..., Watching]
) -> None:
    publish = free_port()
    config = parents + CONFIG.format(port=PORT, publish=publish)
    one = checkout({**FILES, MAIN_RS: PROGRAM}, config)
    try:
        with socket.socket() as held:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(("127.0.0.1", publish))
            held.listen()
            watch = watching(one)
            failed = watch.until("failed", stage="deploy")
            assert f"port {publish} is taken" in failed["text"]
        faulty = Faulty(one, watch)
        edited(one, "the port is free")
        faulty.has("the port is free", how="built")
        watch.until("watching")
        _programs(faulty)
        _trees(faulty)
        _containers(faulty)
        _killed(faulty, watching)
    finally:
        remove_containers(crate(one))


def _programs(faulty: Faulty) -> None:
    """Faults of the program itself."""
    one, watch = faulty.one, faulty.watch
    service = faulty.service
    _asked(one, "/crash")
    told = watch.until("warning", stage="ended")
    assert "exit code 7; the engine has started it again" in told["text"]
    assert "it gives up" in told["text"]
    until(lambda: serves(one) == "the port is free")

    one.replace(MAIN_RS, MARK, MARK + DEAF)
    watch.until("serving", how="compiled")
    one.replace(MAIN_RS, DEAF, OWN)
    told = watch.until("warning")
    assert "did not end within 1 s and was killed" in told["text"]
    watch.until("serving", how="compiled")
    assert docker("exec", service, "cat", "/usr/local/bin/state") == "the port is free"
    before = os.stat(one.root / MAIN_RS)
    one.replace(MAIN_RS, "the port is free", "set back, a bit!")
    os.utime(one.root / MAIN_RS, ns=(before.st_atime_ns, before.st_mtime_ns - 10**15))
    watch.until("serving", how="compiled")
    assert serves(one) == "set back, a bit!"

    one.replace(MAIN_RS, OWN, LINGERS)
    watch.until("serving", how="compiled")
    edited(one, "set back, later on")
    told = watch.until("warning")
    assert "s to end after it had stopped listening" in told["text"]
    watch.until("serving", how="compiled")
    until(lambda: _of_lingering(service) == ["it begins", "it has ended", "it begins"])
    good = one.read("layerdoit.yaml")
    one.write({"layerdoit.yaml": f"{good}  overlap: true\n"})
    edited(one, "set back, a bit!")
    watch.until("serving", how="compiled")
    assert serves(one) == "set back, a bit!"
    until(lambda: _of_lingering(service)[3:] == ["it begins", "it has ended"])
    one.write({"layerdoit.yaml": good})
    one.replace(MAIN_RS, LINGERS, OWN)
    watch.until("serving", how="compiled")

    one.replace(MAIN_RS, OWN, DAEMON)
    failed = watch.until("failed", stage="start")
    assert "ended with exit code 0" in failed["text"]
    assert "what served before serves again" in failed["text"]
    assert serves(one) == "set back, a bit!"
    assert faulty.service == service
    one.replace(MAIN_RS, DAEMON, OWN)
    watch.until("serving", how="unchanged")


def _of_lingering(container: str) -> list[str]:
    """What programs wrote when they began and ended, in that order."""
    return [line for line in docker("logs", container).splitlines() if line.startswith("it ")]


def _trees(faulty: Faulty) -> None:
    """Faults of the tree, which begin in the middle of a turn."""
    one, watch = faulty.one, faulty.watch
    edited(one, "in a turn")
    watch.until("compiling")
    good = one.read("layerdoit.yaml")
    one.write({"layerdoit.yaml": "deploy: [\n"})
    watch.until("failed", stage="configuration")
    assert serves(one) in ("in a turn", "set back, a bit!")
    one.write({"layerdoit.yaml": good, "Cargo.toml": FILES["Cargo.toml"] + "["})
    assert "Cargo.toml" in watch.until("failed", stage="configuration")["text"]
    one.write({"other/Cargo.toml": FILES["lib/Cargo.toml"].replace("lib", "other"), "other/src/lib.rs": ""})
    one.write({"Cargo.toml": FILES["Cargo.toml"].replace("lib = ", 'other = { path = "other" }\nlib = ')})
    assert "Cargo.lock" in watch.until("failed")["text"]
    one.write({"Cargo.toml": FILES["Cargo.toml"].replace("\n\n", '\nrust-version = "1.999"\n\n', 1)})
    assert "Cargo.toml:5: `hello` requires Rust 1.999" in watch.until("failed", stage="compile")["text"]
    one.write({"Cargo.toml": FILES["Cargo.toml"]})
    watch.until("serving")
    assert serves(one) == "in a turn"


def _containers(faulty: Faulty) -> None:
    """What others do to the containers."""
    one, watch = faulty.one, faulty.watch
    # As after an engine that was started again.
    docker("rm", "--force", faulty.workshop, faulty.service)
    assert "was removed" in watch.until("failed", stage="ended")["text"]
    edited(one, "there again")
    assert "the workshop was stopped or removed" in watch.until("building")["why"]
    faulty.has("there again", how="built")
    watch.until("watching")
    docker("stop", faulty.service)
    assert "has ended with exit code" in watch.until("failed", stage="ended")["text"]
    edited(one, "there as ever")
    assert "does not serve" in watch.until("building")["why"]
    faulty.has("there as ever", how="built")
    edited(one, "the workshop lives on")
    faulty.has("the workshop lives on", how="compiled")


def _killed(faulty: Faulty, watching: Callable[..., Watching]) -> None:
    """Watches that are killed: between the start of a program and its judgement, in a build, in a compilation."""
    one = faulty.one
    one.replace(MAIN_RS, OWN, SILENT)
    edited(one, "not served")
    until(lambda: "hello starts with not served" in docker("logs", faulty.service))
    _kill(faulty.watch)
    one.replace(MAIN_RS, SILENT, OWN)
    _put_right(one, "not served")

    second = watching(one)
    second.until("building")
    _kill(second)
    _put_right(one, "not served")

    third = watching(one)
    third.until("watching")
    edited(one, "not compiled")
    third.until("compiling")
    _kill(third)
    _put_right(one, "not compiled")


def _kill(watch: Watching) -> None:
    watch.process.kill()
    watch.process.wait()


def _put_right(one: Checkout, text: str) -> None:
    ok(one.doit("cycle_fast"))
    assert serves(one) == text
    assert set(containers(one)) == {one.name}
    assert volumes(one) == []
    until(lambda: not _processes(one))


def _processes(one: Checkout) -> list[str]:
    """Those that work in the checkout."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(folder / "cwd") == str(one.root):
                found.append((folder / "cmdline").read_text().replace("\0", " "))
    return found


def _asked(one: Checkout, path: str) -> None:
    with contextlib.suppress(OSError, HTTPException):
        connection = HTTPConnection("127.0.0.1", crate(one).port(), timeout=5)
        connection.request("GET", path)
        connection.getresponse()
