"""What a Dockerfile tells: of its last stage, of the stages that run cargo, and of those that others copy from. Pure.

    of_dockerfile(parsed, files) -> tuple[Hint, ...]

Each instruction of those stages has a counterpart among the settings, or a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from layerdoit.dockerfile.parse import Dockerfile, Stage, apk_packages, apt_packages, assignments, commands, expand
from layerdoit.init import cargo_calls, chores, instructions
from layerdoit.init.hints import Files, Hint
from layerdoit.init.stages import compiles, is_rust, known_in, used

_RUST: Final = re.compile(r"(?:^|/)rust:(\d+\.\d+(?:\.\d+)?)|cargo-chef:.*rust-(\d+\.\d+(?:\.\d+)?)")
_SAME_ON_ALPINE: Final = frozenset(("ca-certificates", "tzdata"))
# Debian's images or every builder have it, or nobody needs it there.
_ONLY_ON_ALPINE: Final = frozenset((
    "alpine-sdk", "bash", "binutils", "build-base", "ca-certificates-bundle", "cargo", "coreutils", "gcc", "libc-dev",
    "libc6-compat", "libgcc", "libstdc++", "linux-headers", "musl", "musl-dev", "rust", "rustup", "shadow", "su-exec",
))  # fmt: skip
# Packages whose programs have other names.
_PROGRAMS: Final[Mapping[str, tuple[str, ...]]] = {
    "docker.io": ("docker",),
    "dnsutils": ("dig", "nslookup"),
    "graphviz": ("dot",),
    "imagemagick": ("convert", "magick", "identify"),
    "iproute2": ("ip", "ss"),
    "iputils-ping": ("ping",),
    "nodejs": ("node",),
    "openssh-client": ("ssh", "ssh-keygen", "scp"),
    "poppler-utils": ("pdftotext", "pdftoppm"),
    "postgresql-client": ("psql", "pg_dump", "pg_restore"),
    "procps": ("ps", "pgrep"),
    "sqlite3": ("sqlite3",),
}


def of_dockerfile(parsed: Dockerfile, files: Files) -> tuple[Hint, ...]:
    """Everything that it tells."""
    final = parsed.final
    if final is None:
        return ()
    found: list[Hint] = []
    image = parsed.lineage(final)
    leading = used(parsed, final)
    for stage in parsed.stages:
        known = known_in(parsed, parsed.lineage(stage))
        builds = compiles(parsed, stage)
        if builds or stage in image:
            kind = "apt-build" if builds and (stage is not final or is_rust(parsed, stage)) else "apt-run"
            found += _packages(stage, known, kind, files)
            if kind == "apt-build" and stage in image and not is_rust(parsed, stage):
                # What it compiles with, it also runs with.
                found += _packages(stage, known, "apt-run", files)
        if builds and (version := _RUST.search(stage.base)):
            found.append(Hint("toolchain", version[1] or version[2], stage.where))
        if builds:
            found += cargo_calls.of_stage(stage, known, files)
            found += _environment(stage, known, "build-env") if stage is not final else ()
        if builds and stage in leading and (stage not in image or is_rust(parsed, final)):
            found += _chores(stage, known)
    found += instructions.of_image(parsed, image, files)
    return tuple(dict.fromkeys(found))


def _chores(stage: Stage, known: Mapping[str, str]) -> Iterator[Hint]:
    for instruction in stage.instructions:
        if instruction.keyword == "RUN":
            yield from chores.in_builder(instruction, known, stage)


def _environment(stage: Stage, known: Mapping[str, str], kind: str) -> Iterator[Hint]:
    """The variables of a stage, as far as their values are known."""
    for instruction in stage.instructions:
        if instruction.keyword == "ENV":
            for name, value in assignments(instruction).items():
                filled = expand(value or "", known)
                if "$" not in filled:
                    yield Hint(kind, f"{name}={filled}", instruction.where_is(name))


def _packages(stage: Stage, known: Mapping[str, str], kind: str, files: Files) -> Iterator[Hint]:
    for instruction in stage.instructions:
        if instruction.keyword == "RUN":
            for command in commands(instruction, known):
                for name in apt_packages(command):
                    where = instruction.where_is(name)
                    started = kind == "apt-run" and any(map(files.starts, _PROGRAMS.get(name, (name,))))
                    yield Hint(kind, name, where, "which the sources start" if started else "")
                for name in apk_packages(command):
                    yield from _of_alpine(name, kind, instruction.where_is(name))


def _of_alpine(name: str, kind: str, where: str) -> Iterator[Hint]:
    """Alpine's package as Debian's."""
    from layerdoit.cargo.native import table

    data = table()
    if name in data.of_alpine:
        provider = data.providers(data.data["suite"])[data.of_alpine[name]]
        names = (provider.run if kind == "apt-run" else ()) or provider.build
        yield from (Hint(kind, one, where) for one in names)
    elif name in _SAME_ON_ALPINE:
        yield Hint(kind, name, where)
    elif name not in _ONLY_ON_ALPINE:
        yield Hint("apk", name, where, kind)
