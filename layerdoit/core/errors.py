"""One exception tree: what happened, where, and what to do next.

Every error that a user can cause or meet is a `LayerdoitError`. It is printed as one message, never as a traceback.
Exit codes follow the shell's conventions: 1 failed, 2 usage or configuration, 130 / 143 ended by a signal.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Collection


class LayerdoitError(Exception):
    """Something went wrong that a user can act on.

    `what` is one sentence, `where` a `file:line` or the like, `hint` the next step; without one it is `next_step`.
    """

    exit_code = 1
    next_step: str | None = None

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint or self.next_step

    def reworded(self, *, what: str | None = None, where: str | None = None, hint: str | None = None) -> Self:
        """Say something else; kind and exit code stay. Returns the error itself."""
        self.what = what or self.what
        self.where = where or self.where
        self.hint = hint or self.hint
        return self

    def shown(self, *, coloured: bool) -> str:  # noqa: ARG002 - some errors quote what has colours
        """The message for a terminal."""
        return str(self)

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.hint:
            lines.append(f"next: {self.hint}")
        return "\n".join(lines)


class ConfigError(LayerdoitError):
    """layerdoit.yaml, a variable or an option is wrong."""

    exit_code = 2
    next_step = "correct it and run again"


class WorkspaceError(LayerdoitError):
    """The Rust workspace cannot be read: a manifest, the lockfile, the toolchain file."""

    exit_code = 2
    next_step = "correct it and run again"


class ProcessError(LayerdoitError):
    """An external command failed or could not be started."""


class EngineError(LayerdoitError):
    """The Docker engine, buildx or a registry does not answer, or refuses."""

    next_step = "look at `docker info`, `docker buildx ls` and the engine's log"


class BuildError(LayerdoitError):
    """A layer did not build."""


class ContextDiffers(BuildError):
    """The build received other sources than the key was made from: read and send them again."""

    next_step = "run again when the files no longer change; if a program writes them, exclude them (sources.exclude)"

    @classmethod
    def of(cls, paths: Collection[str]) -> ContextDiffers:
        """Files whose content changed between reading and sending."""
        from layerdoit.core.prose import listed

        return cls(f"sources changed while they were read: {listed(sorted(paths), 5)}")


class Cleared(BuildError):
    """An image that the build needs was removed meanwhile: make a new plan."""


class DeployError(LayerdoitError):
    """A container did not start, or did not become healthy."""


class PublishError(LayerdoitError):
    """Something stands against a publication. No tag was moved, unless it says so."""


class Interrupted(LayerdoitError):
    """A signal ended the work; `exit_code` is 128 + the signal's number."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by signal {signum}; no partial result was kept")
        self.signum = signum
        self.exit_code = 128 + signum


def as_error(error: LayerdoitError | OSError) -> LayerdoitError:
    """Turn an unforeseen OSError (disk full, no permission to write) into a LayerdoitError."""
    if isinstance(error, LayerdoitError):
        return error
    where = None if error.filename is None else str(error.filename)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "free some space; `doit cache_status` shows what this project uses, `docker system df` the rest"
        return LayerdoitError("the disk is full", where=where, hint=hint)
    denied = isinstance(error, PermissionError)
    hint = "give yourself permission to read and write it" if denied else "correct it and run again"
    return LayerdoitError(error.strerror or str(error) or type(error).__name__, where=where, hint=hint)
