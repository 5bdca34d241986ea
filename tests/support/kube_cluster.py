"""A real Kubernetes API server on the loopback address, with etcd, controller-manager, and a node that is played.

One for all workers of a test run: each holds a shared lock on a file of it, and the cluster ends when nobody does. The
kernel lets the locks of a killed worker go, and the servers end with the process that started them.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import http
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from tests.support.kube_node import Api, Node
from tests.support.ports import unheard
from tests.support.waiting import until

ROOT: Final = Path(__file__).resolve().parents[2]
TOKEN: Final = "tested"
CONTROLLERS: Final = (
    *("deployment-controller", "replicaset-controller", "statefulset-controller", "daemonset-controller"),
    *("garbage-collector-controller", "namespace-controller", "resourcequota-controller"),
)
_DEATH: Final = 1  # PR_SET_PDEATHSIG


@dataclass(frozen=True)
class Cluster:
    """A running one. `programs`: the folder of kubectl."""

    folder: Path
    programs: Path
    server: str
    api: Api

    @property
    def kubeconfig(self) -> Path:
        """Contexts: `lab`, an administrator; `expired`, whose token nobody knows; `reader`, who may do nothing;
        `away`, whose server does not answer."""
        return self.folder / "kubeconfig"

    def kubectl(self, *words: str, fed: str | None = None, fine: bool = True) -> str:
        """As a user without layerdoit."""
        argv = [str(self.programs / "kubectl"), f"--kubeconfig={self.kubeconfig}", "--context=lab", *words]
        done = subprocess.run(argv, input=fed, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not fine, done.stderr
        return done.stdout

    def objects(self, namespace: str, kinds: str) -> list[Any]:
        """The objects of these kinds."""
        return list(json.loads(self.kubectl("--namespace", namespace, "get", kinds, "--output=json"))["items"])


def ensure() -> tuple[Path | None, str]:
    """The folder of the programs, or why there is none."""
    found = subprocess.run([ROOT / "scripts/ensure-kubernetes"], capture_output=True, text=True, check=False)
    if found.returncode:
        return None, (found.stderr.strip().splitlines() or ["kubernetes: cannot be had"])[-1]
    return Path(found.stdout.strip()), ""


@contextlib.contextmanager
def using(folder: Path, programs: Path) -> Iterator[Cluster]:
    """The cluster of this test run; started by whoever comes first."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "users", "a", encoding="utf-8") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        with open(folder / "start", "a", encoding="utf-8") as start:
            fcntl.flock(start, fcntl.LOCK_EX)
            if not (folder / "ready").exists():
                _start(folder, programs)
        server = (folder / "ready").read_text()
        yield Cluster(folder, programs, server, Api(server, TOKEN))


def _start(folder: Path, programs: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with open(folder / "log", "wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.support.kube_cluster", str(folder), str(programs)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def ready() -> bool:
        assert keeper.poll() is None, (folder / "log").read_text()[-3000:]
        return (folder / "ready").exists()

    until(ready, 120, "the Kubernetes API server")
    # It goes on without us; it is no child that lacks a wait.
    keeper.returncode = 0


# --- the process that has the servers --------------------------------------------------------------------------------


def _ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DEATH, signal.SIGKILL)


def _run(log: IO[bytes], *argv: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(one) for one in argv],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 - no threads yet
    )


def kubeconfig(server: str, away: str) -> Mapping[str, Any]:
    """Four ways to the server; no context is the current one."""
    users = {"lab": TOKEN, "expired": "unknown", "reader": "reads", "away": TOKEN}
    clusters = {"lab": server, "away": away}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": address, "insecure-skip-tls-verify": True}}
            for name, address in clusters.items()
        ],
        "users": [{"name": name, "user": {"token": token}} for name, token in users.items()],
        "contexts": [
            {"name": name, "context": {"cluster": "away" if name == "away" else "lab", "user": name}} for name in users
        ],
    }


def _etcd_and_server(folder: Path, programs: Path, log: IO[bytes], ports: list[int]) -> list[subprocess.Popen[bytes]]:
    etcd = f"http://127.0.0.1:{ports[0]}"
    files = {name: folder / name for name in ("sa.key", "sa.pub", "node.key", "node.crt", "tokens")}
    subject = ("-nodes", "-subj", "/CN=node-1", "-days", "2", "-keyout", files["node.key"], "-out", files["node.crt"])
    for words in (
        ("genrsa", "-out", files["sa.key"], "2048"),
        ("rsa", "-in", files["sa.key"], "-pubout", "-out", files["sa.pub"]),
        ("req", "-x509", "-newkey", "rsa:2048", *subject),
    ):
        subprocess.run(["openssl", *map(str, words)], check=True, stdout=log, stderr=log)
    files["tokens"].write_text(f'{TOKEN},admin,1,"system:masters"\nreads,reader,2\n')
    urls = (f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}")
    peers = f"--listen-peer-urls=http://127.0.0.1:{ports[1]}"
    # Nothing of it outlives the run: it need not reach the disk.
    kept = (f"--data-dir={folder}/etcd", "--unsafe-no-fsync", "--log-level=error")
    return [
        _run(log, programs / "etcd", *kept, *urls, peers),
        _run(
            log,
            programs / "kube-apiserver",
            f"--etcd-servers={etcd}",
            f"--service-account-key-file={files['sa.pub']}",
            f"--service-account-signing-key-file={files['sa.key']}",
            "--service-account-issuer=https://lab",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--secure-port={ports[2]}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={folder}/certs",
            f"--token-auth-file={files['tokens']}",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
            "--v=0",
        ),
    ]


def keep(folder: Path, programs: Path) -> None:
    """Start everything, and end it when the last worker has gone."""
    ports = _ports(3)
    server = f"https://127.0.0.1:{ports[2]}"
    with unheard() as port, open(folder / "servers.log", "wb") as log:
        away = f"https://127.0.0.1:{port}"
        (folder / "kubeconfig").write_text(json.dumps(kubeconfig(server, away)))
        (folder / "admin").write_text(json.dumps({**kubeconfig(server, away), "current-context": "lab"}))
        children = _etcd_and_server(folder, programs, log, ports)
        api = Api(server, TOKEN)
        try:
            until(lambda: _answers(api, children), 110, "the Kubernetes API server")
            controllers = (
                f"--kubeconfig={folder}/admin",
                "--leader-elect=false",
                f"--controllers={','.join(CONTROLLERS)}",
            )
            key = f"--service-account-private-key-file={folder}/sa.key"
            children.append(_run(log, programs / "kube-controller-manager", *controllers, key, "--secure-port=0"))
            Node(api, folder).serve()
            part = folder / "ready.part"
            part.write_text(server)
            part.rename(folder / "ready")
            _until_unused(folder, children)
        finally:
            (folder / "ready").unlink(missing_ok=True)
            for child in reversed(children):
                child.kill()
                child.wait()


def _all_run(children: list[subprocess.Popen[bytes]]) -> None:
    assert all(child.poll() is None for child in children), "a server has ended"


def _answers(api: Api, children: list[subprocess.Popen[bytes]]) -> bool:
    _all_run(children)
    # kube-controller-manager gives up where the server is not healthy soon after its own start.
    with contextlib.suppress(OSError, urllib.error.URLError), api.open("GET", "/healthz") as answer:
        return bool(answer.status == http.HTTPStatus.OK and api.send("GET", "/api/v1/namespaces/default"))
    return False


def _until_unused(folder: Path, children: list[subprocess.Popen[bytes]]) -> None:
    with open(folder / "users", "a", encoding="utf-8") as users, open(folder / "start", "a", encoding="utf-8") as start:
        while True:
            _all_run(children)
            # Who is about to use it has the second lock, or waits for it.
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.flock(start, fcntl.LOCK_EX)
                return
            time.sleep(0.3)


if __name__ == "__main__":
    keep(Path(sys.argv[1]), Path(sys.argv[2]))
