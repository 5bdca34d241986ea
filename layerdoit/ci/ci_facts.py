"""What workflows follow from: the configuration, and where the project lies in its repository. Equal in each clone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit.config import environments
from layerdoit.config.ci_section import Ci
from layerdoit.core.errors import ConfigError

if TYPE_CHECKING:
    from layerdoit.config import Config


@dataclass(frozen=True)
class CiFacts:
    """`folder`: where doit runs, seen from the top of the repository; `prefix`: of the tasks in the dodo.py.

    `project`: folder of the Rust project, seen from the top; `base_inputs`: files that the base's key follows from,
    seen from there too; `history`: builds read commits; `toolchain`: the project names one.
    """

    ci: Ci
    folder: str = "."
    project: str = "."
    prefix: str = ""
    registry: str | None = None
    shares: tuple[str, ...] = ()
    base_inputs: tuple[str, ...] = ("layerdoit.yaml", "rust-toolchain.toml")
    submodules: bool = False
    lfs: bool = False
    history: bool = False
    toolchain: bool = True

    @property
    def name(self) -> str:
        """What the files of this project are called besides the others of the repository; '' for the only one."""
        own = self.prefix or ("" if self.project == "." else self.project)
        return re.sub(r"[^a-z0-9]+", "-", own.lower()).strip("-")

    def task(self, name: str) -> str:
        """A task as it is typed."""
        return f"doit {self.prefix}:{name}" if self.prefix else f"doit {name}"

    def verb(self, words: str) -> str:
        """A verb of `doit layers` as it is typed."""
        name, _, rest = words.partition(" ")
        root = f" --root {self.prefix}" if self.prefix else ""
        return f"doit layers {name}{root} {rest}".rstrip()


def gather(root: Path, config: Config, top: Path, dodo: Path, prefix: str) -> CiFacts:
    """Read the facts. `root`: the project's folder; `top`: the repository's; `dodo`: the folder of the dodo.py."""
    from layerdoit.cargo import toolchain

    for folder, whose in ((root, "the project"), (dodo, "the dodo.py")):
        if not folder.is_relative_to(top):
            what = f"{whose} is not in the repository {top}, in which workflows would be written"
            raise ConfigError(what, where=str(folder), hint="run it in the repository that has both")
    return CiFacts(
        config.ci,
        dodo.relative_to(top).as_posix(),
        root.relative_to(top).as_posix(),
        prefix,
        config.registry.repository,
        config.registry.push,
        tuple(_base_inputs(root, config, top)),
        (top / ".gitmodules").is_file(),
        _has_lfs(top),
        config.build.git != "none",
        bool(toolchain.asked_for(root, config.toolchain).channel),
    )


def _base_inputs(root: Path, config: Config, top: Path) -> Iterator[str]:
    """Files that the key of the base follows from, also those that are not there yet."""
    from layerdoit.cargo.toolchain import FILES
    from layerdoit.config import FILE

    there = {path for path in config.source if path.is_relative_to(top)}
    named = {root / config.dockerfiles.base} if config.dockerfiles.base else set()
    own = {root / FILE, root / environments.file_of(environments.DEFAULT)} & there | {root / FILE}
    # rustup asks each folder above, too.
    above = [folder for folder in (root, *root.parents) if folder.is_relative_to(top)]
    toolchains = {folder / name for folder in above for name in FILES}
    for path in sorted({*there, *named, *own, *toolchains}):
        yield path.relative_to(top).as_posix()


def _has_lfs(top: Path) -> bool:
    try:
        return "filter=lfs" in (top / ".gitattributes").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
