"""An existing Dockerfile: will the image start, what does it hold, and who may write in it?"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from layerdoit.dockerfile.parse import Dockerfile, Stage
from layerdoit.dockerfile.steps import NO_ROOT_IMAGE, Step, drops_root, root_image, stage_named, steps
from layerdoit.doctor import libc
from layerdoit.doctor.finding import Finding, Rule, rules

LIBC = Rule(
    "df-libc",
    "warning",
    "The runtime image's C library is older than the builder's, or of another kind.",
    "the program ends at once: version `GLIBC_…' not found, or `no such file or directory`",
    "name the same Debian release in both, such as rust:1-bookworm and debian:bookworm-slim; or a musl target",
)
ROOT = Rule(
    "df-root",
    "warning",
    "The container runs as root.",
    "an attacker who gets into the program can change everything in the container, and is closer to the host",
    "RUN useradd --system app, then USER app (or a number) in the last stage",
)
COMPILER = Rule(
    "df-ships-compiler",
    "hint",
    "The runtime image contains the compiler and everything that was compiled.",
    "a gigabyte more to store, to pull and to scan",
    "copy the program into a stage of its own, FROM debian:…-slim",
)
UNUSED = Rule(
    "df-unused-stage",
    "hint",
    "A stage is not used.",
    "builds skip it, so it breaks without notice",
    "remove it, or build it by name (--target)",
)
RULES = tuple(rules(globals()))

_DATA = re.compile(
    r"(?i)(^|[/._-])(dist|pkg|static|www|html|public|assets?|config|site|wasm|templates?|migrations|docs?|book)([/._-]|$)"
)
# Where distributions keep what no program of the project is.
_NO_PROGRAM = re.compile(r"/(?:usr/)?(?:share|etc|var|include)/|/etc/")
_FROM = re.compile(r"(?im)^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*(\S+)")
# What a variable names may be musl.
_UNKNOWN_TARGET = re.compile(r"--target[=\s]+\S*\$")
_BUILT_STATIC = re.compile(r"crt-static|linux-musl|musl(?:eabihf)?\b|-gnu\.2\.\d+")


def check(file: Dockerfile, elsewhere: str = "", text: str = "") -> Iterator[Finding]:
    """`elsewhere`: what may build stages by name (compose, Makefile, workflows); `text`: the Dockerfile's own."""
    last = file.final
    if last is None:
        return
    happening = steps(file, last)
    yield from _libc(file, last, happening)
    application = [step for step in happening if step.own and step.instruction.keyword in ("ENTRYPOINT", "CMD")]
    if application:
        yield from _user(file, last, happening, application[-1])
        built = [step for step in happening if step.compiles]
        if built and re.search(r"(^|/)(rust|cargo-chef)(:|@|$)", root_image(file, last)):
            yield COMPILER.found(f"the last stage is the one that compiles, on {root_image(file, last)}", last.where)
    if not any(_may_be_stage(base) for base in _FROM.findall(text)):
        yield from _unused(file, last, elsewhere)


def _libc(file: Dockerfile, last: Stage, happening: Sequence[Step]) -> Iterator[Finding]:
    runtime = libc.of_image(root_image(file, last))
    # A C library that was added by hand, or taken from the builder.
    if any(
        re.search(r"\b(gcompat|libc6-compat|glibc)\b", step.text)
        for step in happening
        if step.instruction.keyword == "RUN"
    ):
        return
    for step in happening:
        if any("ld-linux" in path or re.match(r"/(usr/)?lib", path) for _, path in step.taken):
            return
    for step in happening:
        for origin, path in step.taken:
            stage = stage_named(file, origin)
            if stage is None or _DATA.search(path) or _NO_PROGRAM.match(path):
                continue
            built = steps(file, stage)
            whole = " ".join(
                (path, *(item.text for item in built), *(value for item in built for value in item.known.values()))
            )
            if not any(item.compiles for item in built) or _BUILT_STATIC.search(whole) or _UNKNOWN_TARGET.search(whole):
                continue
            builder = libc.of_image(root_image(file, stage))
            reason = libc.mismatch(builder, runtime)
            if reason:
                other = runtime.kind in ("none", "musl")
                what = f"{posixpath.basename(path)} may not start: {reason}"
                yield LIBC.found(what, step.where, level="error" if other else None)
                return


def _user(file: Dockerfile, last: Stage, happening: Sequence[Step], runs: Step) -> Iterator[Finding]:
    if drops_root(happening):
        return
    users = [step for step in happening if step.instruction.keyword == "USER"]
    image = root_image(file, last)
    if not users:
        if not NO_ROOT_IMAGE.search(image) and "$" not in image:
            yield ROOT.found("the last stage sets no user", runs.where)
    elif re.fullmatch(r"(root|0)(:.*)?", users[-1].instruction.value.strip("\"'")):
        yield ROOT.found("the last USER is root", users[-1].where)


def _unused(file: Dockerfile, last: Stage, elsewhere: str) -> Iterator[Finding]:
    used: set[int] = set()
    waiting = [last]
    while waiting:
        stage = waiting.pop()
        if stage.index in used:
            continue
        used.add(stage.index)
        waiting += [parent] if (parent := file.parent(stage)) else []
        for step in steps(file, stage):
            origins = [origin for origin, _ in step.taken] + [mount.origin for mount in step.mounts if mount.origin]
            waiting += [found for origin in origins if (found := stage_named(file, origin))]
    # Stages that go on from the last one, or from each other, are made to be built by name.
    idle = [stage for stage in file.stages if stage.index not in used and not _named(stage, elsewhere)]
    for stage in idle:
        if stage.index in used or any(
            other.index > stage.index and file.parent(other) is stage for other in file.stages
        ):
            continue
        yield UNUSED.found(f"nothing uses the stage {stage.name or stage.index}", stage.where)


def _named(stage: Stage, elsewhere: str) -> bool:
    if stage.name is None:
        return False
    name = re.escape(stage.name)
    return re.search(rf"target['\"]?\s*[:=\s]\s*['\"]?{name}\b", elsewhere) is not None


def _may_be_stage(base: str) -> bool:
    """Whether a variable of a FROM may stand for any stage; one with a tag or a path besides is an image."""
    return "$" in base and not re.search(r"[:/@]", re.sub(r"\$\{[^}]*\}|\$\w+", "", base))
