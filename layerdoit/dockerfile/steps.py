"""A Dockerfile in build order: the steps of each stage's whole lineage, with folder, variables and mounts."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from layerdoit.dockerfile import parse as syntax
from layerdoit.dockerfile.parse import Dockerfile, Instruction, Stage

# Subcommands that compile the workspace; `install` does with --path only.
_COMPILES = frozenset(
    {"build", "b", "rustc", "install", "zigbuild", "leptos", "auditable", "lambda", "dist", "component"}
)
_DROPS = frozenset({"gosu", "su-exec", "setpriv", "runuser", "s6-setuidgid", "chpst"})
NO_ROOT_IMAGE = re.compile(r"nonroot|chainguard|cgr\.dev|windows|nanoserver|unprivileged|rootless|bitnami")
"""Images that name another user than root themselves."""
_SOURCE_FOLDERS = frozenset({"src", "crates", "lib", "libs"})


@dataclass(frozen=True)
class Mount:
    """One `--mount` of a RUN; `target` is absolute."""

    kind: str
    target: str
    id: str | None
    source: str | None
    origin: str | None
    """`from=`."""


@dataclass(frozen=True)
class Cargo:
    """A call of cargo: the subcommand and the words after it."""

    name: str
    args: tuple[str, ...]
    folder: str

    @property
    def compiles(self) -> bool:
        """Whether it compiles the workspace's own packages."""
        if self.name == "chef":
            return False
        if self.name == "install":
            return any(word == "--path" or word.startswith("--path=") for word in self.args)
        return self.name in _COMPILES

    @property
    def cooks(self) -> bool:
        return self.name == "chef" and self.args[:1] == ("cook",)

    @property
    def installs(self) -> str | None:
        """The first crate that is installed from a registry or git."""
        if self.name != "install" or self.compiles:
            return None
        rest = iter(self.args)
        for word in rest:
            if word in (
                "--version",
                "--vers",
                "--git",
                "--tag",
                "--rev",
                "--branch",
                "--features",
                "-F",
                "--root",
                "--target",
                "--jobs",
                "-j",
                "--profile",
                "--registry",
            ):
                next(rest, None)
            elif not word.startswith("-"):
                return word.partition("@")[0]
        return "a tool"


@dataclass(frozen=True)
class Step:
    """An instruction within the build of a stage. `own`: it is in the stage itself, not in one that it builds on."""

    instruction: Instruction
    own: bool
    folder: str
    known: Mapping[str, str]
    mounts: tuple[Mount, ...] = ()
    cargo: tuple[Cargo, ...] = ()
    commands: tuple[tuple[str, ...], ...] = field(default=(), repr=False)

    @property
    def where(self) -> str:
        return self.instruction.where

    @property
    def text(self) -> str:
        """The whole instruction, including heredocs."""
        return "\n".join((self.instruction.value, *self.instruction.bodies))

    @property
    def compiles(self) -> bool:
        return any(call.compiles for call in self.cargo)

    @property
    def cooks(self) -> bool:
        return any(call.cooks for call in self.cargo)

    @property
    def target_dirs(self) -> frozenset[str]:
        """The target folders of its cargo calls, if they are named."""
        return frozenset(_target_dir(call, self.known) for call in self.cargo if call.compiles or call.cooks)

    @property
    def target_mount(self) -> Mount | None:
        """The cache mount that covers the target folder."""
        for mount in self.mounts:
            named = posixpath.basename(mount.target) == "target"
            covers = any(folder == mount.target or folder.startswith(f"{mount.target}/") for folder in self.target_dirs)
            if mount.kind == "cache" and (named or covers):
                return mount
        return None

    @property
    def copied(self) -> tuple[str, ...]:
        """What a COPY or ADD takes from the context, without a leading `./`."""
        if self.instruction.keyword not in ("COPY", "ADD") or self.instruction.flag("from") is not None:
            return ()
        words = self.instruction.json or tuple(syntax.split(syntax.expand(self.instruction.value, self.known)))
        plain = [
            posixpath.normpath(word).lstrip("/") or "." for word in words[:-1] if "://" not in word and "<<" not in word
        ]
        return tuple(plain)

    @property
    def brings_sources(self) -> bool:
        """Whether it copies the project's code, so that every edit changes it."""
        return any(_is_source(path) for path in self.copied)

    @property
    def taken(self) -> tuple[tuple[str, str], ...]:
        """(stage or image, absolute path) of what a COPY takes from another stage or image."""
        origin = self.instruction.flag("from")
        if self.instruction.keyword != "COPY" or origin is None:
            return ()
        words = self.instruction.json or tuple(syntax.split(self.instruction.value))
        return tuple((syntax.expand(origin, self.known), word) for word in words[:-1])


def _is_source(path: str) -> bool:
    first, name = path.partition("/")[0], posixpath.basename(path)
    if path in (".", "*") or (name.endswith(".rs") and name != "build.rs"):
        return True
    # A manifest in such a folder is no code.
    return first in _SOURCE_FOLDERS and "." not in name


def _target_dir(call: Cargo, known: Mapping[str, str]) -> str:
    words = call.args
    for index, word in enumerate(words):
        if word == "--target-dir" and index + 1 < len(words):
            return posixpath.normpath(posixpath.join(call.folder, words[index + 1]))
        if word.startswith("--target-dir="):
            return posixpath.normpath(posixpath.join(call.folder, word.partition("=")[2]))
    named = known.get("CARGO_TARGET_DIR") or known.get("CARGO_BUILD_TARGET_DIR") or "target"
    return posixpath.normpath(posixpath.join(call.folder, named))


def steps(file: Dockerfile, stage: Stage) -> list[Step]:
    """All steps, from the lowest stage that `stage` builds on to its own end."""
    out: list[Step] = []
    folder = "/"
    known: dict[str, str] = {}
    shared: dict[str, str] = {}
    for name, value in file.args.items():
        if value is not None:
            shared[name] = syntax.expand(value, shared)
    for level in file.lineage(stage):
        arguments: dict[str, str] = {}
        for instruction in level.instructions:
            now = {**arguments, **known}
            if instruction.keyword == "WORKDIR":
                folder = posixpath.normpath(posixpath.join(folder, syntax.expand(instruction.value.strip("\"'"), now)))
            elif instruction.keyword == "ENV":
                set_now = syntax.assignments(instruction)
                known.update({name: syntax.expand(value, now) for name, value in set_now.items() if value is not None})
            elif instruction.keyword == "ARG":
                for name, value in syntax.assignments(instruction).items():
                    given = shared.get(name) if value is None else value
                    if given is not None:
                        arguments[name] = syntax.expand(given, now)
            out.append(_step(instruction, level is stage, folder, {**arguments, **known}))
    return out


def _step(instruction: Instruction, own: bool, folder: str, known: Mapping[str, str]) -> Step:
    if instruction.keyword != "RUN":
        return Step(instruction, own, folder, known)
    mounts = tuple(_mount(value, folder, known) for name, value in instruction.flags if name == "mount")
    words = tuple(command.words for command in syntax.commands(instruction, known))
    return Step(instruction, own, folder, known, mounts, tuple(_calls(words, folder)), words)


def _mount(value: str, folder: str, known: Mapping[str, str]) -> Mount:
    fields = {name: item for name, _, item in (part.partition("=") for part in value.split(","))}
    target = fields.get("target") or fields.get("dst") or fields.get("destination") or ""
    return Mount(
        fields.get("type", "bind"),
        posixpath.normpath(posixpath.join(folder, syntax.expand(target, known))),
        fields.get("id"),
        fields.get("source") or fields.get("src"),
        fields.get("from"),
    )


def _calls(commands: tuple[tuple[str, ...], ...], folder: str) -> Iterator[Cargo]:
    for words in commands:
        if words[0] == "cd" and len(words) > 1:
            folder = posixpath.normpath(posixpath.join(folder, words[1]))
        program = posixpath.basename(words[0])
        rest = [word for word in words[1:] if not word.startswith("+")]
        if program == "cargo" and rest:
            # Options such as `--config` stand before the subcommand; they take a value.
            while rest and rest[0].startswith("-"):
                rest = rest[2:] if rest[0] in ("--config", "-C", "-Z", "--color") else rest[1:]
            if rest and re.fullmatch(r"[\w-]+", rest[0]):
                yield Cargo(rest[0], tuple(rest[1:]), folder)
        elif program == "cargo-chef" and rest:
            yield Cargo("chef", tuple(rest[1:] if rest[0] == "chef" else rest), folder)


def root_image(file: Dockerfile, stage: Stage) -> str:
    """The image that a stage's lineage starts from."""
    return file.lineage(stage)[0].base


def drops_root(happening: Iterable[Step]) -> bool:
    """Whether a program that gives up being root is called."""
    return any(_DROPS & set(re.findall(r"[\w-]+", step.text)) for step in happening)


def changes_user(file: Dockerfile, stage: Stage) -> bool:
    """Whether a stage that names no user may still run as another one than root."""
    image = root_image(file, stage)
    return "$" in image or NO_ROOT_IMAGE.search(image) is not None or drops_root(steps(file, stage))


def stage_named(file: Dockerfile, name: str) -> Stage | None:
    """The stage that `--from=` refers to, by name or number."""
    if name.isdigit():
        return file.stages[int(name)] if int(name) < len(file.stages) else None
    return next((stage for stage in reversed(file.stages) if (stage.name or "").lower() == name.lower()), None)
