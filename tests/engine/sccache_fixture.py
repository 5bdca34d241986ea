"""A Redis server with a password, at the address by which builds reach this machine; sccache that can use it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port
from tests.support.server import gateway
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "planted-redis-c41e"


@dataclass
class Store:
    """`program`: sccache; `address`: of the server, without its password."""

    program: str
    server: str
    host: str
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"redis://{self.host}:{self.port}"

    def configuration(self, address: str = "") -> str:
        """The section of layerdoit.yaml."""
        store = f"{{redis: '{address or self.address}', program: {self.program}}}"
        return f"deps: {{delta: false, donors: false, sccache: {store}}}\n"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [self.server, "--bind", self.host, "--port", str(self.port), "--requirepass", PASSWORD, "--save", "",
             "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until(self.answers, 10, "Redis to listen")

    def answers(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
            self.process = None

    def ask(self, *words: str) -> bytes:
        """Send a command; the first of what is answered."""
        with socket.create_connection((self.host, self.port), 5) as connection:
            for command in (("AUTH", PASSWORD), words):
                connection.sendall((" ".join(command) + "\r\n").encode())
                said = connection.recv(65536)
        return said

    def entries(self) -> int:
        return int(self.ask("DBSIZE").strip(b":\r\n"))


@pytest.fixture
def store(docker_engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A server that runs, and whose password is in the environment."""
    found = subprocess.run([ROOT / "scripts/ensure-sccache"], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip(found.stderr.strip())
    program, server = found.stdout.split()
    # What this machine has of its own.
    for name in [name for name in os.environ if name.startswith(("SCCACHE_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SCCACHE_REDIS_PASSWORD", PASSWORD)
    made = Store(program, server, gateway(docker_engine), tmp_path)
    made.start()
    try:
        yield made
    finally:
        made.stop()
