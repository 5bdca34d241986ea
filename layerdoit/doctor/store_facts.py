"""What the store that compilers share says to this machine."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import urlsplit

from layerdoit.build import compiler_store
from layerdoit.core import masking, process

if TYPE_CHECKING:
    from layerdoit.config import Config

Answer = Literal["ok", "refused", "away"]
# Seconds that a store has to answer.
PATIENCE: Final = 2.0
_REDIS_PORT: Final = 6379


class Store(NamedTuple):
    """`words`: the store's, or the system's, where it is no help; `lacks`: the kind that `program` cannot use."""

    address: str
    answer: Answer
    words: str = ""
    loopback: bool = False
    program: str | None = None
    lacks: str | None = None


def ask(config: Config, root: Path, bundle: str | None) -> Store | None:
    """Ask the store that is configured; None where none is."""
    sccache = config.deps.sccache
    if sccache.kind is None:
        return None
    given = compiler_store.credentials(config, root)
    if sccache.redis is not None:
        address = sccache.redis
        answer, words = redis(address, given, bundle)
    elif sccache.webdav is not None:
        address = sccache.webdav
        answer, words = webdav(address, given, bundle)
    else:
        region = f".{sccache.s3.region}" if sccache.s3.region else ""
        host = sccache.s3.endpoint or f"https://s3{region}.amazonaws.com"
        address = f"{host.rstrip('/')}/{sccache.s3.bucket}"
        answer, words = bucket(address, bundle)
    program = compiler_store.program(config, root)
    lacks = None if program is None else _lacking(program, compiler_store.FEATURES[sccache.kind])
    return Store(address, answer, words, _is_loopback(address), str(program) if program else None, lacks)


def redis(address: str, given: Mapping[str, str], bundle: str | None) -> tuple[Answer, str]:
    """Log in and greet: two commands of its protocol, which needs no client."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    login = [given[name] for name in ("SCCACHE_REDIS_USERNAME", "SCCACHE_REDIS_PASSWORD") if given.get(name)]
    try:
        with contextlib.ExitStack() as opened:
            plain = opened.enter_context(socket.create_connection((host, parts.port or _REDIS_PORT), PATIENCE))
            wrap = ssl.create_default_context(cafile=bundle).wrap_socket if parts.scheme == "rediss" else None
            asked = opened.enter_context(wrap(plain, server_hostname=host)) if wrap else plain
            for words in ([["AUTH", *login]] if login else []) + [["PING"]]:
                sent = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
                asked.sendall(f"*{len(words)}\r\n{sent}".encode())
                said = asked.recv(1024).decode(errors="replace").strip()
                if said.startswith("-"):
                    return "refused", masking.redact(said[1:])
                if not said.startswith("+"):
                    return "away", "what answers is no Redis server"
    except OSError as error:
        return "away", _why(error)
    return "ok", ""


def webdav(address: str, given: Mapping[str, str], bundle: str | None) -> tuple[Answer, str]:
    """Ask for the folder's properties, as its clients do first."""
    headers, login = {"Depth": "0"}, None
    if token := given.get("SCCACHE_WEBDAV_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    elif user := given.get("SCCACHE_WEBDAV_USERNAME"):
        login = (user, given.get("SCCACHE_WEBDAV_PASSWORD", ""))
    return _http("PROPFIND", address, bundle, headers, login)


def bucket(address: str, bundle: str | None) -> tuple[Answer, str]:
    """Whether a bucket is there; without a login the answer may be that it is not for everybody."""
    answer, words = _http("HEAD", address, bundle, {}, None)
    return ("ok", "") if answer == "refused" else (answer, words)


def _http(
    method: str, address: str, bundle: str | None, headers: Mapping[str, str], login: tuple[str, str] | None
) -> tuple[Answer, str]:
    import requests

    try:
        said = requests.request(
            method, address, headers=dict(headers), auth=login, verify=bundle or True, timeout=PATIENCE,
            allow_redirects=False,
        )  # fmt: skip
    except requests.RequestException as error:
        return "away", _why(error)
    if said.status_code in (401, 403):
        return "refused", f"HTTP status {said.status_code}"
    # A folder of WebDAV is made by the first who writes to it.
    if said.status_code >= 500 or (said.status_code == 404 and method == "HEAD"):
        return "away", f"HTTP status {said.status_code}"
    return "ok", ""


def _why(error: OSError) -> str:
    """The system's words; those of libraries are long."""
    inner = getattr(error, "strerror", None)
    if inner:
        return str(inner)
    found = re.search(r"\] ([^'\"]+)['\"]?\)+$|(timed out)", str(error))
    return next(filter(None, found.groups())) if found else type(error).__name__


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _lacking(program: Path, feature: str) -> str | None:
    """The feature, where the program says that it has it not."""
    said = process.capture_quick([str(program), "--help"]).decode(errors="replace")
    return feature if re.search(rf"(?im)^\s*{feature}:\s*false", said) else None
