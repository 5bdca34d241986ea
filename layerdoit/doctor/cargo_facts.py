"""What the host's cargo says of the lockfile, where there is one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from layerdoit.core import command_errors, process
from layerdoit.core.errors import LayerdoitError


def refusal(root: Path) -> str | None:
    """cargo's own words where it would not build with `--locked`; None where it would.

    LayerdoitError where that cannot be known: no cargo, or one that has never seen the crates and may not download.
    """
    if shutil.which("cargo") is None:
        raise LayerdoitError("there is no cargo on this machine")
    # Asking must not download a toolchain.
    command = ["env", "RUSTUP_AUTO_INSTALL=0", "cargo", "metadata", "--locked", "--offline", "--format-version", "1"]
    try:
        process.capture_quick(command, root)
    except command_errors.CommandFailed as error:
        said = [line.strip() for line in error.stderr.splitlines() if line.strip()]
        if re.search(r"--locked was passed|lock file .* needs to be updated", error.stderr):
            return next((line.removeprefix("error: ") for line in said if "lock file" in line), said[0])
        raise LayerdoitError(f"cargo gave no answer: {_first(said)}") from error
    return None


def ignored(root: Path) -> bool:
    """Whether git ignores Cargo.lock. False where there is no git."""
    try:
        process.capture_quick(["git", "check-ignore", "--quiet", "Cargo.lock"], root)
    except LayerdoitError:
        return False
    return True


def _first(said: list[str]) -> str:
    return said[0].removeprefix("error: ") if said else "it failed without a message"
