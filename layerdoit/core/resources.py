"""Where the Dockerfiles and scripts that come with the package are."""

from __future__ import annotations

from pathlib import Path


def dockerfile_dir() -> Path:
    """`layerdoit/dockerfiles` of an installed wheel, `dockerfiles` beside the package of a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "dockerfiles", package.parent / "dockerfiles"):
        if (folder / "Dockerfile.base").is_file():
            return folder
    raise FileNotFoundError(f"{package / 'dockerfiles'}: the installed package is incomplete")


def data_dir() -> Path:
    """The folder of tables and schemas that come with the package."""
    return Path(__file__).resolve().parent.parent / "data"
