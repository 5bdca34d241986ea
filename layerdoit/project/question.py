"""What is asked of a tree: an image (`build`), whether tests pass (`check`), or how long edits take (`measure`)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from layerdoit.core.errors import ConfigError
from layerdoit.core.resources import dockerfile_dir
from layerdoit.project import started

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layerdoit.cargo.selection import Selection
    from layerdoit.config import Image
    from layerdoit.project.project import Kind, Project

CHECKED = ("cook.sh", "build.sh")
"""The scripts in which `cargo build` means tests and clippy where a tree is checked."""


@dataclass(frozen=True)
class Question:
    """What is asked, and for which platform the image is.

    `image`: settings of the image; `shared`: layers that are pushed; `tags`: friendly tags; `prelude`: by script, what
    stands before it; `files`: more files that the scripts read; `unique`: a text that makes the app's key unlike any
    other.
    """

    kind: Kind
    platform: str
    image: Image
    shared: tuple[str, ...]
    tags: tuple[str, ...]
    prelude: Mapping[str, bytes] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    unique: str = ""

    def selection(self, project: Project) -> Selection:
        """Packages and binaries: those that are configured; for a check every member, and no binary for an image."""
        from layerdoit.cargo.selection import Selection

        if self.kind == "build":
            return project.selection
        if self.kind == "measure":
            return Selection(project.selection.packages, ())
        members = (key for key, package in project.workspace.packages.items() if package.member)
        return Selection(tuple(sorted(members)), ())

    def variant(self, project: Project) -> str:
        """Question, profile and target: images of different variants are not compared with each other."""
        return project.variant(self.kind)


def build(project: Project, platform: str) -> Question:
    """The image, as it is configured."""
    config = project.config
    return Question("build", platform, config.image, tuple(config.registry.push), project.tags)


def check(project: Project, platform: str) -> Question:
    """Tests and clippy of every member. The image is only the mark that a tree passed; nobody else gets it."""
    if project.way is not None and project.way.kind == "cross":
        raise ConfigError(
            f"tests are compiled for {project.way.platform}, and could not run on {project.way.native}",
            where=f"PLATFORM={project.variables['PLATFORM']}",
            hint="leave PLATFORM out; or run them under emulation (cross: never), or on a builder of that platform",
        )
    before = (dockerfile_dir() / "check.sh").read_bytes()
    return Question(
        "check",
        platform,
        _bare(project.config.image),
        _without_app(project),
        (),
        prelude=dict.fromkeys(CHECKED, before),
    )


def measure(project: Project, platform: str, files: Mapping[str, bytes], unique: str) -> Question:
    """Builds of the project's own packages that are timed. `unique`: no earlier measurement counts."""
    return Question(
        "measure",
        platform,
        _bare(project.config.image),
        _without_app(project),
        (),
        prelude={"build.sh": (dockerfile_dir() / "measure.sh").read_bytes()},
        files=files,
        unique=unique,
    )


def _bare(image: Image) -> Image:
    """Nothing of an image: no assets, no smoke test."""
    entrypoint = None if started.named(image) else image.entrypoint
    return replace(image, entrypoint=entrypoint, assets={}, smoke=(), cmd=(), expose=(), env={}, labels={})


def _without_app(project: Project) -> tuple[str, ...]:
    return tuple(layer for layer in project.config.registry.push if layer != "app")
