"""What `doit watch` costs while nothing happens, on a server among many files."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks import generated
from benchmarks.answers import Address, free_port
from benchmarks.programs import Running
from benchmarks.ways import as_shipped, destroyed_in, start_git
from layerdoit.bench import effective, peers, subject
from layerdoit.bench.running import say
from layerdoit.bench.scratch import Scratch

_PROC: Final = Path("/proc")
_CALM: Final = 10.0
"""Seconds after the beginning in which nothing is measured."""
_PORT: Final = 8080
_SERVER: Final = """\
use std::io::{Read, Write};

fn main() {
    let text = middle::twice(21);
    for stream in std::net::TcpListener::bind("0.0.0.0:8080").unwrap().incoming() {
        let mut stream = stream.unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = write!(stream, "HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n{text}");
    }
}
"""


def measure(scratch: Scratch, files: int, seconds: float) -> dict[str, Any]:
    """The share of one core, and the memory, of the watch and of the client of its workshop."""
    folder = scratch.work / "idle"
    root = generated.workspace(folder / "tree" / "tiny", files)
    (root / "app/src/main.rs").write_text(_SERVER)
    port = free_port()
    settings = effective.effective(root, {})
    settings |= {"deploy": {"name": f"{scratch.name}-idle", "port": _PORT, "publish": port, "stop_grace": 1}}
    settings |= {"watch": {"settle": 86400}}
    token = f"{scratch.name}-idle"
    subject.configure(root, settings, scratch.name, token, "app")
    as_shipped(root, token)
    start_git(scratch, root)
    one = Running([*peers.command(), "watch", "--json"], root, {}, folder / "log")
    try:
        one.until('"event": "watching"', '"event": "failed"')
        Address(port, "/").until(lambda _: True, one.ended)
        time.sleep(_CALM)
        before = _used(one.process.pid)
        time.sleep(seconds)
        after = _used(one.process.pid)
        memory = {pid: _memory(pid) for pid in after}
    finally:
        one.end()
        destroyed_in(root)
    spent = sum(after.values()) - sum(before.get(pid, 0.0) for pid in after)
    found = {
        "files": files,
        "seconds": seconds,
        "cpu": round(spent / seconds, 5),
        "megabytes": round(sum(memory.values()), 1),
        "watch_megabytes": round(memory[one.process.pid], 1),
    }
    say(f"idle: {found}")
    return {"idle": found}


def _used(pid: int) -> Mapping[int, float]:
    """Seconds of a processor that a process has used, and each that it has started."""
    return {one: _seconds(one) for one in (pid, *_below(pid))}


def _below(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *_below(child)]
    return found


def _seconds(pid: int) -> float:
    fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    """Megabytes of memory that a process holds, shared or not."""
    for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) / 1024
    return 0.0
