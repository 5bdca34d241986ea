"""What can be wrong with a command that is run: it is not there, it fails, it takes too long, it was ended."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from layerdoit.core.errors import ProcessError
from layerdoit.core.masking import redact, shown

TAIL_LINES: Final = 20

_PACKAGES: Final[Mapping[str, str]] = {
    "docker": "docker.io (Debian, Ubuntu) or docker-ce-cli (download.docker.com)",
    "git": "git",
    "cargo": "rustup or cargo",
    "cosign": "cosign",
    "rustc": "rustup or rustc",
    "rustup": "rustup",
    "kubectl": "kubernetes-client or kubectl",
    "az": "azure-cli",
    "rsync": "rsync",
    "mmdebstrap": "mmdebstrap",
    "tar": "tar",
    "ssh": "openssh-client",
}


class ProgramMissing(ProcessError):
    """The program is not installed, or not on PATH."""


class TookTooLong(ProcessError):
    """The command did not end within its time limit."""


class Stopped(ProcessError):
    """Another thread had the command ended (`Ending`)."""


class CommandFailed(ProcessError):
    """The command ended with an unexpected exit code."""

    def __init__(self, argv: Sequence[str], code: int, stdout: str, stderr: str) -> None:
        self.code = code
        self.stdout = redact(stdout)
        self.stderr = redact(stderr)
        said = (self.stderr.strip() or self.stdout.strip()).splitlines()[-TAIL_LINES:]
        how = f"was ended by signal {-code}" if code < 0 else f"exited with {code}"
        super().__init__("\n".join([f"`{shown(argv)}` {how}" + (":" if said else ""), *said]))


def took_too_long(argv: Sequence[str], seconds: float | None) -> TookTooLong:
    """Of a command that was ended for that."""
    return TookTooLong(f"`{shown(argv)}` did not end within {seconds:g} s")


def not_started(argv: Sequence[str], cwd: str | Path | None, error: OSError) -> ProcessError:
    """Why a command could not be started."""
    program = str(argv[0])
    if cwd is not None and not os.path.isdir(cwd):
        return ProcessError(f"`{shown(argv)}` cannot run in {cwd}: no such folder")
    if isinstance(error, FileNotFoundError):
        return missing(program)
    return ProcessError(f"`{shown(argv)}` could not be started: {error.strerror or error}")


def missing(program: str) -> ProgramMissing:
    """With the package that has it, where that is known."""
    package = _PACKAGES.get(os.path.basename(program))
    hint = (
        f"install the package {package}, or add its folder to PATH"
        if package
        else "install it, or add its folder to PATH"
    )
    return ProgramMissing(f"the program `{program}` was not found", hint=hint)
