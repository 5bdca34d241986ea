"""What workflows follow from: the configuration, and where the project lies in its repository. Equal in each clone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from layerdoit.config import environments
from layerdoit.config.ci_section import Ci
from layerdoit.core.errors import ConfigError

if TYPE_CHECKING:
    from layerdoit.config import Config

RUNNERS: Final[Mapping[str, Mapping[str, str]]] = {"github": {"amd64": "ubuntu-24.04", "arm64": "ubuntu-24.04-arm"}}
"""Machines that a service has for everybody."""


@dataclass(frozen=True)
class CiFacts:
    """`folder`: where doit runs, seen from the top of the repository; `prefix`: of the tasks in the dodo.py.

    `project`: folder of the Rust project, seen from the top; `base_inputs`: files that the base's key follows from,
    seen from there too; `runners`: machines by architecture; `published`: where versions go; `retention`: the registry
    is cleaned; `cross`: one machine has a way to all platforms; `history`: builds read commits; `toolchain`: the
    project names one.
    """

    ci: Ci
    runners: Mapping[str, str] = field(default_factory=dict)
    folder: str = "."
    project: str = "."
    prefix: str = ""
    registry: str | None = None
    shares: tuple[str, ...] = ()
    published: str | None = None
    retention: bool = False
    platforms: tuple[str, ...] = ()
    cross: bool = False
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

    @property
    def pushes(self) -> bool:
        """Whether jobs push layers."""
        return self.registry is not None and bool(self.shares)

    @property
    def native(self) -> bool:
        """Whether each of several platforms is built on a machine of its own. Its layers travel by the registry."""
        several = len(self.platforms) > 1 and "app" in self.shares and self.registry is not None
        return several and not self.cross and all(map(self.runner_of, self.platforms))

    def runner_of(self, platform: str) -> str | None:
        """The machine of a platform; None where there is none of its own."""
        return self.runners.get(platform.split("/")[1])

    @property
    def runner(self) -> str | None:
        """The machine of all other jobs."""
        own = (self.runner_of(platform) for platform in (*self.platforms, "linux/amd64"))
        return next(filter(None, own), next(iter(self.runners.values()), None))

    def task(self, name: str) -> str:
        """A task as it is typed."""
        return f"doit {self.prefix}:{name}" if self.prefix else f"doit {name}"

    def verb(self, words: str) -> str:
        """A verb of `doit layers` as it is typed."""
        name, _, rest = words.partition(" ")
        root = f" --root {self.prefix}" if self.prefix else ""
        return f"doit layers {name}{root} {rest}".rstrip()


def gather(system: str, root: Path, config: Config, top: Path, dodo: Path, prefix: str) -> CiFacts:
    """Read the facts. `root`: the project's folder; `top`: the repository's; `dodo`: the folder of the dodo.py."""
    from layerdoit.cargo import toolchain

    for folder, whose in ((root, "the project"), (dodo, "the dodo.py")):
        if not folder.is_relative_to(top):
            what = f"{whose} is not in the repository {top}, in which workflows would be written"
            raise ConfigError(what, where=str(folder), hint="run it in the repository that has both")
    return CiFacts(
        config.ci,
        runners={**RUNNERS.get(system, {}), **config.ci.runners},
        folder=dodo.relative_to(top).as_posix(),
        project=root.relative_to(top).as_posix(),
        prefix=prefix,
        registry=config.registry.repository,
        shares=config.registry.push,
        published=_published(config),
        retention=not config.registry.retention.idle,
        platforms=config.platforms,
        cross=config.cross not in ("auto", "never") or bool(config.builders),
        base_inputs=tuple(_base_inputs(root, config, top)),
        submodules=(top / ".gitmodules").is_file(),
        lfs=_has_lfs(top),
        history=config.build.git != "none",
        toolchain=bool(toolchain.asked_for(root, config.toolchain).channel),
    )


def _published(config: Config) -> str | None:
    """Where versions go; None where nothing says it."""
    from layerdoit.engine.registry_answers import has_registry

    own = config.image.repository
    return config.publish.repository or (own if own and has_registry(own) else config.registry.repository)


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
