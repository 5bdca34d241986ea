"""The settings: every field names its kind, its default and its line of documentation.

The reader, the error messages and docs/configuration.md are made from this table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from layerdoit.config.builders_section import NATIVE
from layerdoit.config.ci_section import Ci
from layerdoit.config.components_section import Component
from layerdoit.config.deploy_section import NO_ENV, NO_TEXT, Deploy, Hooks
from layerdoit.config.environments import environments as stages
from layerdoit.config.image_section import Image
from layerdoit.config.keep_section import Keep
from layerdoit.config.kinds import (
    Settings,
    boolean,
    choice,
    integer,
    many,
    optional,
    section,
    sections,
    setting,
    switch_or,
    text,
)
from layerdoit.config.platforms_section import PLATFORM
from layerdoit.config.publish_section import Publish
from layerdoit.config.registry_section import Registry
from layerdoit.config.sccache_section import Sccache
from layerdoit.config.services_section import COMPONENT, SERVICE, Service, ServiceBase
from layerdoit.config.targets import targets as measurements
from layerdoit.config.values import (
    BINARY,
    DEBIAN,
    ENV,
    FEATURE,
    IMAGE,
    INSIDE,
    NAME,
    ON_MISSING,
    PACKAGE,
    PROFILE,
    PROJECT,
    REPOSITORY,
    TARGET,
    TEXT,
    VARIABLE,
)
from layerdoit.config.watch_section import Watch

# Each class has a docstring also because `dataclass` derives a missing one from the signature, which is slow.


class Sources(Settings):
    """The files that builds get."""

    include: tuple[str, ...] = setting(
        many(TEXT, "patterns"),
        NO_TEXT,
        "Files that builds get although git ignores them, or although they lie above the project, in the same git "
        "repository: `web/dist`, `../schema`.",
    )
    exclude: tuple[str, ...] = setting(
        many(TEXT, "patterns"), NO_TEXT, "Files that builds never get, in addition to .gitignore and .dockerignore."
    )


class Base(Settings):
    """The base layer."""

    builder: str = setting(
        choice("auto", "image", "bootstrap"),
        "auto",
        "`image`: build on official images; `bootstrap`: build without any; `auto`: whichever is possible.",
    )
    image: str | None = setting(
        optional(IMAGE), None, "Image to build on; default: the official Rust image of the toolchain."
    )
    runtime_image: str | None = setting(
        optional(IMAGE), None, "Image that the binaries run on; default: slim Debian of `suite`."
    )
    suite: str = setting(text("a Debian suite", r"[a-z]+"), "trixie", "Debian suite of both images.")
    packages: tuple[str, ...] = setting(
        many(DEBIAN, "Debian package names"),
        NO_TEXT,
        "Debian packages that the build needs, in addition to the C toolchain.",
    )
    runtime_packages: tuple[str, ...] = setting(
        many(DEBIAN, "Debian package names"), NO_TEXT, "Debian packages that the binaries need at run time."
    )
    targets: tuple[str, ...] = setting(
        many(TARGET, "target triples"),
        NO_TEXT,
        "Targets that the builder's Rust has besides the one that is built, for build scripts that compile for them.",
    )
    on_missing: tuple[str, ...] = setting(
        ON_MISSING,
        ("pull", "build"),
        "What to try, in this order, when this machine does not have the base image; `fail`: stop.",
    )


class Build(Settings):
    """What builds are told besides the files."""

    git: str = setting(
        choice("none", "commit", "full"),
        "none",
        "What build scripts and macros learn from git: nothing; the commit, its tags and whether the tree differs from "
        "it; or, with `full`, also the branch and which files earlier commits changed.",
    )
    binary: str | None = setting(
        optional(INSIDE),
        None,
        "Program that was compiled elsewhere, by its path in the project, such as a CI artefact or the output of a "
        "cross build: it is packed into the image, and nothing is compiled.",
    )


class Deps(Settings):
    """The deps layer."""

    delta: bool = setting(
        boolean(), True, "Build on the nearest earlier deps image, so that only crates that changed compile."
    )
    max_chain: int = setting(
        integer("a number from 1 to 100", 1, 100),
        8,
        "How many deps images may build on one another before one is compiled from scratch.",
    )
    donors: str = setting(
        switch_or("private"),
        "true",
        "Take what deps images of other projects on this engine have compiled already, and let them take what this one "
        "has: crates of crates.io; `private`: between projects that say so, also those of git and other registries; "
        "`false`: nothing.",
    )
    lenders: tuple[str, ...] = setting(
        many(REPOSITORY, "repositories"),
        NO_TEXT,
        "Repositories of other projects in registries, such as `registry.example.com/team/shop`: where too little is "
        "taken on this engine, their nearest deps images are pulled, and lend too.",
    )
    env: tuple[str, ...] = setting(
        many(VARIABLE, "variable names"),
        NO_TEXT,
        "Variables of `env` that third-party crates read too, so that a new value compiles them all anew.",
    )
    sccache: Sccache = section(
        Sccache, "A store that compilers of many machines share by sccache: third-party crates come from it."
    )


class Retention(Settings):
    """What retention keeps: by default everything."""

    after_build: bool = setting(
        boolean(),
        False,
        "Apply retention after each run that built something; otherwise only `doit cache_gc` applies it.",
    )
    keep_tags: tuple[str, ...] = setting(
        many(text("a pattern of tags", r"[\w.*?\[\]!-]+"), "patterns of tags"),
        NO_TEXT,
        "Keep images with a tag that matches one of these patterns (`v*`).",
    )
    protect: tuple[str, ...] = setting(
        many(choice("current", "worktrees"), "current, worktrees"),
        ("current", "worktrees"),
        "Also keep the images of the current tree (`current`) and the newest app of each checkout (`worktrees`).",
    )
    base: Keep = section(Keep, "Base images.")
    deps: Keep = section(Keep, "Deps images.")
    app: Keep = section(Keep, "App images.")
    mounts: Keep = section(Keep, "Target mounts of app builds; `keep_last` counts per checkout.")

    @property
    def idle(self) -> bool:
        """Whether nothing is ever removed."""
        return self.base.idle and self.deps.idle and self.app.idle and self.mounts.idle


class Dockerfiles(Settings):
    """A project's own Dockerfiles."""

    base: str | None = setting(optional(INSIDE), None, "Your own Dockerfile.base.")
    deps: str | None = setting(optional(INSIDE), None, "Your own Dockerfile.deps.")
    app: str | None = setting(optional(INSIDE), None, "Your own Dockerfile.app.")


class Config(Settings):
    """All settings of a project. `source`: the files that they were read from.

    `environment`: which environment they are of; `named`: whether it is another one than where ENV names none, so that
    what it runs has names of its own. `where`: file and line of each setting, by its path; `given`: the values that the
    files give, by name, without those of variables.
    """

    project: str | None = setting(
        optional(PROJECT),
        None,
        "Name of the project, its own on this engine; default: the name of its package or folder.",
    )
    packages: tuple[str, ...] = setting(
        many(PACKAGE, "cargo package names"),
        NO_TEXT,
        "Packages to build; default: the default members that have binaries, with the features that `cargo build` "
        "gives them.",
    )
    bins: tuple[str, ...] = setting(
        many(BINARY, "binary names"), NO_TEXT, "Binaries to put into the image; default: all."
    )
    profile: str = setting(PROFILE, "dev", "Cargo profile: dev, release, or one of your own.")
    warnings: str = setting(
        choice("show", "count", "deny"),
        "show",
        "Warnings of cargo, and of the compiler in the workspace's own crates: `show` prints those of the crates that "
        "were compiled and counts the others, `count` counts all, `deny` fails the build for one of the compiler. "
        "Beside errors, 20 at most are shown.",
    )
    features: tuple[str, ...] = setting(many(FEATURE, "features"), NO_TEXT, "Features to enable.")
    all_features: bool = setting(boolean(), False, "Enable all features.")
    default_features: bool = setting(boolean(), True, "Enable the default features.")
    target: str | None = setting(optional(TARGET), None, "Target triple; default: the builder's.")
    toolchain: str | None = setting(
        optional(text("a Rust toolchain", r"[\w.-]+")),
        None,
        "Rust toolchain; overrides rust-toolchain.toml.",
    )
    env: Mapping[str, str] = setting(ENV, NO_ENV, "Environment variables of cargo, such as RUSTFLAGS; not for secrets.")
    not_secret: tuple[str, ...] = setting(
        many(TEXT, "names"),
        NO_TEXT,
        "Variables and labels that are no credentials although their names or values look like it (`JWT_PUBLIC_KEY`).",
    )
    sources: Sources = section(Sources, "Which files builds get; default: those that git does not ignore.")
    build: Build = section(Build, "What builds are told besides the files.")
    base: Base = section(Base, "The base layer: system, C toolchain, Rust toolchain.")
    deps: Deps = section(Deps, "The deps layer: third-party crates, compiled.")
    image: Image = section(Image, "The finished image.")
    registry: Registry = section(Registry, "Where layers are shared with other machines.")
    publish: Publish = section(Publish, "Images for people: where they are pushed, under which tags.")
    services: Mapping[str, Service] = sections(
        SERVICE,
        Service,
        "Programs that are images and deployments of their own, by name: `{api: {bins: [shop-api], port: 8080}}`. They "
        "share base, deps and one compilation. `doit cycle_fast` is about all, `doit cycle_fast:api` about one.",
    )
    components: Mapping[str, Component] = sections(
        COMPONENT,
        Component,
        "Parts that are not built by cargo, by name: `{web: {kind: node, path: web, output: dist, into: /srv/web}}`.",
    )
    variants: Mapping[str, ServiceBase] = sections(
        SERVICE,
        ServiceBase,
        "Runtime images of other content for the same binaries, by name: `{debug: {runtime_packages: [gdb, curl]}}`; "
        "VARIANT=debug chooses one.",
    )
    platforms: tuple[str, ...] = setting(
        many(PLATFORM, "platforms"),
        NO_TEXT,
        "Platforms that published images are for: `[linux/amd64, linux/arm64]`; default: the engine's. Other tasks "
        "build for the engine's, or for the one that PLATFORM names.",
    )
    cross: str = setting(
        choice("auto", "gcc", "zig", "never"),
        "auto",
        "How programs for another platform than the builder's are compiled: `gcc` cross-compiles with Debian's "
        "compiler, `zig` with zig, for the glibc that `target` names (`aarch64-unknown-linux-gnu.2.31`), `never` "
        "compiles under emulation, which is many times slower; `auto`: `gcc`.",
    )
    builder: str | None = setting(
        optional(NAME),
        None,
        "buildx builder to build on, of any driver; default: the one that `docker buildx build` takes (BUILDX_BUILDER, "
        "`docker buildx use`, the engine's own); `default` is the engine's own.",
    )
    builders: Mapping[str, str] = setting(
        NATIVE,
        NO_ENV,
        "Builders of other platforms, by architecture: `{arm64: NAME}`; each builds what is for its own platform.",
    )
    dockerfiles: Dockerfiles = section(
        Dockerfiles, "Your own Dockerfiles, used instead of the shipped ones; they are part of the keys."
    )
    deploy: Deploy = section(Deploy, "The container that cycle_fast and deploy run.")
    hooks: Hooks = section(Hooks, "Your own commands, before and after builds and deployments.")
    environments: Mapping[str, Any] = setting(
        stages(),
        {},
        "Rules of environments, by name: `prod: {require: [clean, pushed, branch: main], confirm: true}`; `default`: "
        "the environment where ENV names none; `require_environment: true`: ENV must name one to deploy. The settings "
        "of an environment are in `layerdoit.<name>.yaml`.",
    )
    retention: Retention = section(Retention, "Which images and mounts retention keeps.")
    watch: Watch = section(Watch, "`doit watch`: an edit serves before its image is made.")
    ci: Ci = section(Ci, "What `doit layers ci` writes for a CI service.")
    targets: Mapping[str, str] = setting(
        measurements(), NO_ENV, "Targets that `doit layers report --check` checks, by name."
    )
    source: tuple[Path, ...] = ()
    environment: str = "dev"
    named: bool = False
    where: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    given: Mapping[str, Any] = dataclasses.field(default_factory=dict, compare=False, repr=False)
