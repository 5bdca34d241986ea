"""A BuildKit daemon that is not the engine's, with a root of its own, and buildx builders that lead to it."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
IMAGE = """\
FROM {os}
COPY buildkitd buildctl runc /usr/bin/
COPY lib/ /usr/lib/
ENTRYPOINT ["buildkitd", "--oci-worker-net", "host"]
"""
NODE = ["--oci-worker=true", "--containerd-worker=false", "--oci-worker-net", "host"]


@dataclass(frozen=True)
class Daemon:
    """One that runs. `address`: for buildx; `certificates`: the folder of a client's, where it asks for one."""

    address: str
    process: subprocess.Popen[bytes]
    certificates: Path | None = None

    def builder(self, name: str) -> str:
        """A new builder of the driver `remote`."""
        words = ["--driver", "remote"]
        if self.certificates is not None:
            files = {"cacert": "ca.pem", "cert": "client.pem", "key": "client.key"}
            options = ",".join(f"{option}={self.certificates / file}" for option, file in files.items())
            words += ["--driver-opt", f"{options},servername=localhost"]
        buildx("create", "--name", name, *words, self.address)
        return name


@functools.cache
def programs() -> Path:
    """The folder of buildkitd and buildctl; the test is skipped where none can be had."""
    found = subprocess.run([ROOT / "scripts/ensure-buildkitd"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip() or "no buildkitd to test with")
    if os.getuid() != 0 or shutil.which("runc") is None:
        pytest.skip("buildkitd needs root and runc")
    return Path(found.stdout.strip())


def buildx(*words: str) -> str:
    """`docker buildx …`, which must succeed."""
    done = subprocess.run(["docker", "buildx", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def running(*, tls: bool = False) -> Iterator[Daemon]:
    """A daemon on a unix socket; with `tls`, on TCP, and only for clients with a certificate."""
    found = programs()
    with tempfile.TemporaryDirectory(prefix="layerdoit-buildkitd-") as folder:
        home = Path(folder)
        address, more = f"unix://{home}/socket", list[str]()
        if tls:
            address = f"tcp://127.0.0.1:{free_port()}"
            _certificates(home)
            more = ["--tlscacert", f"{home}/ca.pem", "--tlscert", f"{home}/server.pem"]
            more += ["--tlskey", f"{home}/server.key"]
        with open(home / "log", "wb") as log:
            child = subprocess.Popen(
                [found / "buildkitd", "--addr", address, "--root", f"{home}/root", *NODE, *more],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        def answers() -> bool:
            assert child.poll() is None, (home / "log").read_text()
            return "running server" in (home / "log").read_text()

        try:
            until(answers, what="buildkitd")
            yield Daemon(address, child, home if tls else None)
        finally:
            child.terminate()
            child.wait()
            # What a build left mounted.
            for line in Path("/proc/self/mountinfo").read_text().splitlines():
                if (place := line.split()[4]).startswith(f"{home}/"):
                    subprocess.run(["umount", "--lazy", place], check=False)


@contextlib.contextmanager
def own_builders() -> Iterator[None]:
    """Builders, and copies of images for them, of this test run alone: nothing of it is left behind."""
    programs()
    with tempfile.TemporaryDirectory(prefix="layerdoit-buildx-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUILDX_CONFIG", f"{folder}/buildx")
        patch.setenv("XDG_CACHE_HOME", f"{folder}/cache")
        yield


@contextlib.contextmanager
def in_container(name: str, os_image: str) -> Iterator[str]:
    """A builder of the driver `docker-container`, from an image that is made here: its name.

    It is in a network of its own, in which this machine's loopback address is another.
    """
    home, image = programs(), f"{name}:image"
    with tempfile.TemporaryDirectory(prefix="layerdoit-image-") as folder:
        runc = shutil.which("runc") or ""
        for program in (home / "buildkitd", home / "buildctl", runc):
            shutil.copy(program, folder)
        Path(folder, "lib").mkdir()
        needs = subprocess.run(["ldd", runc], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"=> (/\S+)", needs):
            if "/libc.so" not in library:
                shutil.copy(library, f"{folder}/lib")
        Path(folder, "Dockerfile").write_text(IMAGE.format(os=os_image))
        buildx("build", "--builder", "default", "--quiet", "--load", "--tag", image, folder)
    buildx("create", "--name", name, "--driver", "docker-container", "--driver-opt", f"image={image}")
    try:
        yield name
    finally:
        subprocess.run(["docker", "buildx", "rm", name], capture_output=True, check=False)
        subprocess.run(["docker", "image", "rm", "--force", image], capture_output=True, check=False)


def _certificates(home: Path) -> None:
    """A CA, and certificates of server and client that it signed."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=home, check=True, capture_output=True)

    new = ["-newkey", "rsa:2048", "-nodes"]
    openssl("req", "-x509", *new, *["-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test-ca"])
    for name in ("server", "client"):
        openssl("req", *new, *f"-keyout {name}.key -out {name}.csr -subj /CN={name}".split())
        (home / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        signed = f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names"
        openssl(*signed.split(), "-out", f"{name}.pem")
