"""What an app image's configuration holds, as text for its key; and the folders that it makes for its user."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from layerdoit.core.errors import ConfigError
from layerdoit.dockerfile import folders

if TYPE_CHECKING:
    from layerdoit.config import Config, Image


def settings(image: Image, starts: str, owned: Sequence[str], *, denies_warnings: bool) -> Mapping[str, str]:
    """The settings by name. `starts`: what the image runs; `owned`: folders of its user."""
    values = {
        "entrypoint": starts,
        "cmd": list(image.cmd),
        "env": dict(sorted(image.env.items())),
        "labels": dict(sorted(image.labels.items())),
        "user": image.user,
        "workdir": image.workdir,
        "expose": list(image.expose),
        "assets": dict(sorted(image.assets.items())),
        "smoke": list(image.smoke),
        **({"folders": " ".join(owned)} if owned else {}),
        **({"stop_signal": image.stop_signal} if image.stop_signal else {}),
        **({} if image.check_libraries else {"check_libraries": "no"}),
        **({"warnings": "deny"} if denies_warnings else {}),
    }
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


def owned_folders(image: Image, config: Config) -> tuple[str, ...]:
    """Folders of the image that are made for its user; each can be reached by that user."""
    found = folders.owned(image.user, image.workdir, config.deploy.volumes)
    closed = folders.closed(found)
    if closed is not None:
        setting = "image.workdir" if closed == posixpath.normpath(image.workdir) else "deploy.volumes"
        raise ConfigError(
            f"{setting}: the user {image.user}, whom the image runs as, may not enter {closed}",
            where=config.where.get(setting),
            hint="use another folder, such as /srv or /app, or set image.user: root",
        )
    return found
