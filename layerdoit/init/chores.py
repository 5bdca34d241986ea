"""What a RUN does besides installing packages and calling cargo: what of it an image of ours would lack. Pure.

in_image(instruction, known, files) -> hints and notes of a RUN in a stage that the image is made of
in_builder(instruction, known, stage) -> notes of a RUN in a stage that compiles
maker(stage, known) -> how a stage that is not cargo's makes what is taken from it
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from layerdoit.config import credentials
from layerdoit.core.prose import listed
from layerdoit.dockerfile.parse import Command, Instruction, Stage, commands
from layerdoit.init.cargo_calls import CARGO
from layerdoit.init.hints import Files, Hint

# Words of the shell, looking around, tidying up, and what the packages of an image already are.
_IDLE: Final = frozenset((
    ":", ".", "[", "[[", "true", "false", "test", "set", "unset", "cd", "export", "exit", "local", "read", "shift",
    "trap", "wait", "sleep", "case", "esac", "in", "for", "while", "until", "do", "done", "fi", "if", "else", "elif",
    "then", "function", "return", "eval", "echo", "printf", "ls", "pwd", "cat", "head", "tail", "grep", "which",
    "type", "command", "whoami", "id", "uname", "date", "find", "ldd", "file", "du", "df", "env", "stat", "wc",
    "sort", "uniq", "tr", "cut", "rm", "rmdir", "touch", "strip", "upx", "sync", "history", "nproc", "arch", "dpkg",
    "apt-get", "apt", "aptitude", "apt-mark", "apt-cache", "apt-key", "apk", "update-ca-certificates", "locale-gen",
    "update-locale", "ldconfig", "dpkg-reconfigure", "debconf-set-selections", "useradd", "adduser", "addgroup",
    "groupadd", "groupmod", "usermod", "passwd", "gpg", "gpgconf", "xx-apt", "xx-apk", "xx-info", "xx-verify",
    "xx-apt-get",
    "sccache",
))  # fmt: skip
# Of no importance where things are compiled, as it prepares the call of cargo.
_IDLE_IN_BUILDER: Final = frozenset((
    "mkdir", "cp", "mv", "ln", "chmod", "chown", "sed", "awk", "tee", "xargs", "install", "rustup", "rustc",
    "rustup-init", "clang", "gcc", "cc", "mold", "lld", "ld", "update-alternatives", "cargo-binstall", "cargo-chef",
    "pkg-config", "userdel", "usermod", "source", "basename", "dirname", "readelf", "objdump", "objcopy", "sha256sum",
))  # fmt: skip
# What stands before the ) of a case.
_PATTERN: Final = re.compile(r"aarch64|arm64|amd64|x86_64|armv\d\w*|armhf|i386|riscv64|(?!\.)[\w*.-]+/[\w*./-]+")
_TOOLS: Final = re.compile(
    r"rustup|sccache|binstall|cargo-chef|/mold|wasm-bindgen|wasm-pack|trunk|cargo-leptos|tailwind"
)
_FETCHES: Final = frozenset(("curl", "wget", "aria2c"))
_UNPACKS: Final = frozenset(("tar", "unzip", "gunzip", "xz", "bunzip2", "unxz", "7z"))
_SHELLS: Final = frozenset(("sh", "bash", "dash", "ash", "zsh"))
_TIDY: Final = frozenset(("install", "ci", "i", "add", "fetch", "config", "clean", "cache"))
_OF_APT: Final = re.compile(r"/etc/(apt|apk|dpkg|passwd|group|nsswitch)|/dev/null|&\d")
_SYSTEM: Final = re.compile(r"/(usr|etc|lib|lib64|bin|sbin|run|tmp|proc|sys|dev|root)(/|$)|/(var|opt|home)/?$|/$")


IN_IMAGE: Final = (
    "what our image lacks of it: files belong into image.assets, packages into base.runtime_packages; whatever else, a "
    "Dockerfile.app of your own does (dockerfiles.app)"
)
IN_BUILDER: Final = (
    "what the sources need of it must be in the project (sources.include, where git ignores it), or a Debian package "
    "(base.packages)"
)
"""What to do about several notes of a kind; told once."""


class Maker(NamedTuple):
    """`words`: the command, as typed; `where`: its line; `folder`: in which it runs, in its stage."""

    words: str
    where: str
    folder: str


def shown(words: Sequence[str]) -> str:
    """A command as a person would name it: short, without options that follow, and never with a credential."""
    program = posixpath.basename(words[0]) if words[0].startswith("/") else words[0]
    kept = [program]
    addresses = [word for word in words[1:] if "://" in word] if program in _FETCHES else []
    for word in addresses or words[1:]:
        if len(kept) > 3 or set(word) <= set("<>|&"):
            break
        if word.startswith("-") and program in _FETCHES | _UNPACKS:
            continue
        plain = re.sub(r"://[^/@\s]*@", "://", word.partition("?")[0])
        kept.append(plain if len(plain) <= 60 else f"{plain[:57]}…")
        if "://" in plain:
            break
    text = " ".join(kept)
    secret = credentials.in_value(text) or re.search(r"(?i)token|passw|secret|authorization|bearer", text)
    return program if secret else text


def in_image(
    instruction: Instruction, known: Mapping[str, str], files: Files, workdir: str, own: Iterable[str]
) -> Iterator[Hint]:
    """`own`: folders and files of the image that ours makes or has by itself."""
    lacking: list[str] = []
    places = [*own, *([workdir] if workdir != "/" else [])]
    for command in commands(instruction, known):
        words, program = command.words, posixpath.basename(command.words[0])
        arguments = [word for word in words[1:] if not word.startswith("-")]
        if program == "mkdir" or (program == "install" and "-d" in words):
            made = [posixpath.normpath(posixpath.join(workdir, word)) for word in arguments if "$" not in word]
            for path in made:
                if path.startswith("/") and path != "/":
                    places.append(path)
                    yield from folder_of(path, instruction.where_is(path))
        elif program in ("chown", "chmod", "chgrp"):
            named = [posixpath.join(workdir, word) for word in arguments[1:]]
            if not lacking and not all(_is_ours(path, places, files) for path in named):
                lacking.append(shown(words))
        elif _writes(words) or not _is_idle(command, program):
            lacking.append(shown(words))
    if lacking:
        text = f"{_quoted(lacking)} {_is(lacking)} not done in our image"
        yield Hint("note", text, instruction.where, IN_IMAGE)


def folder_of(path: str, where: str) -> Iterator[Hint]:
    """A folder that an image makes for its program, where that is no folder of the system."""
    if not path.startswith("/tmp/"):  # noqa: S108 - of an image, where everybody may write
        yield Hint("folder", path, where, sure=not _SYSTEM.match(path))


def in_builder(instruction: Instruction, known: Mapping[str, str], stage: Stage) -> Iterator[Hint]:
    """What a stage that compiles does besides, and no layer of ours."""
    found = commands(instruction, known)
    if any("rustup" in word for command in found for word in command.words):
        found = [command for command in found if posixpath.basename(command.words[0]) not in _SHELLS | _FETCHES]
    lacking: list[str] = []
    for command in found:
        program = posixpath.basename(command.words[0])
        if program in ("npm", "yarn", "pnpm", "bun") and _TIDY & set(command.words[1:2]):
            continue
        if program == "git" and "config" in command.words:
            continue
        if program in _UNPACKS and lacking == []:
            continue
        words = shown(command.words)
        if not (program in _IDLE_IN_BUILDER or _is_idle(command, program) or ("://" in words and _TOOLS.search(words))):
            lacking.append(words)
    if lacking:
        text = f"the stage {stage.name or stage.index} also runs {_quoted(lacking)}, and our layers do not"
        yield Hint("note", text, instruction.where, IN_BUILDER)


def maker(stage: Stage, known: Mapping[str, str], made: str) -> Maker | None:
    """The last command of a stage that makes something, at best one that ran in a folder above `made`."""
    found: list[Maker] = []
    folder = "/"
    for instruction in stage.instructions:
        if instruction.keyword == "WORKDIR":
            folder = posixpath.normpath(posixpath.join(folder, instruction.value.strip("\"'")))
        inside = folder
        for command in commands(instruction, known) if instruction.keyword == "RUN" else ():
            program = posixpath.basename(command.words[0])
            if program == "cd" and len(command.words) > 1:
                inside = posixpath.normpath(posixpath.join(inside, command.words[1]))
            elif program not in _UNPACKS and not (program in _IDLE_IN_BUILDER - {"cp"} or _is_idle(command, program)):
                found.append(Maker(shown(command.words), instruction.where_is(program), inside))
    tidy = [one for one in found if _TIDY.isdisjoint(one.words.split()[1:2])]
    above = [one for one in tidy if one.folder != "/" and made.startswith(f"{one.folder}/")]
    deepest = max((len(one.folder) for one in above), default=0)
    best = [one for one in above if len(one.folder) == deepest] or tidy or found
    return best[-1] if best else None


def makes_folder(stage: Stage, name: str) -> bool:
    """Whether a RUN of a stage makes an empty folder of this name."""
    return any(
        command.words[0] == "mkdir" and any(posixpath.basename(word.rstrip("/")) == name for word in command.words[1:])
        for instruction in stage.instructions
        if instruction.keyword == "RUN"
        for command in commands(instruction)
    )


def _is_idle(command: Command, program: str) -> bool:
    words = command.words
    if CARGO.search(words[0]) or program in ("cargo", "cargo-chef"):
        return not {"leptos", "xtask", "make", "web"} & set(words[1:3])
    return (
        (program in _IDLE and not (program == "dpkg" and "-i" in words))
        or program.startswith(("#", "-"))
        or "$" in program
        or (program in ("npm", "yarn", "pip", "pip3") and "cache" in words)
        or (program == "sed" and any(_OF_APT.search(word) for word in words))
        or (program in _SHELLS and len(words) == 1)
        or re.search(r"\w", program) is None
        or (len(words) == 1 and _PATTERN.fullmatch(words[0]) is not None)
    )


def _writes(words: Sequence[str]) -> bool:
    """Whether the output goes into a file of the image."""
    for at, word in enumerate(words[:-1]):
        if word in (">", ">>") and not _OF_APT.search(words[at + 1]) and words[at + 1].startswith(("/", ".", "~")):
            return True
    return False


def _is_ours(path: str, places: Sequence[str], files: Files) -> bool:
    if posixpath.basename(path) in files.programs:
        return True
    here = f"{path.rstrip('/')}/"
    there = [f"{place.rstrip('/')}/" for place in places]
    return "$" in path or any(here.startswith(place) or place.startswith(here) for place in there)


def _is(lacking: Sequence[str]) -> str:
    return "is" if len(dict.fromkeys(lacking)) == 1 else "are"


def _quoted(lacking: Sequence[str]) -> str:
    return listed([f"`{words}`" for words in dict.fromkeys(lacking)], 3)
