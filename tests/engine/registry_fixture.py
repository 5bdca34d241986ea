"""An image registry on the loopback address, for the time of the test run."""

from __future__ import annotations

import contextlib
import json
import shutil
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from layerdoit.engine.api import endpoint
from tests.support.ports import free_port
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http:
  addr: "{address}"
"""


@dataclass(frozen=True)
class Registry:
    """Its address, as it stands before an image's name."""

    address: str

    def push(self, image: str, name: str) -> str:
        """Have a local image in the registry under a name, and only there."""
        reference = f"{self.address}/{name}"
        docker("tag", image, reference)
        docker("push", "--quiet", reference)
        docker("image", "rm", "--no-prune", reference)
        return reference

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/v2/{repository}/tags/list", timeout=10) as answer:
                return sorted(json.load(answer).get("tags") or [])
        except urllib.error.HTTPError:
            return []


def docker(*words: str) -> str:
    """`docker …`, which must succeed."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def trusting() -> ssl.SSLContext:
    """Takes any certificate: that of the test was made a moment ago."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.fixture(scope="session")
def registry(docker_engine: Any) -> Iterator[Registry]:
    """A registry with an empty storage; skipped where none can be had."""
    if not endpoint().startswith("unix:"):
        pytest.skip("the engine does not share this machine's loopback address")
    found = subprocess.run([ROOT / "scripts/ensure-registry"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip() or "no image registry to test with")
    with served(found.stdout.strip()) as address:
        yield Registry(address)


@contextlib.contextmanager
def served(program: str, more: str = "", scheme: str = "http", place: Path | None = None) -> Iterator[str]:
    """A registry that answers, with more lines of configuration; its address. `place`: where it has its files."""
    made = tempfile.TemporaryDirectory(prefix="layerdoit-registry-") if place is None else contextlib.nullcontext(place)
    with made as folder:
        address = f"127.0.0.1:{free_port()}"
        config = Path(folder) / "config.yml"
        config.write_text(CONFIG.format(folder=f"{folder}/storage", address=address) + more)
        with open(f"{folder}/log", "wb") as log:
            server = subprocess.Popen([program, "serve", config], stdout=log, stderr=log)
        try:
            _until_it_answers(server, f"{scheme}://{address}", Path(folder) / "log")
            yield address
        finally:
            server.terminate()
            server.wait()


def _until_it_answers(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    def answers() -> bool:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{address}/v2/", timeout=5, context=trusting()) as answer:  # noqa: S310 - ours
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            return False

    until(answers, what="the registry")


@dataclass(frozen=True)
class Official:
    """Images that look like the official ones: `rust` with rustup as it is installed there, `debian`."""

    rust: str
    debian: str
    release: str
    host: str


OFFICIAL = """\
FROM {os}
COPY --from=toolchain bin/cargo bin/rustc {home}/rustup/toolchains/{name}/bin/
COPY --from=toolchain lib/*.so* {home}/rustup/toolchains/{name}/lib/
COPY --from=toolchain lib/rustlib/components lib/rustlib/manifest-* lib/rustlib/multirust-* \\
 lib/rustlib/rust-installer-version {home}/rustup/toolchains/{name}/lib/rustlib/
COPY --from=toolchain lib/rustlib/{host} {home}/rustup/toolchains/{name}/lib/rustlib/{host}
COPY --from=programs rustup {home}/cargo/bin/rustup
ENV RUSTUP_HOME={home}/rustup CARGO_HOME={home}/cargo RUST_VERSION={release}
ENV PATH={home}/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN ln -s rustup {home}/cargo/bin/cargo && ln -s rustup {home}/cargo/bin/rustc \\
 && printf 'version = "12"\\ndefault_toolchain = "{name}"\\nprofile = "minimal"\\n' >{home}/rustup/settings.toml \\
 && sed -i s,http:,https:, /etc/apt/sources.list && rustc --version && cargo --version
"""


@pytest.fixture(scope="session")
def official(docker_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Official]:
    """Images made from this machine's own rustup; their apt asks its mirrors by https, as in a company that says so.

    As the official one, `rust` compiles for its own platform only: what this machine has for others is not pushed.
    """
    from layerdoit.engine.broker import bootstrap_os

    rustup, rustc = shutil.which("rustup"), shutil.which("rustc")
    if rustup is None or rustc is None or shutil.which("mmdebstrap") is None:
        pytest.skip("needs rustup and mmdebstrap on this machine")
    told = subprocess.run([rustc, "-vV"], capture_output=True, text=True, check=True).stdout
    facts = dict(line.split(": ", 1) for line in told.splitlines() if ": " in line)
    sysroot = subprocess.run([rustc, "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
    programs = tmp_path_factory.mktemp("programs")
    shutil.copy(Path(rustup).resolve(), programs / "rustup")
    os_image = bootstrap_os("trixie")
    text = OFFICIAL.format(
        os=os_image,
        home="/usr/local",
        name=f"{facts['release']}-{facts['host']}",
        release=facts["release"],
        host=facts["host"],
    )
    (programs / "Dockerfile").write_text(text)
    name = f"lt-official-{uuid.uuid4().hex[:8]}"
    contexts = ["--build-context", f"toolchain={sysroot}", "--build-context", f"programs={programs}"]
    docker("buildx", "build", "--quiet", "--load", *contexts, "--tag", f"{name}:rust", str(programs))
    yield Official(f"{name}:rust", os_image, facts["release"], facts["host"])
    docker("image", "rm", f"{name}:rust")
