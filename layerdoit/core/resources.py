"""Where the Dockerfiles, scripts and tables that ship with the package are."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache  # where this very module lies
def dockerfile_dir() -> Path:
    """`layerdoit/dockerfiles` of an installed wheel, or `dockerfiles` beside the package in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "dockerfiles", package.parent / "dockerfiles"):
        if (folder / "Dockerfile.base").is_file():
            return folder
    raise FileNotFoundError(f"{package / 'dockerfiles'} does not exist: reinstall layerdoit")


def data_dir() -> Path:
    """The folder of tables and schemas that ship with the package."""
    return Path(__file__).resolve().parent.parent / "data"
