"""A scratch project in which doit is called as a user calls it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from tests.support.ports import PORT
from tests.support.waiting import until

MAIN = """\
use std::{io::{Read, Write}, net::TcpListener};
const STATUS: &str = "200 OK";
const TEXT: &str = "first text";
fn main() {
    println!("hello starts with {TEXT}");
    let listener = TcpListener::bind("0.0.0.0:8080").unwrap();
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        let mut buffer = [0u8; 2048];
        let _ = stream.read(&mut buffer);
        let length = TEXT.len();
        let head = format!("HTTP/1.1 {STATUS}\\r\\nContent-Length: {length}\\r\\nConnection: close");
        let _ = write!(stream, "{head}\\r\\n\\r\\n{TEXT}");
    }
}
""".replace("8080", str(PORT))
MANIFEST = """\
[package]
name = "hello"
version = "0.1.0"
edition = "2021"
"""
LOCK = """\
version = 3

[[package]]
name = "hello"
version = "0.1.0"
"""
CONFIG = """\
project: {name}
deploy:
  port: {port}
  health:
    path: /
    timeout: 20
"""
DODO = "from layerdoit import task_layerdoit\n"


@dataclass(frozen=True)
class Result:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    def ok(self) -> Result:
        assert self.code == 0, self.text
        return self

    def ran(self) -> list[str]:
        """Names of the tasks that were executed, and of those that were skipped because they are up to date."""
        return [line[3:] for line in self.out.splitlines() if line.startswith((".  ", "-- "))]


@dataclass
class Crate:
    """A scratch copy of a Rust project with a dodo.py. `python`: the one that runs doit."""

    folder: Path
    name: str
    env: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable

    def doit(
        self,
        *words: str,
        env: dict[str, str] | None = None,
        before: tuple[str, ...] = (),
        stdout: int = subprocess.PIPE,
    ) -> Result:
        argv = [*before, self.python, "-m", "doit", *words]
        environment = {**os.environ, **self.env, **(env or {})}
        # Pipes, and nothing to read from, as in a script.
        done = subprocess.run(
            argv,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=300,
        )
        return Result(done.returncode, done.stdout or "", done.stderr)

    def write(self, path: str, text: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        before = (self.folder / path).read_text(encoding="utf-8")
        assert old in before
        self.write(path, before.replace(old, new))

    def images(self, *, releases: bool = False) -> dict[str, str]:
        """Tag -> id of this project's images; with the tags of releases, or without."""
        listing = docker("image", "ls", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}", *self.mine())
        found = dict(line.split(" ") for line in listing.splitlines())
        return {tag: image for tag, image in found.items() if releases or ":release-" not in tag}

    def containers(self) -> dict[str, str]:
        """Name -> id of this project's containers, stopped ones too."""
        listing = docker("ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.ID}}", *self.mine())
        return dict(line.split(" ") for line in listing.splitlines())

    def port(self) -> int:
        """The port on this machine that the container is published on."""
        return int(docker("port", self.name, str(PORT)).splitlines()[0].rsplit(":", 1)[1])

    def serves(self) -> str:
        """What a user gets from the container that runs."""
        connection = HTTPConnection("127.0.0.1", self.port(), timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def mine(self) -> tuple[str, str]:
        return "--filter", f"label=io.layerdoit.project={self.name}"


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout


def make_crate(folder: Path, name: str) -> Crate:
    """A server without dependencies, so that a build takes two seconds."""
    crate = Crate(folder, name)
    crate.write("Cargo.toml", MANIFEST)
    crate.write("Cargo.lock", LOCK)
    crate.write("src/main.rs", MAIN)
    crate.write("layerdoit.yaml", CONFIG.format(name=name, port=PORT))
    crate.write("dodo.py", DODO)
    return crate


def same_project(copy: Path, original: Path) -> None:
    """Have a copy of a project in another folder be the same project, as a clone would be."""
    noted = json.loads((original / ".layerdoit/identity.json").read_text())
    state = copy / ".layerdoit"
    state.mkdir()
    (state / ".gitignore").write_text("*\n")
    (state / "identity.json").write_text(json.dumps({**noted, "path": str(copy)}))


def remove_containers(crate: Crate) -> None:
    def removed() -> bool:
        # One may be on its way out by itself: then the engine refuses to remove it, too.
        for name in crate.containers():
            subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False)
        return not crate.containers()

    until(removed, 60, "the removal of the containers")
    for network in docker("network", "ls", "--quiet", *crate.mine()).split():
        docker("network", "rm", network)


def without_reader(crate: Crate, *words: str) -> tuple[int, str]:
    """Exit code and standard error of a command whose output goes into a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        # As users have it: what is not flushed is written at exit.
        ended = crate.doit(*words, env={"PYTHONUNBUFFERED": ""}, stdout=writer)
    finally:
        os.close(writer)
    return ended.code, ended.err


def message(result: Result) -> tuple[str, str]:
    """What happened and the next step, of a command that failed with exactly one message."""
    assert result.code != 0, result.text
    assert "Traceback" not in result.text
    # doit's own words for a failed action would only bury ours.
    assert not re.search(r"TaskFailed|TaskError|PythonAction|Python Task", result.text), result.text
    found = re.findall(r"^(?:layerdoit: error|ERROR): (.*?)\nnext: (.*)", result.err, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, result.err
    assert len(re.findall(r"^(?:layerdoit: error|ERROR):", result.err, re.MULTILINE)) == 1, result.err
    what, step = found[0]
    assert step.count("\n") == 1, "the next step is the last line"
    return what, step.strip()
