"""`doit watch --json` of a checkout, in the background; what it says, as it says it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.checkout import Checkout
from tests.support.scratch import docker

PATIENCE = 120.0


class Watching:
    """One watch. Its events are taken in their order: what `until` skips is gone."""

    def __init__(self, one: Checkout, *words: str) -> None:
        self.checkout = one
        self.seen: list[dict[str, Any]] = []
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "doit", "watch", *words, "--json"],
            cwd=one.root,
            env=one.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.errors: list[str] = []
        self._readers = [threading.Thread(target=one, daemon=True) for one in (self._read, self._hear)]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._events.put(json.loads(line))
        self._events.put(None)

    def _hear(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(self.process.stderr)

    def until(self, kind: str, **facts: Any) -> dict[str, Any]:
        """The next event of a kind with these facts."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                event = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                event = None
            if event is None:
                raise AssertionError(f"no {kind} {facts}: {self.seen[-12:]} {''.join(self.errors[-30:])}")
            self.seen.append(event)
            if event["event"] == kind and all(event.get(name) == value for name, value in facts.items()):
                return event

    def kinds(self) -> list[str]:
        """What has been seen so far."""
        return [event["event"] for event in self.seen]

    def end(self, signum: int = signal.SIGINT) -> int:
        """Send a signal, to the process alone as a terminal would to its group; its exit code."""
        os.kill(self.process.pid, signum)
        return self.process.wait(PATIENCE)

    def forget(self) -> None:
        """Whatever it does, it is over."""
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def watching() -> Iterator[Callable[..., Watching]]:
    """`watching(checkout, words)`: a watch; it is over in the end, and nothing of it is left."""
    made: list[Watching] = []

    def new(one: Checkout, *words: str) -> Watching:
        made.append(Watching(one, *words))
        return made[-1]

    yield new
    for one in made:
        one.forget()
        for volume in volumes(one.checkout):
            for left in docker("ps", "--all", "--quiet", "--filter", f"volume={volume}").split():
                # A workshop goes by itself.
                subprocess.run(["docker", "rm", "--force", left], capture_output=True, check=False)
            subprocess.run(["docker", "volume", "rm", "--force", volume], capture_output=True, check=False)


def volumes(one: Checkout) -> list[str]:
    """The volumes of the project's watches."""
    labels = ("--filter", "label=io.layerdoit.live", "--filter", f"label=io.layerdoit.project={one.name}")
    return docker("volume", "ls", "--quiet", *labels).split()


def containers(one: Checkout) -> dict[str, str]:
    """Name -> id of the project's containers, running or not."""
    listed = docker(
        "ps",
        "--all",
        "--no-trunc",
        "--format",
        "{{.Names}} {{.ID}}",
        "--filter",
        f"label=io.layerdoit.project={one.name}",
    )
    return dict(line.split() for line in listed.splitlines())
