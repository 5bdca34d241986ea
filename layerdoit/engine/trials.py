"""Try an image of a registry: pull it by its digest, and see whether its program runs."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from layerdoit.core import process
from layerdoit.core.command_errors import TookTooLong
from layerdoit.core.errors import EngineError, ProcessError
from layerdoit.engine.registry_answers import refusal

_FOREIGN: Final = re.compile(r"exec format error", re.IGNORECASE)
_REMOVE: Final = ("docker", "image", "rm", "--no-prune")


class Tried(NamedTuple):
    """How it ended. `code`: None where it still ran; `foreign`: nothing here can run that platform."""

    code: int | None
    said: str
    foreign: bool = False


@contextlib.contextmanager
def pulled(reference: str) -> Iterator[None]:
    """Meanwhile the engine has an image, `repository@digest`. EngineError where it cannot be pulled."""
    try:
        here = process.capture(["docker", "image", "inspect", "--format", "{{.Id}}", reference], check=False).code == 0
        process.capture(["docker", "pull", "--quiet", reference])
    except ProcessError as error:
        found = refusal(str(error).strip().splitlines()[-1])
        hint = found.advice(reference, "pull")
        raise EngineError(f"what was pushed cannot be pulled: {reference}: {found}", hint=hint) from error
    try:
        yield
    finally:
        if not here:
            # Only this name of it; a container that was made from it meanwhile keeps it.
            process.capture([*_REMOVE, reference], check=False)


def run(reference: str, platform: str, words: Sequence[str], *, entrypoint: str = "", seconds: float) -> Tried:
    """Run an image that is here, without network, with more words for its program or for another one."""
    name = f"layerdoit-check-{uuid.uuid4().hex[:12]}"
    options = ["--rm", "--name", name, "--network", "none", "--pull", "never", "--platform", platform]
    options += ["--entrypoint", entrypoint] if entrypoint else []
    try:
        done = process.capture(["docker", "run", *options, reference, *words], check=False, seconds=seconds)
    except TookTooLong:
        return Tried(None, "")
    finally:
        process.capture(["docker", "rm", "--force", name], check=False)
    said = f"{done.stdout}\n{done.stderr}".strip()
    return Tried(done.code, said, bool(done.code and _FOREIGN.search(said)))
