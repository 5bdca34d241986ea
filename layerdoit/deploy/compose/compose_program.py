"""`docker compose` on one compose project: what it resolves, and what it starts. Its output is logged nowhere."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from layerdoit.core import command_errors, masking, process
from layerdoit.core.background import Background
from layerdoit.core.doing import Doing, tell
from layerdoit.core.errors import DeployError, EngineError, ProcessError
from layerdoit.deploy.compose import compose_files, composition
from layerdoit.deploy.compose.composition import Composition

OLDEST: Final = (2, 20)
"""The first version of docker compose with all that is asked of it here."""
_SHOWN: Final = 12
_MISSING: Final = re.compile(r"is not a docker command|unknown (shorthand flag|command|docker command)")
_INSTALL: Final = (
    "install the compose plugin: docker-compose-plugin (download.docker.com), docker-compose (Debian 13), "
    "docker-compose-v2 (Ubuntu)"
)


class ComposeProgram:
    """`files`: the user's, the first says where the project is. `secrets`: variables that only its environment has.

    `home`: the folder that stands for `root` in paths that the files name.
    """

    def __init__(
        self, root: Path, files: Sequence[Path], project: str | None, secrets: Mapping[str, str], home: Path
    ) -> None:
        self.root = root
        self._home = home
        self.files = tuple(files)
        self.shown = ", ".join(_relative(path, root) for path in files)
        self._project = project
        self._secrets = secrets

    def resolved(self) -> tuple[Composition, Mapping[str, str], tuple[str, ...]]:
        """The project, the hash of each service, and what docker compose warns of."""
        hashes = Background(self.hashes)
        said = self._captured((), "config", "--format", "json")
        return Composition.of(json.loads(said.stdout)), hashes.result(), tuple(composition.warnings(said.stderr))

    def hashes(self, overrides: Sequence[Path] = ()) -> Mapping[str, str]:
        """The hash of each service's settings, which docker compose compares with that of its containers."""
        lines = self._captured(overrides, "config", "--hash", "*").stdout.splitlines()
        return {words[0]: words[1] for words in map(str.split, lines) if len(words) == 2}

    def up(self, overrides: Sequence[Path], *words: str) -> None:
        """`docker compose up`, with its progress shown; DeployError where it fails."""
        argv = [*self._argv(overrides), "--ansi", "never", "--progress", "plain", "up", *words]
        lines: list[str] = []

        def heard(_stream: str, line: str) -> None:
            if line.strip() and "level=warning" not in line:
                lines.append(line.rstrip())
                tell(Doing(f"docker compose: {line.strip()}"))

        code = process.stream(argv, cwd=self.root, env=self._secrets, on_line=heard)
        if code != 0:
            said = composition.error_lines("\n".join(lines))
            raise self._error(said[-_SHOWN:], "docker compose up failed")

    def line(self, service: str, *keys: str) -> str | None:
        """`file:line` of a service, or of a key of it."""
        return compose_files.line(self.files, self.root, service, *keys)

    def _argv(self, overrides: Sequence[Path] = ()) -> list[str]:
        files = [word for path in (*self.files, *overrides) for word in ("-f", str(path))]
        named = ["-p", self._project] if self._project else []
        if self._home != self.root:
            place = os.path.relpath(self.files[0].parent, self.root)
            named += ["--project-directory", os.path.normpath(self._home / place)]
        return ["docker", "compose", *named, *files]

    def _captured(self, overrides: Sequence[Path], *words: str) -> process.Completed:
        try:
            return process.capture([*self._argv(overrides), *words], cwd=self.root, env=self._secrets)
        except command_errors.CommandFailed as error:
            if _MISSING.search(error.stderr):
                raise missing() from error
            # What it printed may hold secrets; what it complains of does not.
            raise self._error(composition.error_lines(error.stderr), f"{self.shown} cannot be used") from error

    def check_version(self) -> None:
        """Raise where it is too old, or not there."""
        try:
            said = process.capture(["docker", "compose", "version", "--short"]).stdout
        except command_errors.CommandFailed as error:
            raise missing() from error
        found = re.match(r"v?(\d+)\.(\d+)", said.strip())
        if found and (int(found[1]), int(found[2])) < OLDEST:
            wanted = ".".join(map(str, OLDEST))
            what = f"docker compose is version {found[1]}.{found[2]}; deployments need {wanted} or later"
            raise ProcessError(what, hint=_INSTALL)

    def _error(self, lines: Sequence[str], what: str) -> DeployError | EngineError:
        said = [masking.redact(line).removeprefix("Error response from daemon: ") for line in lines]
        whole = "\n".join(said)
        if "Cannot connect to the Docker daemon" in whole:
            return EngineError("no Docker engine answers", hint="start it (systemctl start docker)")
        path = composition.path_in(whole)
        where = self.line(*path) if path else self._line_of_yaml(whole)
        hint = "correct it and run again"
        if variable := re.search(r"required variable (\w+) is missing", whole):
            hint = f"set {variable[1]} in the environment, or in .env beside the compose file"
        reason = f": {said[0]}" if len(said) == 1 else ":\n" + "\n".join(f"  {line}" for line in said)
        return DeployError(what + (reason if said else ""), where=where, hint=hint)

    def _line_of_yaml(self, said: str) -> str:
        number = re.search(r"yaml: (?:.*?)line (\d+)", said)
        named = next((path for path in self.files if str(path) in said or path.name in said), self.files[0])
        return _relative(named, self.root) + (f":{number[1]}" if number else "")


def missing() -> ProcessError:
    """The error for a machine without docker compose, or with its version 1 only."""
    import shutil

    if shutil.which("docker-compose"):
        what = "`docker compose` does not answer; the old docker-compose, version 1, cannot be used"
        return ProcessError(what, hint=_INSTALL)
    return ProcessError("`docker compose` does not answer: the compose plugin is not installed", hint=_INSTALL)


def _relative(path: Path, root: Path) -> str:
    return os.path.relpath(path, root)
