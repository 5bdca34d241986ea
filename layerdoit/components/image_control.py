"""What build.sh has to know of the image that does not exist yet: its libraries, and its smoke test.

files(inputs) -> {name in /control: content}
libraries(inputs) -> Sources          # the shared libraries among the assets
to_index(inputs) -> bool              # whether the image's loader finds them only by its cache
"""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import TYPE_CHECKING, Final

from layerdoit.core.platform import platform_of
from layerdoit.tree.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from layerdoit.config import Image
    from layerdoit.project.inputs import Inputs

_LIBRARY: Final = re.compile(r"\.so(\.[\w.-]+)?$")
_INDEXED: Final = re.compile(r"/usr/local/lib(/[^/]+-linux-gnu\w*)?")
"""The folders in which Debian's loader finds only what ldconfig has seen there."""


def files(inputs: Inputs) -> Mapping[str, bytes]:
    """The files that build.sh reads beside its scripts."""
    return {
        "image": (
            image(inputs.question.image, _placed(inputs), deny_warnings=inputs.denies_warnings) + _machine(inputs)
        ).encode(),
        "smoke": smoke(inputs.question.image.smoke if runs(inputs) else ()).encode(),
    }


def runs(inputs: Inputs) -> bool:
    """Whether programs of the image can run in a build."""
    return inputs.project.way is None or inputs.project.way.runs


def _machine(inputs: Inputs) -> str:
    """Which machine the image is for, and whether it is another one than that which compiles."""
    way, found = inputs.project.way, platform_of(inputs.question.platform)
    foreign = way is not None and way.platform != way.build_platform
    return f"MACHINE={shlex.quote(found.machine if found else '')}\nFOREIGN={'yes' if foreign else ''}\n"


def image(settings: Image, placed: Mapping[str, str], *, deny_warnings: bool = False) -> str:
    """/control/image; `placed`: path of a library among the assets -> path in the image."""
    lines = [
        f"DENY_WARNINGS={'yes' if deny_warnings else ''}",
        f"IMAGE_LIBRARY_PATH={shlex.quote(settings.env.get('LD_LIBRARY_PATH', ''))}",
        f"CHECK_LIBRARIES={'yes' if settings.check_libraries else 'no'}",
        *(f"placed {shlex.quote(path)} {shlex.quote(place)}" for path, place in placed.items()),
    ]
    return "".join(f"{line}\n" for line in lines)


def smoke(lines: tuple[str, ...]) -> str:
    """/control/smoke: each line of arguments as it is written, and as words."""
    return "".join(f"smoke {shlex.join([line, *shlex.split(line)])}\n" for line in lines)


def libraries(inputs: Inputs) -> Sources:
    """The shared libraries among the assets."""
    found = inputs.assets
    return Sources(found.root, found.home, {path: found.entries[path] for path in _placed(inputs)})


def to_index(inputs: Inputs) -> bool:
    """Whether an asset is a library that the image's loader finds only by its cache."""
    settings = inputs.question.image
    named = {posixpath.normpath(path) for path in settings.env.get("LD_LIBRARY_PATH", "").split(":")}
    folders = {posixpath.dirname(place) for place in _placed(inputs).values()} - named
    return settings.check_libraries and any(_INDEXED.fullmatch(folder) for folder in folders)


def _placed(inputs: Inputs) -> Mapping[str, str]:
    """Libraries among the assets: path in the build context -> path in the image."""
    if not inputs.asset_paths:
        return {}
    return placed(inputs.asset_paths, inputs.assets.entries)


def placed(assets: Iterable[tuple[str, str]], entries: Mapping[str, object]) -> Mapping[str, str]:
    """Libraries among the entries: path -> path in the image. `assets`: file or folder -> path in the image."""
    found = {}
    for asset, place in assets:
        for path in entries:
            if path == asset:
                target = posixpath.join(place, posixpath.basename(path)) if place.endswith("/") else place
            elif path.startswith(f"{asset.rstrip('/')}/"):
                target = posixpath.join(place, path[len(asset.rstrip("/")) + 1 :])
            else:
                continue
            if _LIBRARY.search(target):
                found[path] = posixpath.normpath(target)
    return found
