"""Secrets of the host reach a build and stay in no image, label, history, log or terminal."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from layerdoit.build.host_secrets import _SYSTEM_BUNDLES
from tests.support.checkout import Checkout
from tests.support.lockfile import entry, lockfile
from tests.support.server import Handler, TcpServer, gateway, running

# What is planted, by where; each is looked for everywhere afterwards.
PLANTED = {
    "CA bundle": "planted-ca-3f1c",
    "index password": "planted-index-8a2d",
    "token variable": "planted-token-71be",
    "credentials file": "planted-file-5c09",
    "publish token": "planted-publish-e4d7",
    "proxy password": "planted-proxy-b6a1",
    "rustflags of the host": "planted_cfg_2e95",
}
MIRROR_LOGIN = f"mirroruser:{PLANTED['index password']}"


# --- a registry of crates --------------------------------------------------------------------------------------------


def crate(name: str, source: str, more: Mapping[str, str] | None = None) -> bytes:
    """A published crate, as cargo downloads it."""
    files = {
        "Cargo.toml": f'[package]\nname = "{name}"\nversion = "1.0.0"\nedition = "2021"\n',
        "src/lib.rs": source,
        **(more or {}),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}-1.0.0/{path}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


@dataclass
class Crates:
    """Two registries: `/mirror/` asks for a login, as in an address; `/corp/` for a token."""

    address: str
    crates: dict[str, bytes]
    held: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)
    refused: list[str] = field(default_factory=list)

    def checksum(self, name: str) -> str:
        return hashlib.sha256(self.crates[name]).hexdigest()

    def answer(self, path: str, authorization: str) -> tuple[int, bytes]:
        registry, _, rest = path.lstrip("/").partition("/")
        basic = "Basic " + base64.b64encode(MIRROR_LOGIN.encode()).decode()
        if authorization != {"mirror": basic, "corp": PLANTED["token variable"]}.get(registry):
            self.refused.append(path)
            return 401, b""
        if rest == "config.json":
            login = f"{MIRROR_LOGIN}@" if registry == "mirror" else ""
            served = {"dl": f"http://{login}{self.address}/{registry}/dl/{{crate}}"}
            return 200, json.dumps({**served, **({"auth-required": True} if registry == "corp" else {})}).encode()
        name = rest.rpartition("/")[2]
        if name not in self.crates:
            return 404, b""
        if rest.startswith("dl/"):
            self.arrived.set()
            self.held.wait(60)
            return 200, self.crates[name]
        entry = {
            "name": name,
            "vers": "1.0.0",
            "deps": [],
            "cksum": self.checksum(name),
            "features": {},
            "yanked": False,
        }
        return 200, json.dumps(entry).encode()


@pytest.fixture
def crates(docker_engine: Any) -> Iterator[Crates]:
    """The registries, on the address by which containers reach this machine."""
    address = gateway(docker_engine)

    class Index(Handler):
        def get(self) -> None:
            status, body = registries.answer(self.path, self.headers.get("Authorization", ""))
            self.answer(status, body, {"WWW-Authenticate": "Basic"} if status == 401 else None)

    try:
        server = TcpServer((address, 0), Index)
    except OSError:
        pytest.skip("containers cannot reach a server of this machine")
    registries = Crates(
        f"{address}:{server.server_port}",
        {
            "lt-open": crate("lt-open", 'pub const OPEN: &str = "from the mirror";'),
            "lt-corp": crate("lt-corp", 'pub const CORP: &str = "from the company";'),
        },
    )
    registries.held.set()
    with running(server):
        try:
            yield registries
        finally:
            registries.held.set()


def workspace(crates: Crates) -> dict[str, str]:
    """A program that uses a crate of each registry."""
    corp = f"sparse+http://{crates.address}/corp/"
    packages = [
        ("app", "", ["lt-corp", "lt-open"]),
        ("lt-corp", corp, []),
        ("lt-open", "registry+https://github.com/rust-lang/crates.io-index", []),
    ]
    entries = [
        entry(name, "1.0.0", needs, source=source, checksum=crates.checksum(name) if source else "")
        for name, source, needs in packages
    ]
    return {
        "Cargo.toml": '[package]\nname = "app"\nversion = "1.0.0"\nedition = "2021"\n\n[dependencies]\n'
        'lt-open = "1"\nlt-corp = { version = "1", registry = "my_corp" }\n\n[profile.dev]\ndebug = 0\n',
        "Cargo.lock": lockfile(*entries),
        "src/main.rs": 'fn main() { println!("{} {} {}", lt_open::OPEN, lt_corp::CORP, cfg!(lt_host)); }\n',
        "dodo.py": "from layerdoit import task_layerdoit\n",
    }


def host(crates: Crates, folder: Path) -> dict[str, str]:
    """An environment full of secrets: a CA bundle, a cargo home, tokens, proxies."""
    bundle = folder / "bundle.pem"
    system = next((Path(path) for path in _SYSTEM_BUNDLES if Path(path).is_file()), None)
    bundle.write_text(f"# {PLANTED['CA bundle']}\n" + (system.read_text() if system else ""))
    home = folder / "cargo-home"
    home.mkdir()
    (home / "config.toml").write_text(
        f'[registries.my_corp]\nindex = "sparse+http://{crates.address}/corp/"\n'
        f'[registries.other]\nindex = "sparse+https://other:{PLANTED["index password"]}@other.example/"\n'
        f'[source.crates-io]\nreplace-with = "mirror"\n'
        f'[source.mirror]\nregistry = "sparse+http://{MIRROR_LOGIN}@{crates.address}/mirror/"\n'
        f'[build]\nrustflags = ["--cfg", "lt_host", "--cfg", "{PLANTED["rustflags of the host"]}"]\n'
    )
    (home / "credentials.toml").write_text(
        f'[registry]\ntoken = "{PLANTED["publish token"]}"\n'
        f'[registries.other]\ntoken = "{PLANTED["credentials file"]}"\n'
    )
    (folder / "tmp").mkdir()
    return {
        "SSL_CERT_FILE": str(bundle),
        "CARGO_HOME": str(home),
        # Programs of rustup stay found, whatever cargo's own folder is.
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
        "CARGO_REGISTRIES_MY_CORP_TOKEN": PLANTED["token variable"],
        "HTTPS_PROXY": f"http://proxyuser:{PLANTED['proxy password']}@{crates.address}",
        "NO_PROXY": crates.address.partition(":")[0],
        "TMPDIR": str(folder / "tmp"),
    }


_NAMED = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "GIT_SSL_CAINFO",
)


def start(checkout: Checkout, environment: Mapping[str, str], *words: str) -> subprocess.Popen[str]:
    """doit, with nothing of this machine's certificates but what is given."""
    clean = {name: value for name, value in checkout.environment().items() if name not in _NAMED}
    return subprocess.Popen(
        [sys.executable, "-m", "doit", *words],
        cwd=checkout.root, env={**clean, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def doit(checkout: Checkout, environment: Mapping[str, str], *words: str) -> tuple[int, str]:
    child = start(checkout, environment, *words)
    said, _ = child.communicate(timeout=300)
    return child.returncode, said


# --- where nothing may be --------------------------------------------------------------------------------------------


def found_in(data: bytes, where: str) -> list[str]:
    return [f"{what} in {where}" for what, value in PLANTED.items() if value.encode() in data]


def leaks_of_images(tags: list[str]) -> Iterator[str]:
    """Every file of every layer, every label and history entry."""
    for tag in tags:
        for words in (("image", "inspect"), ("history", "--no-trunc", "--format", "{{json .}}")):
            said = subprocess.run(["docker", *words, tag], capture_output=True, check=True).stdout
            yield from found_in(said, f"{words[0]} {tag}")
    saved = subprocess.Popen(["docker", "save", *tags], stdout=subprocess.PIPE)
    assert saved.stdout is not None
    with saved, tarfile.open(fileobj=saved.stdout, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is None:
                continue
            data = content.read()
            if data[:2] == b"\x1f\x8b":
                data = gzip.decompress(data)
            yield from found_in(data, f"layer {member.name}")
    assert saved.returncode == 0


def leaks_of_folder(folder: Path) -> Iterator[str]:
    # Certificates are no secret: they lie in the contexts that are sent to the engine, and nowhere else.
    certificates = {folder / f".layerdoit/context/{layer}/control/ca" for layer in ("base", "deps")}
    for path in folder.rglob("*"):
        yield from found_in(str(path).encode(), f"the name of {path}")
        if path.is_file() and path not in certificates:
            yield from found_in(path.read_bytes(), str(path))


def left_over(tmp_path: Path) -> list[Path]:
    """What is in the temporary folder, without the empty files that runs lock."""
    return [path for path in (tmp_path / "tmp").iterdir() if path.suffix != ".lock" or path.stat().st_size]


def test_nothing_planted_is_found_anywhere(checkout: Callable[..., Checkout], crates: Crates, tmp_path: Path) -> None:
    tree = checkout(workspace(crates))
    environment = host(crates, tmp_path)
    code, said = doit(tree, environment)
    assert code == 0, said
    # Every secret did its work: without it, nothing would have been downloaded.
    assert crates.arrived.is_set()
    assert tree.said(f"{tree.name}:latest") == "from the mirror from the company false\n"

    tags = sorted(tree.tags())
    assert {tag.partition(":")[2].partition("-")[0] for tag in tags} == {"base", "runtime", "deps", "app", "latest"}
    leaks = [*leaks_of_images(tags), *leaks_of_folder(tree.root), *found_in(said.encode(), "the terminal")]
    assert leaks == []
    assert left_over(tmp_path) == []


def test_the_search_finds_what_is_there(checkout: Callable[..., Checkout], tmp_path: Path) -> None:
    """The test above can fail: in a layer, in a label, in the history."""
    (tmp_path / "secret").write_text(PLANTED["token variable"])
    (tmp_path / "Dockerfile").write_text(
        f'FROM scratch\nCOPY secret /x\nLABEL l="{PLANTED["CA bundle"]}"\nENV E={PLANTED["proxy password"]}\n'
    )
    tag = f"{checkout().name}:search"
    subprocess.run(["docker", "buildx", "build", "--quiet", "--load", "--tag", tag, tmp_path], check=True)
    try:
        leaks = list(leaks_of_images([tag]))
    finally:
        subprocess.run(["docker", "image", "rm", tag], check=True, capture_output=True)
    assert any(leak.startswith("token variable in layer") for leak in leaks)
    assert f"CA bundle in image {tag}" in leaks
    assert f"proxy password in history {tag}" in leaks


CHATTY = """\
fn main() {
    for name in ["config.toml", "credentials.toml"] {
        println!("{}", std::fs::read_to_string(format!("/cargo/{name}")).unwrap());
    }
    panic!("{:?}", std::env::vars().collect::<Vec<_>>());
}
"""


def test_a_failed_build_tells_no_secret(checkout: Callable[..., Checkout], crates: Crates, tmp_path: Path) -> None:
    """A crate's build script can read what cargo can; what it prints is shown and logged when it fails."""
    crates.crates["lt-corp"] = crate("lt-corp", "", {"build.rs": CHATTY})
    tree = checkout(workspace(crates))
    code, said = doit(tree, host(crates, tmp_path))
    assert code == 1
    assert "deps did not build" in said
    assert "sparse+http://***@" in said
    assert [*leaks_of_folder(tree.root), *found_in(said.encode(), "the terminal")] == []
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_nothing_behind(
    checkout: Callable[..., Checkout], crates: Crates, tmp_path: Path, signum: signal.Signals
) -> None:
    tree = checkout(workspace(crates))
    environment = host(crates, tmp_path)
    crates.held.clear()
    child = start(tree, environment)
    tree.until(lambda: crates.arrived.is_set() or child.poll() is not None, 120, "cargo's request for a crate")
    child.send_signal(signum)
    said, _ = child.communicate(timeout=60)
    assert crates.arrived.is_set(), said
    assert child.returncode == 128 + signum, said
    assert left_over(tmp_path) == []
    assert [*leaks_of_folder(tree.root), *found_in(said.encode(), "the terminal")] == []
    assert not any(":deps-" in tag for tag in tree.tags())


# --- certificates ----------------------------------------------------------------------------------------------------

ITOA = """\
version = 4

[[package]]
name = "app"
version = "1.0.0"
dependencies = [
 "itoa",
]

[[package]]
name = "itoa"
version = "1.0.15"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "4a5f13b858c8d314ee3e8f639011f7ccefe71f97f96e50151fb991f267928e2c"
"""


@pytest.fixture
def with_itoa(checkout: Callable[..., Checkout]) -> Checkout:
    # A name of its own, lest BuildKit remember that these dependencies were once downloaded.
    name = f"app-{uuid.uuid4().hex[:8]}"
    return checkout(
        {
            "Cargo.toml": f'[package]\nname = "{name}"\nversion = "1.0.0"\nedition = "2021"\n\n'
            '[dependencies]\nitoa = "1"\n\n[[bin]]\nname = "app"\npath = "src/main.rs"\n',
            "Cargo.lock": ITOA.replace('"app"', f'"{name}"'),
            "src/main.rs": 'fn main() { println!("{}", itoa::Buffer::new().format(42)); }\n',
            "dodo.py": "from layerdoit import task_layerdoit\n",
        },
        "deps: {donors: false}\n",
    )


def test_the_host_s_certificates_are_enough(with_itoa: Checkout, tmp_path: Path) -> None:
    """Where TLS is intercepted, crates.io can be reached with the company's CA only: SSL_CERT_FILE is all there is."""
    bundle = os.environ.get("SSL_CERT_FILE") or next((path for path in _SYSTEM_BUNDLES if Path(path).is_file()), None)
    if bundle is None:
        pytest.skip("this machine names no certificates")
    # A cargo that has downloaded nothing.
    code, said = doit(with_itoa, {"SSL_CERT_FILE": bundle, "CARGO_HOME": str(tmp_path)})
    assert code == 0, said
    assert with_itoa.said(f"{with_itoa.name}:latest") == "42\n"


def test_other_certificates_are_not_enough(with_itoa: Checkout) -> None:
    """cargo in the build trusts what SSL_CERT_FILE names, not what an image happens to hold."""
    with tempfile.TemporaryDirectory(prefix="layerdoit-test-") as folder:
        key, wrong = Path(folder) / "key.pem", Path(folder) / "wrong.pem"
        made = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=nobody",
             "-keyout", key, "-out", wrong],
            capture_output=True, check=False,
        )  # fmt: skip
        if made.returncode != 0:
            pytest.skip("openssl makes no certificate here")
        code, said = doit(with_itoa, {"SSL_CERT_FILE": str(wrong), "CARGO_NET_RETRY": "0", "CARGO_HOME": folder})
    assert code == 1
    assert "SSL" in said
    assert "certificate" in said
