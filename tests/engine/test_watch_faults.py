"""`doit watch` and what goes wrong around it: one message each, the old program serves, the watch goes on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from typing import Any

from tests.engine.cycle_fixture import FILES, crate, edited, ok, serves
from tests.engine.watch_fixture import Watching, containers, volumes, watching
from tests.support.checkout import Checkout
from tests.support.ports import PORT, free_port
from tests.support.scratch import MAIN, docker
from tests.support.waiting import until

__all__ = ["watching"]

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
  stop_grace: 0.5
watch:
  settle: 600
"""


class Faulty:
    """A watched checkout, and what is done to it."""

    def __init__(self, one: Checkout, watch: Watching) -> None:
        self.one, self.watch = one, watch

    def shows(self, old: str, new: str, path: str = "src/main.rs") -> None:
        self.one.replace(path, old, new)

    def edits(self, text: str, **facts: Any) -> dict[str, Any]:
        """An edit that is to serve."""
        edited(self.one, text)
        event = self.watch.until("serving", **facts)
        assert serves(self.one) == text
        return event

    def since(self, count: int, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.watch.seen[count:] if event["event"] == kind]

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
    one = checkout({**FILES, "src/main.rs": PROGRAM}, config)
    try:
        with socket.socket() as held:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(("127.0.0.1", publish))
            held.listen()
            watch = watching(one)
            failed = watch.until("failed", stage="build")
            assert f"port {publish} is taken" in failed["text"]
        _faults(Faulty(one, watch))
        _killed(one, watching)
    finally:
        for name in crate(one).containers():
            docker("rm", "--force", "--volumes", name)


def _faults(faulty: Faulty) -> None:
    one, watch = faulty.one, faulty.watch
    faulty.edits("the port is free", how="built")
    watch.until("watching")
    service = faulty.service

    _asked(one, "/crash")
    told = watch.until("warning", stage="ended")
    assert "exit code 7; the engine has started it again" in told["text"]
    assert "it gives up" in told["text"]
    until(lambda: serves(one) == "the port is free")

    faulty.shows(MARK, MARK + DEAF)
    watch.until("serving", how="compiled")
    faulty.shows(DEAF, OWN)
    told = watch.until("warning")
    assert "did not end within 0.5 s and was killed" in told["text"]
    watch.until("serving", how="compiled")
    assert docker("exec", service, "cat", "/usr/local/bin/state") == "the port is free"
    before = os.stat(one.root / "src/main.rs")
    faulty.shows("the port is free", "set back, a bit!")
    os.utime(one.root / "src/main.rs", ns=(before.st_atime_ns, before.st_mtime_ns - 10**15))
    watch.until("serving", how="compiled")
    assert serves(one) == "set back, a bit!"

    faulty.shows(OWN, DAEMON)
    failed = watch.until("failed", stage="health")
    assert "ended with exit code 0" in failed["text"]
    assert "what served before serves again" in failed["text"]
    assert serves(one) == "set back, a bit!"
    assert faulty.service == service
    faulty.shows(DAEMON, OWN)
    watch.until("serving", how="unchanged")

    edited(one, "in a turn")
    watch.until("compiling")
    good = one.read("layerdoit.yaml")
    one.write({"layerdoit.yaml": "deploy: [\n"})
    failed = watch.until("failed", stage="configuration")
    assert serves(one) in ("in a turn", "set back, a bit!")
    one.write({"layerdoit.yaml": good, "Cargo.toml": FILES["Cargo.toml"] + "["})
    failed = watch.until("failed", stage="configuration")
    assert "Cargo.toml" in failed["text"]
    one.write({"other/Cargo.toml": FILES["lib/Cargo.toml"].replace("lib", "other"), "other/src/lib.rs": ""})
    one.write({"Cargo.toml": FILES["Cargo.toml"].replace("lib = ", 'other = { path = "other" }\nlib = ')})
    failed = watch.until("failed")
    assert "Cargo.lock" in failed["text"]
    one.write({"Cargo.toml": FILES["Cargo.toml"]})
    watch.until("serving")
    assert serves(one) == "in a turn"

    docker("rm", "--force", faulty.workshop, service)
    failed = watch.until("failed", stage="ended")
    assert "was removed" in failed["text"]
    event = faulty.edits("there again", how="built")
    assert "was removed" in faulty.since(0, "building")[-1].get("why", ""), event
    watch.until("watching")
    docker("stop", faulty.service)
    failed = watch.until("failed", stage="ended")
    assert "has ended" in failed["text"]
    faulty.edits("there as ever", how="built")
    faulty.edits("the workshop lives on", how="compiled")


def _killed(one: Checkout, watching: Callable[..., Watching]) -> None:
    pass


def _asked(one: Checkout, path: str) -> None:
    subprocess.run(["curl", "-s", f"http://127.0.0.1:{crate(one).port()}{path}"], check=False)
