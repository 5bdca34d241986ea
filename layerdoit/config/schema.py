"""The settings: every field names its kind, its default and its line of documentation.

The reader, the error messages and docs/configuration.md are made from this table.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

from layerdoit.config.kinds import (
    Invalid,
    Kind,
    Node,
    Settings,
    boolean,
    choice,
    integer,
    many,
    optional,
    repository_name,
    seconds,
    section,
    setting,
    settings_class,
    size,
    span,
    suggestion,
    table,
    text,
    wrong,
)
from layerdoit.config.targets import targets as measurements

LAYERS = ("base", "deps", "app")
NO_TEXT: tuple[str, ...] = ()
NO_ENV: Mapping[str, str] = {}

# --- kinds of value that are particular to this schema ---------------------------------------------------------------

_CREDENTIAL = r"(?i)TOKEN(?!I[ZS])|PASSWORD|PASSWD|SECRET|GH_PAT|(^|_)PAT$|(_|API|ACCESS|PRIVATE)KEY(S?$|_)"
_LOGIN_IN_ADDRESS = r"://[^/\s:@]+:[^/\s@]+@"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"


def secret_looking(name: str) -> bool:
    """Whether a variable of this name probably holds a credential."""
    return re.search(_CREDENTIAL, name) is not None


def _public_env(expected: str, hint: str) -> Kind:
    """Variables that end up in an image or in a build's record: no credential may be among them."""
    plain = table(_VARIABLE, text(switches=True), expected)

    def parse(node: Node) -> dict[str, str]:
        parsed: dict[str, str] = plain.parse(node)
        for name, given in parsed.items():
            if secret_looking(name):
                problem = f'"{name}" looks like a secret'
            elif re.search(_LOGIN_IN_ADDRESS, given):
                problem = f'the value of "{name}" holds a password in an address'
            else:
                continue
            assert isinstance(node.value, Mapping)  # noqa: S101 - `plain` has checked it
            raise Invalid(
                node.value[name], f"{problem}: it would be readable in the image", inside=f".{name}", hint=hint
            )
        return parsed

    return Kind(expected, parse, json=plain.json)


def _on_missing() -> Kind:
    steps = many(choice("pull", "build"), "pull, build")

    def parse(node: Node) -> tuple[str, ...]:
        if node.value == "fail":
            return ()
        if isinstance(node.value, tuple):
            if len(node.value) == 1 and node.value[0].value == "fail":
                return ()
            return tuple(steps.parse(node))
        words = ("pull", "build", "fail")
        hint = suggestion(node.value, words, "valid values") if isinstance(node.value, str) else None
        raise wrong(node, steps.expected + ", or the word fail", hint=hint)

    either = {"anyOf": [steps.json, {"enum": ["fail", ["fail"]]}]}
    return Kind("a list of pull, build; or the word fail", parse, many=True, json=either)


def _command() -> Kind:
    words = many(_TEXT, "texts", unique=False, at_least=1)

    def parse(node: Node) -> tuple[str, ...]:
        if isinstance(node.value, str) and node.value.strip():
            return ("/bin/sh", "-c", node.value)
        if isinstance(node.value, tuple):
            return tuple(words.parse(node))
        raise wrong(node, "a shell command or a list of arguments")

    either = {"anyOf": [{"type": "string", "pattern": r"\S"}, words.json]}
    return Kind("a shell command or a list of arguments", parse, json=either)


def _address() -> Kind:
    def parse(node: Node) -> str:
        import ipaddress

        try:
            return str(ipaddress.ip_address(str(node.value)))
        except ValueError:
            raise wrong(node, "an IP address", hint="127.0.0.1 for this machine only, 0.0.0.0 for everyone") from None

    return Kind("an IP address", parse, json={"type": "string"})


def _project() -> Kind:
    def parse(node: Node) -> str:
        return repository_name(_NAME.parse(node))

    return Kind("a name", parse, json=_NAME.json)


_TEXT = text()
_NAME = text("a name", r"\S(.*\S)?")
_VARIABLE = text("a variable name", r"[A-Za-z_][A-Za-z0-9_]*")
_PACKAGE = text("a cargo package name", r"[\w-]+")
_BINARY = text("a binary name", r"[\w-]+")
_FEATURE = text("a feature", r"[\w+.-]+(/[\w+.-]+)?")
_DEBIAN = text("a Debian package name", r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=\S+)?")
_IMAGE = text("an image reference", r"[\w.:/@-]+")
_REPOSITORY = text(
    "an image repository without tag",
    rf"(?:[A-Za-z0-9.-]+(?::\d+)?/)?{_COMPONENT}(?:/{_COMPONENT})*",
    hint="such as registry.example.com/team/shop: small letters, digits, single . _ - between them",
)
_TAG = text("an image tag", r"\w[\w.-]{0,127}")
_PORT = integer("a port from 1 to 65535", 1, 65535)
_EXPOSE = text("a port, or a port with /tcp or /udp", r"\d{1,5}(/(tcp|udp))?")
_ABSOLUTE = text("an absolute path", r"/.*")
_INSIDE = text("a path inside the project", r"(?!/)(?!(.*/)?\.\.(/|$)).+")
_PROFILE = text("a cargo profile", r"(?!debug$)[\w-]+", hint="dev, release, or a [profile.<name>] of Cargo.toml")
_TARGET = text("a target triple", r"\w+(-[\w.]+){1,4}", hint="such as x86_64-unknown-linux-musl")
_LABEL = text("a label outside io.layerdoit", r"(?!io\.layerdoit(\.|$))\S+")
_BUILD_ENV = _public_env(
    "a mapping of variable names to text",
    "leave it out and use build secrets: the host's cargo configuration and credentials reach the build as such",
)
_IMAGE_ENV = _public_env(
    "a mapping of variable names to text",
    "leave it out here and give it to the container at run time, under deploy.env",
)


# Each class has a docstring also because `dataclass` derives a missing one from the signature, which is slow.
# --- the schema ------------------------------------------------------------------------------------------------------


@settings_class
class Sources(Settings):
    """What the build sees."""

    include: tuple[str, ...] = setting(
        many(_TEXT, "patterns"), NO_TEXT, "Files the build sees although git ignores them."
    )
    exclude: tuple[str, ...] = setting(
        many(_TEXT, "patterns"), NO_TEXT, "Files the build never sees, besides those of .gitignore and .dockerignore."
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
        optional(_IMAGE), None, "Image to build on; default: the official Rust image of the toolchain."
    )
    runtime_image: str | None = setting(
        optional(_IMAGE), None, "Image that binaries are put on; default: slim Debian of `suite`."
    )
    suite: str = setting(text("a Debian suite", r"[a-z]+"), "trixie", "Debian suite of both images.")
    packages: tuple[str, ...] = setting(
        many(_DEBIAN, "Debian package names"), NO_TEXT, "Debian packages that the build needs, besides the C toolchain."
    )
    runtime_packages: tuple[str, ...] = setting(
        many(_DEBIAN, "Debian package names"), NO_TEXT, "Debian packages that the binaries need to run."
    )
    on_missing: tuple[str, ...] = setting(
        _on_missing(),
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
        optional(_REPOSITORY), None, "Repository of the finished image; default: the project's name."
    )
    tags: tuple[str, ...] = setting(
        many(_TAG, "image tags"), ("latest",), "Tags of the finished image, besides the keyed one."
    )
    entrypoint: str | None = setting(
        optional(_BINARY), None, "Binary that the image runs; default: the only one, or the one named as the project."
    )
    cmd: tuple[str, ...] = setting(many(_TEXT, "texts", unique=False), NO_TEXT, "Arguments of the entry point.")
    env: Mapping[str, str] = setting(_IMAGE_ENV, NO_ENV, "Environment in the image; not for secrets.")
    labels: Mapping[str, str] = setting(
        table(_LABEL, text(switches=True), "a mapping of labels to text"), NO_ENV, "Labels of the image."
    )
    user: str = setting(text("a user name or number", r"[\w.-]+(:[\w.-]+)?"), "app", "User that the container runs as.")
    workdir: str = setting(_ABSOLUTE, "/srv", "Working directory in the container.")
    expose: tuple[str, ...] = setting(many(_EXPOSE, "ports"), NO_TEXT, "Ports that the image declares.")
    assets: Mapping[str, str] = setting(
        table(_INSIDE, _ABSOLUTE, "a mapping of paths in the project to absolute paths in the image"),
        NO_ENV,
        "Files and folders copied into the image after compilation; a change never runs cargo.",
    )
    smoke: tuple[str, ...] = setting(
        many(_TEXT, "argument lines"),
        NO_TEXT,
        "Argument lines, such as `--version`: the entry point must succeed with each before the image is tagged.",
    )


@settings_class
class Registry(Settings):
    """Where layers are shared."""

    repository: str | None = setting(
        optional(_REPOSITORY), None, "Repository that keyed layers are pulled from and pushed to."
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


@settings_class
class Dockerfiles(Settings):
    """A project's own Dockerfiles."""

    base: str | None = setting(optional(_INSIDE), None, "Your own Dockerfile.base.")
    deps: str | None = setting(optional(_INSIDE), None, "Your own Dockerfile.deps.")
    app: str | None = setting(optional(_INSIDE), None, "Your own Dockerfile.app.")


@settings_class
class Health(Settings):
    """When a container may take over."""

    path: str | None = setting(
        optional(_ABSOLUTE), None, "HTTP path that answers 2xx or 3xx once the service is ready."
    )
    command: tuple[str, ...] | None = setting(
        optional(_command()), None, "Command in the container that succeeds once it is ready."
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
    port: int | None = setting(optional(_PORT), None, "Port that the service listens on, in the container.")
    publish: int | None = setting(
        optional(integer("a port from 0 to 65535", 0, 65535)),
        None,
        "Port on this machine; default: the same as `port`; 0: a free one.",
    )
    bind: str = setting(_address(), "127.0.0.1", "Address on this machine that the port is bound to.")
    health: Health = section(Health, "When a new container counts as healthy and may take over.")
    env: Mapping[str, str] = setting(
        table(_VARIABLE, text(switches=True), "a mapping of variable names to text"),
        NO_ENV,
        "Environment of the container.",
    )
    volumes: tuple[str, ...] = setting(
        many(text("a volume as source:target[:options]", r"[^:]+:/[^:]*(:[\w,]+)?"), "volumes"),
        NO_TEXT,
        "Volumes and mounts.",
    )
    args: tuple[str, ...] = setting(
        many(_TEXT, "texts", unique=False), NO_TEXT, "Arguments of the entry point, in place of image.cmd."
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
        optional(_project()), None, "Name of the project; default: the package's or the folder's."
    )
    packages: tuple[str, ...] = setting(
        many(_PACKAGE, "cargo package names"),
        NO_TEXT,
        "Packages to build; default: those with binaries among the default members.",
    )
    bins: tuple[str, ...] = setting(
        many(_BINARY, "binary names"), NO_TEXT, "Binaries to put into the image; default: all of them."
    )
    profile: str = setting(_PROFILE, "dev", "Cargo profile: dev, release, or one of your own.")
    features: tuple[str, ...] = setting(many(_FEATURE, "features"), NO_TEXT, "Features to switch on.")
    all_features: bool = setting(boolean(), False, "Switch all features on.")
    default_features: bool = setting(boolean(), True, "Leave the default features on.")
    target: str | None = setting(optional(_TARGET), None, "Target triple; default: the builder's own.")
    toolchain: str | None = setting(
        optional(text("a Rust toolchain", r"[\w.-]+")),
        None,
        "Rust toolchain, in place of what rust-toolchain.toml names.",
    )
    env: Mapping[str, str] = setting(_BUILD_ENV, NO_ENV, "Environment of cargo, such as RUSTFLAGS; not for secrets.")
    sources: Sources = section(Sources, "Which files the build sees; default: what git sees.")
    base: Base = section(Base, "The base layer: system, C toolchain, Rust toolchain.")
    deps: Deps = section(Deps, "The deps layer: third-party crates, compiled.")
    image: Image = section(Image, "The finished image.")
    registry: Registry = section(Registry, "Where layers are shared with other machines.")
    builder: str | None = setting(optional(_NAME), None, "buildx builder to build on; default: the current one.")
    dockerfiles: Dockerfiles = section(
        Dockerfiles, "Your own Dockerfiles in place of the shipped ones; part of the keys."
    )
    deploy: Deploy = section(Deploy, "The container that cycle_fast and deploy run.")
    retention: Retention = section(Retention, "Which images and mounts stay when caches are collected.")
    targets: Mapping[str, str] = setting(measurements(), NO_ENV, "What `doit layers report --check` demands, by name.")
    source: tuple[Path, ...] = ()
    where: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)
