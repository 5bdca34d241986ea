"""The settings: every field names its kind, its default and its line of documentation.

The reader, the error messages and docs/configuration.md are made from this table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from layerdoit.config.kinds import (
    Settings,
    boolean,
    choice,
    integer,
    many,
    optional,
    seconds,
    section,
    setting,
    settings_class,
    size,
    span,
    table,
    text,
)
from layerdoit.config.targets import targets as measurements
from layerdoit.config.values import (
    ABSOLUTE,
    ADDRESS,
    BINARY,
    BUILD_ENV,
    COMMAND,
    DEBIAN,
    EXPOSE,
    FEATURE,
    IMAGE,
    IMAGE_ENV,
    INSIDE,
    LABEL,
    NAME,
    ON_MISSING,
    PACKAGE,
    PORT,
    PROFILE,
    PROJECT,
    REPOSITORY,
    TAG,
    TARGET,
    TEXT,
    VARIABLE,
)
from layerdoit.layers.key import LAYERS

NO_TEXT: tuple[str, ...] = ()
NO_ENV: Mapping[str, str] = {}

# Each class has a docstring also because `dataclass` derives a missing one from the signature, which is slow.


@settings_class
class Sources(Settings):
    """What the build sees."""

    include: tuple[str, ...] = setting(
        many(TEXT, "patterns"), NO_TEXT, "Files the build sees although git ignores them."
    )
    exclude: tuple[str, ...] = setting(
        many(TEXT, "patterns"), NO_TEXT, "Files the build never sees, besides those of .gitignore and .dockerignore."
    )


@settings_class
class Base(Settings):
    """The base layer."""

    builder: str = setting(
        choice("auto", "image", "bootstrap"),
        "auto",
        "How a base image is built: from an official image, or bootstrapped without; auto: what can be reached.",
    )
    image: str | None = setting(
        optional(IMAGE), None, "Image to build on; default: the official Rust image of the toolchain."
    )
    runtime_image: str | None = setting(
        optional(IMAGE), None, "Image that binaries are put on; default: slim Debian of `suite`."
    )
    suite: str = setting(text("a Debian suite", r"[a-z]+"), "trixie", "Debian suite of both images.")
    packages: tuple[str, ...] = setting(
        many(DEBIAN, "Debian package names"), NO_TEXT, "Debian packages that the build needs, besides the C toolchain."
    )
    runtime_packages: tuple[str, ...] = setting(
        many(DEBIAN, "Debian package names"), NO_TEXT, "Debian packages that the binaries need to run."
    )
    on_missing: tuple[str, ...] = setting(
        ON_MISSING,
        ("pull", "build"),
        "What to do, in this order, when this machine lacks the base; `fail`: nothing, stop.",
    )


@settings_class
class Deps(Settings):
    """The deps layer."""

    delta: bool = setting(
        boolean(), True, "Build on the nearest earlier dependency image, so that only what changed compiles."
    )
    max_chain: int = setting(
        integer("a number from 1 to 100", 1, 100),
        8,
        "How many dependency images may stand on each other before a full cook.",
    )


@settings_class
class Image(Settings):
    """The finished image."""

    repository: str | None = setting(
        optional(REPOSITORY), None, "Repository of the finished image; default: the project's name."
    )
    tags: tuple[str, ...] = setting(
        many(TAG, "image tags"), ("latest",), "Tags of the finished image, besides the keyed one."
    )
    entrypoint: str | None = setting(
        optional(BINARY), None, "Binary that the image runs; default: the only one, or the one named as the project."
    )
    cmd: tuple[str, ...] = setting(many(TEXT, "texts", unique=False), NO_TEXT, "Arguments of the entry point.")
    env: Mapping[str, str] = setting(IMAGE_ENV, NO_ENV, "Environment in the image; not for secrets.")
    labels: Mapping[str, str] = setting(
        table(LABEL, text(switches=True), "a mapping of labels to text"), NO_ENV, "Labels of the image."
    )
    user: str = setting(text("a user name or number", r"[\w.-]+(:[\w.-]+)?"), "app", "User that the container runs as.")
    workdir: str = setting(ABSOLUTE, "/srv", "Working directory in the container.")
    expose: tuple[str, ...] = setting(many(EXPOSE, "ports"), NO_TEXT, "Ports that the image declares.")
    assets: Mapping[str, str] = setting(
        table(INSIDE, ABSOLUTE, "a mapping of paths in the project to absolute paths in the image"),
        NO_ENV,
        "Files and folders copied into the image after compilation; a change never runs cargo.",
    )
    smoke: tuple[str, ...] = setting(
        many(TEXT, "argument lines"),
        NO_TEXT,
        "Argument lines, such as `--version`: the entry point must succeed with each before the image is tagged.",
    )


@settings_class
class Registry(Settings):
    """Where layers are shared."""

    repository: str | None = setting(
        optional(REPOSITORY), None, "Repository that keyed layers are pulled from and pushed to."
    )
    push: tuple[str, ...] = setting(many(choice(*LAYERS), "base, deps, app"), NO_TEXT, "Layers to push after a build.")


_COUNT = integer("a number from 0 to 10000", 0, 10_000)


@settings_class
class Keep(Settings):
    """What of one kind stays. Neither `keep_last` nor `max_bytes`: everything."""

    keep_last: int | None = setting(
        optional(_COUNT), None, "How many of the newest always stay, for each profile and target; the others may go."
    )
    max_bytes: int | None = setting(
        optional(size()), None, "Room for all of them: the oldest go until they fit, and no more than that."
    )
    min_age: float = setting(span(), 0.0, "Nothing younger than this goes; mounts: used since then.")

    @property
    def idle(self) -> bool:
        """Whether it lets nothing go at all."""
        return self.keep_last is None and self.max_bytes is None

    @property
    def floor(self) -> int:
        """How many stay in any case. A limit in bytes alone leaves one: none would help nobody."""
        return 1 if self.keep_last is None else self.keep_last


@settings_class
class Retention(Settings):
    """What stays when caches are collected: by default everything."""

    after_build: bool = setting(
        boolean(), False, "Collect after each build that built something; otherwise `doit cache_gc` does it."
    )
    keep_tags: tuple[str, ...] = setting(
        many(text("a pattern of tags", r"[\w.*?\[\]!-]+"), "patterns of tags"),
        NO_TEXT,
        "Images with a tag like one of these patterns (`v*`) stay.",
    )
    protect: tuple[str, ...] = setting(
        many(choice("current", "worktrees"), "current, worktrees"),
        ("current", "worktrees"),
        "What else stays: what the tree as it stands asks for; the newest app of each checkout that is there.",
    )
    base: Keep = section(Keep, "Base images.")
    deps: Keep = section(Keep, "Deps images.")
    app: Keep = section(Keep, "App images.")
    mounts: Keep = section(Keep, "Target mounts of the app builds; `keep_last` counts for each checkout.")

    @property
    def idle(self) -> bool:
        """Whether it lets nothing go at all."""
        return self.base.idle and self.deps.idle and self.app.idle and self.mounts.idle


@settings_class
class Dockerfiles(Settings):
    """A project's own Dockerfiles."""

    base: str | None = setting(optional(INSIDE), None, "Your own Dockerfile.base.")
    deps: str | None = setting(optional(INSIDE), None, "Your own Dockerfile.deps.")
    app: str | None = setting(optional(INSIDE), None, "Your own Dockerfile.app.")


@settings_class
class Health(Settings):
    """When a container may take over."""

    path: str | None = setting(optional(ABSOLUTE), None, "HTTP path that answers 2xx or 3xx once the service is ready.")
    command: tuple[str, ...] | None = setting(
        optional(COMMAND), None, "Command in the container that succeeds once it is ready."
    )
    timeout: float = setting(seconds(1), 30.0, "Seconds until a container that is not healthy counts as failed.")


@settings_class
class Deploy(Settings):
    """The container that is run."""

    name: str | None = setting(
        optional(text("a container name", r"[A-Za-z0-9][\w.-]+")),
        None,
        "Name of the container; default: the project's.",
    )
    port: int | None = setting(optional(PORT), None, "Port that the service listens on, in the container.")
    publish: int | None = setting(
        optional(integer("a port from 0 to 65535", 0, 65535)),
        None,
        "Port on this machine; default, and 0: the first free one from `port` on, kept while it serves.",
    )
    bind: str = setting(ADDRESS, "127.0.0.1", "Address on this machine that the port is bound to.")
    health: Health = section(Health, "When a new container counts as healthy and may take over.")
    env: Mapping[str, str] = setting(
        table(VARIABLE, text(switches=True), "a mapping of variable names to text"),
        NO_ENV,
        "Environment of the container.",
    )
    volumes: tuple[str, ...] = setting(
        many(text("a volume as source:target[:options]", r"[^:]+:/[^:]*(:[\w,]+)?"), "volumes"),
        NO_TEXT,
        "Volumes and mounts.",
    )
    args: tuple[str, ...] = setting(
        many(TEXT, "texts", unique=False), NO_TEXT, "Arguments of the entry point, in place of image.cmd."
    )
    network: str | None = setting(optional(text("a network name", r"[\w.:-]+")), None, "Docker network to join.")
    isolated_start: bool = setting(
        boolean(),
        True,
        "A replacement starts on a network without a way out and is connected when healthy: the shortest gap. "
        "`false`: for a service that needs others at its start but does not fail without them.",
    )
    stop_grace: float = setting(seconds(0), 3.0, "Seconds an old container has to stop before it is killed.")


@settings_class
class Config(Settings):
    """Everything a project decides; `source` is what it was read from."""

    project: str | None = setting(
        optional(PROJECT), None, "Name of the project; default: the package's or the folder's."
    )
    packages: tuple[str, ...] = setting(
        many(PACKAGE, "cargo package names"),
        NO_TEXT,
        "Packages to build; default: those with binaries among the default members.",
    )
    bins: tuple[str, ...] = setting(
        many(BINARY, "binary names"), NO_TEXT, "Binaries to put into the image; default: all of them."
    )
    profile: str = setting(PROFILE, "dev", "Cargo profile: dev, release, or one of your own.")
    features: tuple[str, ...] = setting(many(FEATURE, "features"), NO_TEXT, "Features to switch on.")
    all_features: bool = setting(boolean(), False, "Switch all features on.")
    default_features: bool = setting(boolean(), True, "Leave the default features on.")
    target: str | None = setting(optional(TARGET), None, "Target triple; default: the builder's own.")
    toolchain: str | None = setting(
        optional(text("a Rust toolchain", r"[\w.-]+")),
        None,
        "Rust toolchain, in place of what rust-toolchain.toml names.",
    )
    env: Mapping[str, str] = setting(BUILD_ENV, NO_ENV, "Environment of cargo, such as RUSTFLAGS; not for secrets.")
    sources: Sources = section(Sources, "Which files the build sees; default: what git sees.")
    base: Base = section(Base, "The base layer: system, C toolchain, Rust toolchain.")
    deps: Deps = section(Deps, "The deps layer: third-party crates, compiled.")
    image: Image = section(Image, "The finished image.")
    registry: Registry = section(Registry, "Where layers are shared with other machines.")
    builder: str | None = setting(optional(NAME), None, "buildx builder to build on; default: the current one.")
    dockerfiles: Dockerfiles = section(
        Dockerfiles, "Your own Dockerfiles in place of the shipped ones; part of the keys."
    )
    deploy: Deploy = section(Deploy, "The container that cycle_fast and deploy run.")
    retention: Retention = section(Retention, "Which images and mounts stay when caches are collected.")
    targets: Mapping[str, str] = setting(measurements(), NO_ENV, "What `doit layers report --check` demands, by name.")
    source: tuple[Path, ...] = ()
    where: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)
