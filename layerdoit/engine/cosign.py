"""The program cosign: signatures of images in a registry, and signed statements about them."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from layerdoit.core import process
from layerdoit.core.errors import ConfigError, ProcessError, PublishError
from layerdoit.engine.registry_access import takes_insecure
from layerdoit.engine.registry_answers import host_of, refusal


def ready(key: str, where: str | None) -> None:
    """ConfigError where cosign or the key lacks. `where`: file and line that name the key, None for an option."""
    if shutil.which("cosign") is None:
        hint = (
            "install cosign (Debian, Ubuntu: sudo apt-get install cosign), or publish without --sign and publish.sign"
        )
        raise ConfigError("signing needs the program cosign, which is not on PATH", where=where, hint=hint)
    if "://" not in key and not Path(key).is_file():
        hint = "cosign generate-key-pair makes one; keep it outside of the repository"
        raise ConfigError(f"there is no key {key} to sign with", where=where, hint=hint)


def sign(reference: str, key: str) -> None:
    """Sign an image, `repository@digest`, and those of all platforms where it is an index."""
    _called(reference, ["sign", "--recursive", "--key", key])


def attest(reference: str, key: str, kind: str, predicate: Mapping[str, Any]) -> None:
    """Put a signed statement beside an image. `kind`: as cosign calls the type of the statement."""
    with tempfile.TemporaryDirectory(prefix="layerdoit-attest-") as folder:
        file = Path(folder) / "predicate.json"
        file.write_text(json.dumps(predicate), encoding="utf-8")
        # One that is there already is replaced, so that a run that broke off leaves no second one.
        _called(reference, ["attest", "--replace", "--key", key, "--type", kind, "--predicate", str(file)])


def _called(reference: str, words: list[str]) -> None:
    # Names of images are nobody's business: nothing is written into a public log.
    options = ["--yes", "--tlog-upload=false"]
    if takes_insecure(host_of(reference)):
        options += ["--allow-http-registry", "--allow-insecure-registry"]
    try:
        process.capture(["cosign", *words, *options, reference])
    except ProcessError as error:
        lines = [line for line in str(error).strip().splitlines() if line.strip()]
        said = next((line for line in reversed(lines) if "rror" in line), lines[-1])
        found = refusal(said.removeprefix("Error: "))
        hint = "look at the key and at COSIGN_PASSWORD; then run again: the image is pushed, and no tag was moved"
        if found.kind in ("login", "rights", "refused", "name", "silent", "quota"):
            hint = f"{found.advice(reference, 'push')}; then run again: no tag was moved"
        raise PublishError(f"cosign did not sign {reference}: {found.said}", hint=hint) from error
