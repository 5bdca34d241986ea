"""QEMU in user mode: programs of arm64 by themselves, and registered with the kernel for the time of a test."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from layerdoit.core.files import machine_lock

ROOT: Final = Path(__file__).resolve().parents[2]
BINFMT: Final = Path("/proc/sys/fs/binfmt_misc")
NAME: Final = "layerdoit-test-aarch64"
_MAGIC: Final = r"\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK: Final = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"


def program() -> str:
    """The program that runs those of arm64; a test is skipped where there is none."""
    found = subprocess.run([ROOT / "scripts/ensure-qemu"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip())
    return found.stdout.strip()


@contextlib.contextmanager
def settled(*, registered: bool) -> Iterator[None]:
    """This machine runs programs of arm64, or does not: a setting of all of it, so only one test at a time has its way.

    What somebody else registered stays; a test that cannot have it is skipped.
    """
    with machine_lock("binfmt"):
        if _foreign():
            if not registered:
                pytest.skip("this machine runs programs of arm64")
            yield
            return
        if not registered:
            yield
            return
        qemu = program()
        try:
            if not (BINFMT / "register").exists():
                subprocess.run(["mount", "-t", "binfmt_misc", "none", BINFMT], check=True, capture_output=True)
            # F: the kernel opens the program now, so that it is there in containers, too.
            (BINFMT / "register").write_text(f":{NAME}:M::{_MAGIC}:{_MASK}:{qemu}:F")
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"QEMU cannot be registered here: {error}")
        try:
            yield
        finally:
            (BINFMT / NAME).write_text("-1")


def _foreign() -> bool:
    """Whether arm64 is registered by somebody else; what an ended test run left behind is not."""
    if (BINFMT / NAME).exists():
        (BINFMT / NAME).write_text("-1")
    return any("aarch64" in path.name for path in BINFMT.glob("*"))


if __name__ == "__main__":
    # python -m tests.support.qemu COMMAND …: with it registered, as for a benchmark.
    with settled(registered=True):
        sys.exit(subprocess.run(sys.argv[1:], check=False).returncode)
