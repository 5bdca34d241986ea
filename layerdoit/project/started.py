"""What an image starts where it is no binary: a script of the project, which the configuration names by its path."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from layerdoit.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from layerdoit.config import Config, Image

_OF_THE_SYSTEM: Final = ("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/")


def named(image: Image) -> str | None:
    """The path that the configuration names, None where it names a binary or nothing."""
    return image.entrypoint if (image.entrypoint or "").startswith("/") else None


def script(root: Path, config: Config, image: Image) -> str | None:
    """The same path; it can be started, as far as can be seen here. ConfigError otherwise."""
    path = named(image)
    if path is None:
        return None
    where = config.where.get("image.entrypoint")
    file = _asset(root, image, path)
    if file is not None:
        if not file.stat().st_mode & 0o111:
            name = os.path.relpath(file, root)
            what = f"image.entrypoint: {name} is not executable, so no container could start it"
            raise ConfigError(what, where=where, hint=f"chmod +x {os.path.relpath(file)}")
        return path
    own = config.dockerfiles
    elsewhere = config.base.runtime_image or own.base or own.app or path.startswith(_OF_THE_SYSTEM)
    if not elsewhere:
        hint = (
            f"name the script among the assets (image: {{assets: {{docker/start.sh: {path}}}}}), or a "
            "binary by its name"
        )
        raise ConfigError(f"image.entrypoint: the image has no {path}", where=where, hint=hint)
    return path


def _asset(root: Path, image: Image, path: str) -> Path | None:
    """The file of the project that lies there in the image."""
    for source, place in image.assets.items():
        folder = place.rstrip("/")
        if path == folder or path.startswith(f"{folder}/"):
            file = root / source / path[len(folder) + 1 :]
            if file.is_file():
                return file
    return None
