"""Whether what was pushed runs: pulled by its digest, on each platform that this machine can run."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.core.errors import PublishError
from layerdoit.engine import trials

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from layerdoit.config import Config

LIMIT: Final = 60.0
"""Seconds that a configured check may take."""
STARTS: Final = 5.0
"""Seconds after which a program that does not know `--version` has started."""
_NEVER_RAN: Final = (125, 126, 127)
_SIGNALLED: Final = 128
_VERSION: Final = re.compile(r"\b\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?\b")
_LAST: Final = 5


class Check(NamedTuple):
    """Words for the program; or, with `entrypoint`, for another one. `must`: it has to end with 0."""

    words: tuple[str, ...]
    must: bool
    entrypoint: str = ""

    @property
    def line(self) -> str:
        """As it is typed."""
        return shlex.join((*([self.entrypoint] if self.entrypoint else []), *self.words))


def of_app(config: Config) -> tuple[Check, ...]:
    """The checks of an app image: those that are configured, else whether it starts."""
    lines = config.publish.check
    if lines is None:
        lines = config.image.smoke or None
    if lines is None:
        return (Check(("--version",), must=False),)
    return tuple(Check(tuple(shlex.split(line)), must=True) for line in lines)


def tried(repository: str, digest: str, platform: str, checks: Sequence[Check], own: str) -> Iterator[str]:
    """Pull an image by its digest and run the checks; what they found, in words. `own`: the engine's platform.

    PublishError where one fails.
    """
    reference = f"{repository}@{digest}"
    with trials.pulled(reference):
        for check in checks:
            seconds = LIMIT if check.must else STARTS
            found = trials.run(reference, platform, check.words, entrypoint=check.entrypoint, seconds=seconds)
            if found.foreign and platform != own:
                yield f"pulled by its digest; this machine cannot run {platform}"
                return
            yield _judged(reference, platform, check, found)
        if not checks:
            yield "pulled by its digest"


def _judged(reference: str, platform: str, check: Check, found: trials.Tried) -> str:
    last = "\n".join(found.said.splitlines()[-_LAST:])
    if found.code is None:
        if check.must:
            what = f"{reference} ({platform}): `{check.line}` did not end within {LIMIT:g} s"
            raise PublishError(what, hint="take a command that ends into publish.check; no tag was moved")
        return "starts"
    broken = found.code in _NEVER_RAN or found.code > _SIGNALLED
    if found.foreign or (found.code != 0 if check.must else broken):
        ended = "could not be run" if broken else f"ended with {found.code}"
        raise PublishError(
            f"{reference} ({platform}): `{check.line}` {ended}" + (f":\n{last}" if last else ""),
            hint="correct the program, or publish.check; no tag was moved",
        )
    if found.code != 0:
        # It does not know `--version`.
        return "starts"
    return f"{check.line}: {first_line(found.said)}" if found.said else f"{check.line} ended well"


def first_line(said: str) -> str:
    """What a program says first, as one line shows it."""
    return said.strip().splitlines()[0][:100] if said.strip() else ""


def other_version(said: str, version: str) -> str:
    """The version that a program says it is, where it is another one than is published; else ''."""
    found = _VERSION.search(said)
    return found[0] if found is not None and found[0] != version.partition("+")[0] else ""
