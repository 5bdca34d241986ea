"""A second machine: another Docker engine in a network namespace of its own, with mounts and processes of its own.

It shares nothing with the engine of this machine. It sees no network but what `reach` brings there: a port of this
machine's loopback address, such as a registry's, which then has the same name in both. Started in the namespace of
the machine, a second engine would take the first one's bridge away.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.waiting import until

_NEWNET: Final = 0x40000000
_DEATH: Final = 1  # PR_SET_PDEATHSIG
_PROGRAMS: Final = ("dockerd", "unshare", "ip", "iptables")


@dataclass(frozen=True)
class SecondEngine:
    """A running one. `socket`: where it listens; `namespace`: the file of its network namespace."""

    socket: Path
    namespace: Path
    _relays: dict[int, _Relay] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """What DOCKER_HOST is set to."""
        return f"unix://{self.socket}"

    @property
    def environment(self) -> Mapping[str, str]:
        """For children that work with this engine, as on a machine of its own."""
        return {**os.environ, "DOCKER_HOST": self.host}

    def docker(self, *words: str) -> str:
        """`docker …` there, which must succeed."""
        done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False, env=self.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def images(self, repository: str) -> set[str]:
        """The tags there of a repository."""
        return set(self.docker("image", "ls", "--format", "{{.Tag}}", repository).split())

    def reach(self, address: str) -> str:
        """Have a server of this machine's loopback address (`127.0.0.1:5000`) at the same address there."""
        port = int(address.rpartition(":")[2])
        if port not in self._relays:
            self._relays[port] = _Relay(self.namespace, port)
        return address

    def unreach(self, address: str) -> None:
        """Have nobody listen at that address there; connections that are open break off."""
        if (relay := self._relays.pop(int(address.rpartition(":")[2]), None)) is not None:
            relay.end()

    def copy(self, image: str) -> None:
        """Have an image of this machine's engine there, as if it had been pulled."""
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving:
            subprocess.run(
                ["docker", "load", "--quiet"],
                stdin=saving.stdout,
                check=True,
                capture_output=True,
                env=self.environment,
            )
        assert saving.returncode == 0


def lacks() -> str:
    """Why there can be no second engine here; '' where there can."""
    if os.geteuid() != 0:
        return "a second engine needs root"
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"a second engine needs {', '.join(missing)}"
    probe = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False)
    return "" if probe.returncode == 0 else "this machine allows no namespaces"


@contextlib.contextmanager
def started(*, containerd_store: bool = False) -> Iterator[SecondEngine]:
    """Start one, and leave nothing of it. `containerd_store`: with containerd's image store."""
    with tempfile.TemporaryDirectory(prefix="lt2-") as name:
        folder = Path(name)
        settings = {
            "features": {"containerd-snapshotter": containerd_store},
        }
        (folder / "daemon.json").write_text(json.dumps(settings))
        paths = [f"--{what}={folder / what}" for what in ("data-root", "exec-root", "pidfile")]
        words = ["dockerd", f"--config-file={folder / 'daemon.json'}", *paths, f"--host=unix://{folder / 'socket'}"]
        script = 'ip link set lo up && exec "$@"'
        # What it mounts is seen by nobody else, and all of it ends with its first process.
        apart = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                [*apart, "sh", "-c", script, "sh", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - it only asks the kernel
            )
        engine = SecondEngine(folder / "socket", Path(f"/proc/{process.pid}/ns/net"))
        try:
            until(lambda: _answers(process, engine, folder / "log"), 60, "the second engine")
            yield engine
        finally:
            for relay in list(engine._relays.values()):
                relay.end()
            _end(process)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DEATH, signal.SIGKILL)


def _answers(process: subprocess.Popen[bytes], engine: SecondEngine, log: Path) -> bool:
    assert process.poll() is None, log.read_text()[-3000:]
    if not engine.socket.exists():
        return False
    asked = subprocess.run(["docker", "version"], capture_output=True, check=False, env=engine.environment)
    return asked.returncode == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """Its first process ends in order, so that it lets go of its control groups; else all of them are killed."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    with contextlib.suppress(OSError):
        for child in children.read_text().split():
            os.kill(int(child), signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _Relay:
    """Listens at a port of the loopback address in a network namespace, and passes on to the same port here."""

    def __init__(self, namespace: Path, port: int) -> None:
        self._port = port
        self._open: set[socket.socket] = set()
        self._listening = _within(namespace, lambda: socket.create_server(("127.0.0.1", port)))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                inner, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(inner,), daemon=True).start()

    def _pass(self, inner: socket.socket) -> None:
        with inner:
            try:
                outer = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                return
            with outer:
                self._open |= {inner, outer}
                back = threading.Thread(target=_pumped, args=(outer, inner), daemon=True)
                back.start()
                _pumped(inner, outer)
                back.join()
                self._open -= {inner, outer}


def _pumped(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 18):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _within(namespace: Path, make: Callable[[], socket.socket]) -> socket.socket:
    """Make a socket in a network namespace: it stays there, while only the thread that makes it ever was."""
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def run() -> None:
        try:
            made.append(_entered(namespace, make))
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


def _entered(namespace: Path, make: Callable[[], socket.socket]) -> socket.socket:
    with open(namespace, encoding="utf-8") as opened:
        if ctypes.CDLL(None, use_errno=True).setns(opened.fileno(), _NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "the namespace cannot be entered")
    return make()
