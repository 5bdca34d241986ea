"""What a container shows of itself: its log, its sockets, its files, and commands that run in it."""

from __future__ import annotations

import contextlib
import os
import tarfile
import time
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import IO, Any, Final

from layerdoit.core import terminal
from layerdoit.core.errors import DeployError, EngineError
from layerdoit.engine import api_version, sdk
from layerdoit.engine.api import is_socket
from layerdoit.engine.container import Container

SDK_TIMEOUT: Final = 60
EXEC_POLL: Final = 0.01


class Inside:
    """The containers of an engine, from inside."""

    def __init__(self, host: str) -> None:
        self.host = host

    def reachable_directly(self) -> bool:
        """Whether this process can reach container addresses: an engine on this Linux machine, not rootless."""
        if os.uname().sysname != "Linux" or not is_socket(self.host):
            return False
        with sdk.asking(self.host):
            found = os.stat(self.host.removeprefix("unix://"))
        return _reaches(self.host, (found.st_ino, found.st_ctime_ns))

    def log_tail(self, container: Container, lines: int) -> list[str]:
        """The last lines of both streams."""
        with sdk.asking(self.host):
            raw = self._api.logs(container.id, stdout=True, stderr=True, tail=lines)
        return str(raw.decode("utf-8", errors="replace")).splitlines()[-lines:]

    def log_after(self, container: Container, mark: str, lines: int) -> list[str]:
        """Of the last lines of each stream, those after the last one that is `mark`; all where none is."""
        found = []
        with sdk.asking(self.host):
            for stream in ("stdout", "stderr"):
                asked = {"stdout": False, "stderr": False, stream: True}
                raw = self._api.logs(container.id, timestamps=True, tail=lines, **asked)
                stamped = [line.partition(" ") for line in raw.decode("utf-8", errors="replace").splitlines()]
                last = max((at for at, (_, _, line) in enumerate(stamped) if line.rstrip() == mark), default=-1)
                found += stamped[last + 1 :]
        return [line for _, _, line in sorted(found, key=lambda one: one[0])]

    def log_lines(
        self,
        container: Container,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        last: float | None = None,
        stamped: bool = False,
    ) -> Iterator[str]:
        """Both streams, line by line; with `follow` until the container ends.

        `since`: a time in seconds since 1970; `last`: instead, only the lines of the last so many seconds.
        `stamped`: each line after the engine's time and a blank.
        """
        since = since if last is None else time.time() - last
        asked = {"follow": follow, "tail": "all" if tail is None else tail, "timestamps": stamped, "since": since}
        with sdk.asking(self.host):
            rest = b""
            for part in self._api.logs(container.id, stdout=True, stderr=True, stream=True, **asked):
                *lines, rest = (rest + part).split(b"\n")
                yield from (line.decode("utf-8", errors="replace").rstrip("\r") for line in lines)
            if rest:
                yield rest.decode("utf-8", errors="replace")

    def sockets(self, container: Container) -> str:
        """The container's tables of TCP sockets, as Linux prints them; '' where they cannot be read."""
        from docker.errors import APIError

        tables = ("/proc/net/tcp", "/proc/net/tcp6")
        with sdk.asking(self.host), contextlib.suppress(APIError):
            made = self._api.exec_create(container.id, ["cat", *tables], stderr=False)["Id"]
            said = self._api.exec_start(made)
            if self._api.exec_inspect(made)["ExitCode"] == 0:
                return str(said.decode(errors="replace"))
        # An image of one file has no `cat`; what runs on this machine can be seen from outside, too.
        found = []
        for table in tables if container.pid and self.reachable_directly() else ():
            with contextlib.suppress(OSError):
                found.append(Path(table.replace("/proc/", f"/proc/{container.pid}/")).read_text(encoding="ascii"))
        return "".join(found)

    def lacks(self, container: Container, path: str) -> bool | None:
        """Whether a container, running or not, has no such file or folder; None where that cannot be told."""
        with sdk.asking(self.host):
            status = self._api.head(self._archive(container), params={"path": path}, timeout=SDK_TIMEOUT).status_code
        return {200: False, 404: True}.get(status)

    def contents(self, container: Container, folder: str) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
        """What is in a folder of a container, running or not, by paths that begin with the folder's own name.

        Each content must be read before the next one is asked for. Nothing where there is no such folder.
        """
        import urllib3

        asked = {"params": {"path": folder}, "headers": {"Accept-Encoding": "identity"}, "timeout": SDK_TIMEOUT}
        try:
            with sdk.asking(self.host), self._api.get(self._archive(container), stream=True, **asked) as answer:
                if answer.status_code == 404:
                    return
                answer.raise_for_status()
                with tarfile.open(fileobj=answer.raw, mode="r|") as packed:
                    for member in packed:
                        yield member, packed.extractfile(member) if member.isreg() else None
        except (urllib3.exceptions.HTTPError, tarfile.TarError) as error:
            raise EngineError(f"what the engine sent of {container.name}:{folder} is broken: {error}") from error

    def fill(self, container: Container, folder: str, packed: IO[bytes]) -> None:
        """Unpack a tar archive in a folder of a container, running or not."""
        with sdk.asking(self.host):
            self._api.put_archive(container.id, folder, packed)

    def remove_files(self, container: Container, paths: Sequence[str]) -> None:
        """Remove files and folders in a running container, by its own `rm`, as root; DeployError where it has none."""
        from docker.errors import APIError

        with sdk.asking(self.host):
            try:
                made = self._api.exec_create(container.id, ["rm", "-rf", "--", *paths], user="0")["Id"]
                said = self._api.exec_start(made)
                code = self._api.exec_inspect(made)["ExitCode"]
            except APIError as error:
                code, said = 1, str(error.explanation or error).encode()
        if code:
            what = f"files cannot be removed in {container.name}: {said.decode(errors='replace').strip()}"
            raise DeployError(what, hint="doit cycle_fast makes a container without them")

    def changed(self, container: Container) -> frozenset[str]:
        """The paths in a container that are not as in its image. The engine compares all files: it takes a while."""
        with sdk.asking(self.host):
            return frozenset(one["Path"] for one in self._api.diff(container.id) or ())

    def created(self, container: Container) -> tuple[str, tuple[str, ...]]:
        """When a container was created, and where it has volumes and folders of the host."""
        with sdk.asking(self.host):
            raw = self._api.inspect_container(container.id)
        return str(raw["Created"]), tuple(one["Destination"] for one in raw.get("Mounts") or ())

    def _archive(self, container: Container) -> str:
        return f"{self._api.base_url}/v{api_version.spoken(self.host)}/containers/{container.id}/archive"

    def exec_code(self, container: Container, command: Sequence[str], timeout: float) -> int | None:
        """Run a command in the container; return its exit code, or None if it did not run or did not end in time."""
        from docker.errors import APIError

        deadline = time.monotonic() + timeout
        with sdk.asking(self.host):
            try:
                made = self._api.exec_create(container.id, list(command))["Id"]
                self._api.exec_start(made, detach=True)
                while (seen := self._api.exec_inspect(made))["ExitCode"] is None or seen["Running"]:
                    if time.monotonic() > deadline:
                        return None
                    time.sleep(EXEC_POLL)
            except APIError:
                return None
        return int(seen["ExitCode"])

    def output_of(self, container: Container, command: Sequence[str]) -> tuple[int, str]:
        """Run a command in the container to its end; its exit code, and what it printed."""
        with sdk.asking(self.host):
            made = self._api.exec_create(container.id, list(command))["Id"]
            said = self._api.exec_start(made)
            code = self._api.exec_inspect(made)["ExitCode"]
        return int(code or 0), str(said.decode(errors="replace"))

    def interactive(self, container: Container, command: Sequence[str]) -> int:
        """Run a command in the container on the user's terminal, or between the user's pipes; its exit code."""
        from layerdoit.core import process

        kept = "-it" if terminal.at_both_ends() else "-i"
        return process.interactive(["docker", "exec", kept, container.id, *command])

    @cached_property
    def _api(self) -> Any:
        return sdk.low_level(self.host, SDK_TIMEOUT)


@lru_cache
def _reaches(host: str, _socket: tuple[int, int]) -> bool:
    """As `reachable_directly`, once for a socket: the engine starts three programs to answer that."""
    with sdk.asking(host):
        info = sdk.low_level(host, SDK_TIMEOUT).info()
    rootless = any("rootless" in option for option in info.get("SecurityOptions") or ())
    return not rootless and "Docker Desktop" not in info.get("OperatingSystem", "")
