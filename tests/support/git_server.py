"""A git server over http that may ask for a login: git's own CGI program behind a small server.

What lies in its folder `files` is given to everybody.
"""

from __future__ import annotations

import base64
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.files import write
from tests.support.git import git
from tests.support.server import Handler, TcpServer, running


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
        write(root, files)
        git(root, "init", "--quiet", "--initial-branch", "main")
        git(root, "add", ".")
        for path, commit in (modules or {}).items():
            git(root, "update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
        git(root, "commit", "--quiet", "--message", "one")
        return git(root, "rev-parse", "HEAD")


@contextmanager
def serving(address: str, login: str = "") -> Iterator[GitServer]:
    """A server on an address of this machine; raises OSError where that is none. Without a login, all may read."""
    programs = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    wanted = "Basic " + base64.b64encode(login.encode()).decode()

    class Backend(Handler):
        def get(self) -> None:
            if self.path.startswith("/files/"):
                self.answer(200, (Path(folder) / self.path.lstrip("/")).read_bytes())
                return
            logged_in = self.headers.get("Authorization") == wanted
            served.asked.append(logged_in)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if login and not logged_in:
                self.answer(401, headers={"WWW-Authenticate": 'Basic realm="git"'})
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
            self.answer(int(headers.pop("Status", "200").split()[0]), content, headers)

        post = get

    server = TcpServer((address, 0), Backend)
    with tempfile.TemporaryDirectory(prefix="layerdoit-git-") as folder, running(server):
        served = GitServer(f"{address}:{server.server_port}", Path(folder), login)
        yield served
