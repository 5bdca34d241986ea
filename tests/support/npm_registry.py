"""A registry of npm on an address of this machine: small packages, and a token that it asks for."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.server import Handler, TcpServer, gateway, running


def tarball(manifest: Mapping[str, Any], files: Mapping[str, str]) -> bytes:
    """A published package."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, text in {"package.json": json.dumps(manifest), **files}.items():
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size = len(text.encode())
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


class NpmRegistry:
    """Serves packages of one version each. `token`: what it wants to hear, '' for nothing; `asked`: every path."""

    def __init__(self, host: str, token: str = "") -> None:
        self.host = host
        self.token = token
        self.asked: list[str] = []
        self.port = 0
        self._packages: dict[str, tuple[Mapping[str, Any], bytes]] = {}

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}/"

    def publish(self, name: str, files: Mapping[str, str], **more: Any) -> None:
        """Offer a package of version 1.0.0."""
        manifest = {"name": name, "version": "1.0.0", **more}
        self._packages[name] = (manifest, tarball(manifest, files))

    def withdraw(self, name: str) -> None:
        """Offer it no more."""
        del self._packages[name]

    def integrity(self, name: str) -> str:
        return "sha512-" + base64.b64encode(hashlib.sha512(self._packages[name][1]).digest()).decode()

    def lock(self, manifest: Mapping[str, Any]) -> str:
        """The package-lock.json of a package that depends on some of these."""
        packages: dict[str, Any] = {"": manifest}
        for name in manifest.get("dependencies", {}):
            own = self._packages[name][0]
            scripts = {"hasInstallScript": True} if "scripts" in own else {}
            packages[f"node_modules/{name}"] = {"version": "1.0.0", "integrity": self.integrity(name), **scripts}
        return json.dumps({"name": "web", "lockfileVersion": 3, "requires": True, "packages": packages}, indent=1)

    def answer(self, handler: Handler) -> None:
        self.asked.append(handler.path)
        if self.token and handler.headers.get("Authorization") != f"Bearer {self.token}":
            handler.answer(401, b'{"error": "log in"}')
            return
        name = handler.path.strip("/").partition("/-/")[0].replace("%2f", "/")
        if name not in self._packages:
            handler.answer(404, b'{"error": "not found"}')
            return
        manifest, packed = self._packages[name]
        if "/-/" in handler.path:
            handler.answer(200, packed, {"Content-Type": "application/octet-stream"})
            return
        dist = {"tarball": f"{self.address}{name}/-/{name}-1.0.0.tgz", "integrity": self.integrity(name)}
        version = {**manifest, "dist": dist, **({"hasInstallScript": True} if "scripts" in manifest else {})}
        body = {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
        handler.answer(200, json.dumps(body).encode())


@contextlib.contextmanager
def npm_registry(docker_engine: Any, token: str = "") -> Iterator[NpmRegistry]:
    """A registry that containers reach."""
    found = NpmRegistry(gateway(docker_engine), token)

    class Answers(Handler):
        def get(self) -> None:
            found.answer(self)

    with running(TcpServer((found.host, 0), Answers)) as server:
        found.port = int(server.server_address[1])
        yield found
