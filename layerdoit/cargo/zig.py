"""zig as this machine has it: the Python packages ziglang and cargo-zigbuild, beside layerdoit.

installed(where) -> Zig                  # ConfigError where they are lacking or too old
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.core.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import Distribution
    from pathlib import Path

_OLDEST: Final = {"ziglang": "0.13", "cargo-zigbuild": "0.20"}
"""The oldest versions that were tried."""


class Zig(NamedTuple):
    """`folder`: that of the package ziglang, with the program and its library; `program`: cargo-zigbuild."""

    folder: Path
    program: Path
    versions: tuple[tuple[str, str], ...]

    @property
    def words(self) -> str:
        """Packages and versions, as a key has them."""
        return ", ".join(f"{name} {version}" for name, version in self.versions)


def runs_in_containers() -> bool:
    """Whether this machine's programs are those of Linux."""
    return sys.platform == "linux"


def installed(where: str | None) -> Zig:
    """What is installed. `where`: the setting that asks for it."""
    found = {name: _distribution(name) for name in _OLDEST}
    lacking = [name for name, one in found.items() if one is None or not _file(one, name).is_file()]
    if lacking:
        raise ConfigError(
            f"cross: zig needs the Python package{'s' * (len(lacking) > 1)} {' and '.join(lacking)}, which the Python "
            "that runs doit does not have",
            where=where,
            hint=f"{sys.executable} -m pip install {' '.join(lacking)}; or use cross: gcc",
        )
    there = {name: one for name, one in found.items() if one is not None}
    old = [name for name, one in there.items() if _number(one.version) < _number(_OLDEST[name])]
    if old:
        raise ConfigError(
            f"cross: zig needs {_wanted(old)}, and {_had(there, old)} is installed",
            where=where,
            hint=f"{sys.executable} -m pip install --upgrade {' '.join(old)}",
        )
    program, zig = (_file(there[name], name) for name in ("cargo-zigbuild", "ziglang"))
    return Zig(zig.parent, program, tuple((name, one.version) for name, one in there.items()))


def versions() -> str:
    """The versions that are installed, without a word about what is lacking."""
    return " ".join(one.version if (one := _distribution(name)) is not None else "" for name in _OLDEST)


def _wanted(names: list[str]) -> str:
    return " and ".join(f"{name} {_OLDEST[name]} or later" for name in names)


def _had(there: dict[str, Distribution], names: list[str]) -> str:
    return " and ".join(f"{name} {there[name].version}" for name in names)


def _distribution(name: str) -> Distribution | None:
    from importlib import metadata

    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def _file(one: Distribution, name: str) -> Path:
    """The program of a package."""
    from pathlib import Path

    last = {"ziglang": "ziglang/zig", "cargo-zigbuild": "bin/cargo-zigbuild"}[name]
    recorded = [file.locate() for file in one.files or () if file.as_posix().endswith(last)]
    # A folder that pip installed to has programs elsewhere than its records say.
    places = [Path(str(place)) for place in (*recorded, one.locate_file(last))]
    return next((place.resolve() for place in places if place.is_file()), places[-1])


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
