"""A registry in a few lines, in memory: for tokens that expire, answers that never come, and refusals to order."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE = "application/vnd.oci.image.manifest.v1+json"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class SmallRegistry:
    """`faults`: by `METHOD path`, as a pattern, what is said instead: a status and a code, bytes, `hang` or `close`.

    `login`: what a request must show, if any, or who asks for a token; `uses`: how often each token is taken. `page`:
    tags at once. `referrers`: whether it has that part of the API. `before`: what to do before an answer, once.
    """

    address: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    login: str = ""
    wants_token: bool = False
    uses: int = 1000
    page: int = 1000
    referrers: bool = False
    before: dict[str, Any] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)
    _tokens: dict[str, int] = field(default_factory=dict)

    @property
    def repository(self) -> str:
        return f"{self.address}/team/shop"

    def image(self, *tags: str, labels: Mapping[str, str] | None = None, created: str = "", **more: Any) -> str:
        """Put an image in; its digest. `more`: of its manifest; `layers`: their bytes."""
        layers = more.pop("layers", [json.dumps([tags, created]).encode()])
        config = {"created": created or "2026-01-01T00:00:00Z", "config": {"Labels": dict(labels or {})}}
        config |= {"os": "linux", "architecture": more.pop("architecture", "amd64")}
        content = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": IMAGE,
                "config": self._blob("application/vnd.oci.image.config.v1+json", json.dumps(config).encode()),
                "layers": [self._blob("application/vnd.oci.image.layer.v1.tar", one) for one in layers],
                **more,
            }
        ).encode()
        return self.put(IMAGE, content, *tags)

    def index(self, *tags: str, children: list[str], **more: Any) -> str:
        """Put an index in; its digest. `children`: digests of manifests."""
        listed = [{"mediaType": IMAGE, "digest": one, "size": len(self.manifests[one][1])} for one in children]
        content = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed, **more}).encode()
        return self.put(INDEX, content, *tags)

    def put(self, media_type: str, content: bytes, *tags: str) -> str:
        digest = digest_of(content)
        self.manifests[digest] = (media_type, content)
        self.tags.update(dict.fromkeys(tags, digest))
        return digest

    def _blob(self, media_type: str, content: bytes) -> dict[str, Any]:
        self.blobs[digest_of(content)] = content
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    def token(self) -> str:
        token = f"token{len(self._tokens)}"
        self._tokens[token] = self.uses
        return token

    def takes(self, shown: str) -> bool:
        if not self.wants_token:
            return not self.login or shown == self.login
        token = shown.removeprefix("Bearer ")
        if self._tokens.get(token, 0) <= 0:
            return False
        self._tokens[token] -= 1
        return True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    registry: SmallRegistry

    def log_message(self, *_: Any) -> None:
        pass

    def answered(self) -> None:
        one, parts = self.registry, urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        line = f"{self.command} {parts.path}"
        one.asked.append(line)
        for pattern in list(one.before):
            if re.search(pattern, line):
                one.before.pop(pattern)()
        fault = next((what for pattern, what in one.faults.items() if re.search(pattern, line)), None)
        if fault == "hang":
            one.ended.wait()
        if fault in ("hang", "close"):
            self.close_connection = True
            return
        if isinstance(fault, bytes):
            self._bytes(200, fault, {"Content-Type": "text/html"})
        elif fault is not None:
            self._error(*fault)
        elif parts.path == "/token":
            if one.login and self.headers.get("Authorization", "") != one.login:
                self._error(401, "UNAUTHORIZED")
            else:
                self._said(200, {"token": one.token(), "scope": self.query.get("scope", "")})
        elif not one.takes(self.headers.get("Authorization", "")):
            scope = f'Bearer realm="http://{one.address}/token",service="small",scope="repository:team/shop:pull,push"'
            self._error(401, "UNAUTHORIZED", {"WWW-Authenticate": scope if one.wants_token else 'Basic realm="small"'})
        else:
            self._found(parts.path.removeprefix("/v2/team/shop/"))

    def _found(self, path: str) -> None:
        what, _, name = path.partition("/")
        handler = getattr(self, f"_{what}", None)
        if handler is None:
            self._said(200, {}) if path == "/v2/" else self._error(404, "NAME_UNKNOWN")
        else:
            handler(name)

    def _tags(self, _: str) -> None:
        one = self.registry
        names = sorted(name for name in one.tags if name > self.query.get("last", ""))
        shown, more = names[: one.page], names[one.page :]
        link = {"Link": f'</v2/team/shop/tags/list?last={shown[-1]}&n={one.page}>; rel="next"'} if more else {}
        self._said(200, {"name": "team/shop", "tags": shown or None}, link)

    def _manifests(self, name: str) -> None:
        one = self.registry
        digest = name if name in one.manifests else one.tags.get(name, "")
        if self.command == "PUT":
            put = one.put(self.headers["Content-Type"], self.body, *([] if name.startswith("sha256:") else [name]))
            self._said(201, {}, {"Docker-Content-Digest": put})
        elif not digest:
            self._error(404, "MANIFEST_UNKNOWN")
        elif self.command == "DELETE":
            del one.manifests[digest]
            one.tags = {tag: of for tag, of in one.tags.items() if of != digest}
            self._said(202, {})
        else:
            media_type, content = one.manifests[digest]
            self._bytes(200, content, {"Content-Type": media_type, "Docker-Content-Digest": digest})

    def _referrers(self, digest: str) -> None:
        if not self.registry.referrers:
            self._error(404, "NOT_FOUND")
            return
        found = []
        for name, (media_type, content) in self.registry.manifests.items():
            said = json.loads(content)
            if (said.get("subject") or {}).get("digest") == digest:
                listed = {"mediaType": media_type, "digest": name, "size": len(content)}
                found.append({**listed, "artifactType": said.get("artifactType", "")})
        self._said(200, {"schemaVersion": 2, "mediaType": INDEX, "manifests": found})

    def _blobs(self, name: str) -> None:
        one = self.registry
        if name.startswith("uploads/"):
            if self.command == "POST" and self.query.get("mount") in one.blobs:
                self._said(201, {})
            elif self.command == "POST":
                self._said(202, {}, {"Location": "/v2/team/shop/blobs/uploads/1?state=x"})
            else:
                one.blobs[digest_of(self.body)] = self.body
                self._said(201 if self.query.get("digest") == digest_of(self.body) else 400, {})
        elif name in one.blobs:
            self._bytes(200, one.blobs[name], {})
        else:
            self._error(404, "BLOB_UNKNOWN")

    def _error(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
        self._said(status, {"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}, headers)

    def _said(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        self._bytes(status, json.dumps(value).encode(), headers or {})

    def _bytes(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


_METHODS = {f"do_{method}": _Handler.answered for method in ("GET", "HEAD", "PUT", "POST", "DELETE")}


@contextlib.contextmanager
def serving(registry: SmallRegistry | None = None) -> Iterator[SmallRegistry]:
    """A registry that answers on the loopback address."""
    one = registry or SmallRegistry()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": one, **_METHODS}))
    server.daemon_threads = True
    one.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        one.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
