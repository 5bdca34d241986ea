"""A checkout of a workspace for tests with an engine: its tree, its builds, and what its images say."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from layerdoit.core import process
from layerdoit.engine import api, images, mounts
from layerdoit.engine.buildx_program import buildx
from layerdoit.flows.ensure import ensure
from layerdoit.flows.session import Ask, Session
from layerdoit.layers.outcome import Outcome
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from tests.support.files import write
from tests.support.git import git
from tests.support.printing_workspace import LIB_BUILD, MAIN, TINY, WITH_EXTRA, WITHOUT_EXTRA
from tests.support.waiting import until


class Checkout:
    """A workspace in a folder of its own, with a project name that nobody else has."""

    tiny: Mapping[str, str] = TINY
    main = MAIN
    lib_build = LIB_BUILD
    extra = (WITHOUT_EXTRA, WITH_EXTRA)
    until = staticmethod(until)

    def __init__(self, root: Path, name: str, engine: Any) -> None:
        self.root = root
        self.name = name
        self._engine = engine
        self._sessions: list[Session] = []
        self._children: list[subprocess.Popen[str]] = []

    # --- the tree ----------------------------------------------------------------------------------------------------

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files; folders are made."""
        write(self.root, files)

    def read(self, path: str) -> str:
        """A file's text; "none" where there is none, as the workspace's own readers say."""
        try:
            return (self.root / path).read_text()
        except FileNotFoundError:
            return "none"

    def replace(self, path: str, old: str, new: str) -> None:
        """Exchange a text that must be there."""
        text = self.read(path)
        assert old in text, f"{path} does not hold {old!r}"
        (self.root / path).write_text(text.replace(old, new))

    def configure(self, more: str = "") -> None:
        """layerdoit.yaml: the project's name and more."""
        self.write({"layerdoit.yaml": f"project: {self.name}\n{more}"})

    def git(self, *words: str) -> str:
        """git in this checkout."""
        return git(self.root, *words)

    def promised(self) -> str:
        """What the tiny workspace's program must print, by its sources as they stand."""

        def literal(path: str, name: str) -> str:
            found = re.search(rf'const {name}: &str = "(\w+)";', self.read(path))
            return found[1] if found else "?"

        main = "app/src/main.rs"
        extra = literal("app/src/extra.rs", "EXTRA") if "mod extra;" in self.read(main) else "none"
        script = re.search(r"SCRIPT=(\w+)", self.read("lib/build.rs"))
        folder = self.root / "lib/src/parts"
        values = {
            "main": literal(main, "MAIN"),
            "extra": extra,
            "lib": literal("lib/src/lib.rs", "LIB") + literal("lib/src/deep.rs", "DEEP"),
            "script": script[1] if script else "none",
            "text": self.read("app/data/text.txt"),
            "macro": self.read("lib/data/macro.txt"),
            "parts": ",".join(sorted(os.listdir(folder))) if folder.is_dir() else "",
            "made": self.read("app/data/made.txt"),
            "version": self.read("VERSION"),
        }
        return "".join(f"{name}={value}\n" for name, value in values.items())

    # --- building ----------------------------------------------------------------------------------------------------

    def session(self, ask: Ask | None = None, variables: Mapping[str, str] = {}) -> Session:
        """The project as a new run would open it; its connection to the engine is closed in the end."""
        self._sessions.append(Session(Run(), Project.open(self.root, variables), ask))
        return self._sessions[-1]

    def build(self, **variables: str) -> dict[str, Outcome]:
        """All layers, in this process; what became of each."""
        session = self.session(variables=variables)
        try:
            return {
                outcome.step.spec.layer: outcome
                for layer in ("base", "deps", "app")
                for outcome in ensure(session, layer)
            }
        finally:
            self.forget_sessions()

    def environment(self) -> dict[str, str]:
        """For children: nothing of the test run's own doit or pytest."""
        return {name: value for name, value in os.environ.items() if not name.startswith(("DOIT_", "PYTEST_"))}

    def start(self, *words: str, root: Path | None = None, **how: Any) -> subprocess.Popen[str]:
        """`doit …`, as a user types it, in the background. One that a test leaves behind is ended with the checkout."""
        child = subprocess.Popen(
            [sys.executable, "-m", "doit", *words],
            cwd=root or self.root,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **how,
        )
        self._children.append(child)
        return child

    def end(self) -> None:
        """End what a test that failed has left running: it would hold containers, ports and mounts of others."""
        while self._children:
            child = self._children.pop()
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
                child.send_signal(signal.SIGCONT)
                try:
                    child.wait(30)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()

    def doit(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`doit …`, to its end. What goes on for five minutes is ended, as it would hold mounts, and fails the test."""
        child = self.start(*words)
        try:
            out, err = child.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=60)
            pytest.fail(f"`doit {' '.join(words)}` did not end:\n{out}{err}")
        return subprocess.CompletedProcess(words, child.returncode, out, err)

    # --- images ------------------------------------------------------------------------------------------------------

    def image(self, tag: str = "latest") -> Any:
        """The engine's description of one of the project's images; None when it is not there."""
        with engine_images() as found:
            return found.inspect(tag if ":" in tag else f"{self.name}:{tag}")

    def tags(self) -> set[str]:
        """All tags of the project's images, but those of releases."""
        with engine_images() as found:
            named = {tag for image in found.of_project(self.name) for tag in image.tags}
        return {tag for tag in named if ":release-" not in tag}

    def said(self, tag: str, binary: str = "app") -> str:
        """What a binary of an image prints. It is taken out and run here; where it cannot, in a container.

        It cannot where another thread starts a process just then: that one still has the new file open for writing.
        """
        container = self._engine.api.create_container(tag, command=["x"])["Id"]
        try:
            stream, _ = self._engine.api.get_archive(container, f"/usr/local/bin/{binary}")
            archive = io.BytesIO(b"".join(stream))
        finally:
            self._engine.api.remove_container(container)
        with tempfile.TemporaryDirectory(prefix="layerdoit-bin-") as folder:
            with tarfile.open(fileobj=archive) as opened:
                opened.extractall(folder, filter="data")
            with contextlib.suppress(OSError):
                done = subprocess.run([f"{folder}/{binary}"], capture_output=True, text=True, check=False)
                if done.returncode == 0:
                    return done.stdout
        return self.run(f"--entrypoint=/usr/local/bin/{binary}", tag)

    def run(self, tag: str, *words: str) -> str:
        """What the image prints when it runs, without network."""
        command = ["docker", "run", "--rm", "--network", "none", tag, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def logs(self, layer: str) -> list[Path]:
        """The log files of a layer, oldest first."""
        found = []
        for path in (self.root / ".layerdoit/logs").glob(f"*-{layer}.log"):
            with contextlib.suppress(FileNotFoundError):  # a build that begins removes the oldest
                found.append((path.stat().st_mtime_ns, path))
        return [path for _, path in sorted(found)]

    def forget_sessions(self) -> None:
        """Close the connections to the engine that runs in this process would keep to their end."""
        while self._sessions:
            engine = self._sessions.pop().engine
            if "images" in engine.__dict__:
                hang_up(engine.images)

    def remove(self) -> None:
        """Take away every image and cache mount of this project."""
        self.remove_images()
        remove_mounts([self.name])

    def remove_images(self) -> None:
        """Take away every image of this project; `remove_mounts` does the rest, for many projects at once."""
        self.end()
        self.forget_sessions()
        with engine_images() as found:
            references = [name for image in found.of_project(self.name) for name in image.tags or (image.id,)]
        if references:
            subprocess.run(["docker", "image", "rm", "--force", *references], capture_output=True, check=False)


def remove_mounts(projects: Collection[str]) -> None:
    """Take away every cache mount of these projects.

    All at once: for each listing, and for each removal, BuildKit looks at every record that it has.
    """
    builder = api.builder_name()
    # A coarse sieve, as that of `mounts.question`: `parse` looks closely.
    alike = "|".join(re.sub(r"[^a-z0-9_-]", ".", name) for name in projects)
    asked = [*buildx(), "du", "--verbose", "--filter", f'id=|.|,description~="layerdoit/({alike})/"']

    def removed() -> bool:
        listing = process.capture([*asked, "--builder", builder]).stdout
        found = [one.record for name in projects for one in mounts.parse(listing, name, time.time())]
        ids = f'id="^({"|".join(found)})$"'
        pruning = [*buildx(), "prune", "--force", "--filter", ids, "--builder", builder]
        gone = process.capture(pruning).stdout if found else ""
        # One that another process has measured just now is in use, or listed as something else.
        return listing.count("cached mount ") == sum(record in gone for record in found)

    if projects:
        until(removed, 60, "the mounts' removal")


def hang_up(used: images.Images) -> None:
    """Close the connection that a run keeps to its end."""
    connection = getattr(used._api, "_connection", None)
    if connection is not None:
        connection.close()


@contextlib.contextmanager
def engine_images() -> Iterator[images.Images]:
    """The engine's images."""
    found = images.Images(api.connect())
    try:
        yield found
    finally:
        hang_up(found)
