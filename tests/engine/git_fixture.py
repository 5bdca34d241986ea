"""A git server over http that asks for a login: git's own CGI program behind a small server.

What lies in its folder `files` is given to everybody.
"""

from __future__ import annotations

import base64
import http.server
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class GitServer:
    """`address`: host and port; `asked`: whether each request came with the login."""

    address: str
    folder: Path
    login: str
    asked: list[bool] = field(default_factory=list)

    def commit(self, name: str, files: Mapping[str, str], modules: Mapping[str, str] | None = None) -> str:
        """A repository of one commit; its id. `modules`: folder -> commit of a submodule that `.gitmodules` names."""
        root = self.folder / name
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)

        def git(*words: str) -> str:
            who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
            done = subprocess.run(["git", *who, *words], cwd=root, capture_output=True, text=True, check=True)
            return done.stdout.strip()

        git("init", "--quiet", "--initial-branch", "main")
        git("add", ".")
        for path, commit in (modules or {}).items():
            git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
        git("commit", "--quiet", "--message", "one")
        return git("rev-parse", "HEAD")


@contextmanager
def serving(address: str, login: str) -> Iterator[GitServer]:
    """A server on an address of this machine; raises OSError where that is none."""
    programs = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    wanted = "Basic " + base64.b64encode(login.encode()).decode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/files/"):
                self._answer(200, {}, (Path(folder) / self.path.lstrip("/")).read_bytes())
                return
            logged_in = self.headers.get("Authorization") == wanted
            served.asked.append(logged_in)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not logged_in:
                self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
                return
            path, _, query = self.path.partition("?")
            environment = {
                **os.environ,
                "GIT_PROJECT_ROOT": folder,
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            command = [f"{programs}/git-http-backend"]
            said = subprocess.run(command, input=body, env=environment, capture_output=True, check=True).stdout
            head, _, content = said.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self._answer(int(headers.pop("Status", "200").split()[0]), headers, content)

        def do_POST(self) -> None:
            self.do_GET()

        def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((address, 0), Handler)
    with tempfile.TemporaryDirectory(prefix="layerdoit-git-") as folder:
        served = GitServer(f"{address}:{server.server_port}", Path(folder), login)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
