"""An existing Dockerfile: what makes it compile again what it has compiled before, or keep what it should not."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from layerdoit.dockerfile.parse import Dockerfile, Stage
from layerdoit.dockerfile.steps import Mount, Step, root_image, stage_named, steps
from layerdoit.doctor.finding import Finding, Rule, rules

HIDDEN = Rule(
    "df-cook-hidden",
    "warning",
    "What `cargo chef cook` compiled is hidden by a cache mount, or left in one.",
    "a mount on the target folder is not part of the layer: the dependencies are compiled again",
    "use one of the two: cook and build without a mount, or build with a mount and without a cook",
)
SOURCES_FIRST = Rule(
    "df-sources-before-deps",
    "warning",
    "The sources are copied before the dependencies are compiled.",
    "every edit compiles every dependency again",
    "compile dependencies first, from the manifests alone (doit layers init does it without a Dockerfile)",
)
SHARED_MOUNT = Rule(
    "df-target-mount-shared",
    "warning",
    "A cache mount on the target folder has no id, or one that other projects may have, too.",
    "mounts are identified by id alone, which defaults to the path: every project with this path shares the folder,"
    " and one project's programs have been shipped as another's",
    "give it an id with the project's name: --mount=type=cache,id=<project>-target,…",
)
MOUNT_COPY = Rule(
    "df-copy-from-mount",
    "error",
    "A file is copied out of a folder that was only a cache mount.",
    "mounts are not part of the layer: the file is missing",
    "copy it to a place outside the mount in the same RUN",
)
HIDES_CARGO = Rule(
    "df-mount-hides-cargo",
    "error",
    "A cache mount covers the folder that cargo itself is in.",
    "the mount starts empty: cargo is not found",
    "mount …/registry and …/git below it instead",
)
USELESS = Rule(
    "df-mount-useless",
    "hint",
    "A cache mount is at a path that cargo does not use.",
    "in the official Rust images CARGO_HOME is /usr/local/cargo: crates are downloaded again",
    "mount /usr/local/cargo/registry and /usr/local/cargo/git/db",
)
CHEF = Rule(
    "df-chef-compiled",
    "hint",
    "cargo-chef is compiled in the Dockerfile.",
    "every builder without that layer compiles it first, which takes about a minute",
    "put it into the base image, or start from lukemathwalker/cargo-chef with a fixed version",
)
TOOL_AFTER = Rule(
    "df-tool-after-sources",
    "warning",
    "A tool is compiled after the sources were copied.",
    "every edit compiles the tool again",
    "install it before the sources are copied, preferably in the base image",
)
STUB = Rule(
    "df-stub-stale",
    "warning",
    "A stub program is compiled first, and cargo is not told that the real sources replaced it.",
    "cargo compares times: sources older than the stub's build count as compiled, and the image gets the empty program",
    "touch the sources after the copy: RUN touch src/main.rs src/lib.rs, or find . -name '*.rs' -exec touch {} +",
)
RULES = tuple(rules(globals()))

_VAGUE = frozenset(
    {"target", "cargo-target", "rust-target", "build-target", "cargo-build", "build", "cargo", "app", "app-target"}
)
# Folders that many Dockerfiles build in: there, paths of different projects meet.
_USUAL = frozenset(
    {
        "/",
        "/app",
        "/src",
        "/build",
        "/builder",
        "/work",
        "/workspace",
        "/code",
        "/rust",
        "/project",
        "/usr/src",
        "/usr/src/app",
    }
    | {"/usr/app", "/root", "/home/rust/src", "/home/app", "/volume", "/opt", "/opt/app", "/srv"}
)
_RUST_IMAGE = re.compile(r"(^|/)(rust|rustlang/rust|cargo-chef)(:|@|$)")


def check(file: Dockerfile) -> Iterator[Finding]:
    """Every stage, with what lies below it."""
    for stage in file.stages:
        happening = steps(file, stage)
        yield from _cook(happening)
        yield from _copied_target(happening)
        yield from _mounts(file, stage, happening)
        yield from _order(file, stage, happening)
        yield from _stub(happening)
        yield from _from_mount(file, happening)
    yield from _chef(file)


def _cook(happening: Sequence[Step]) -> Iterator[Finding]:
    for index, cook in enumerate(happening):
        if not cook.cooks:
            continue
        builds = [step for step in happening[index:] if step.compiles]
        last = next((step for step in reversed(builds) if step.own), None)
        if last is None or last is cook:
            continue
        behind, before = cook.target_mount, last.target_mount
        if behind is None and before is not None and before.origin is None and cook.target_dirs & last.target_dirs:
            yield HIDDEN.found(f"the mount on {before.target} hides what was cooked ({_line(cook)})", last.where)
        elif behind is not None and before is None:
            what = (
                f"what is cooked goes into the mount on {behind.target}, and the build ({_line(last)}) does not see it"
            )
            yield HIDDEN.found(what, cook.where)
        elif behind is not None and before is not None:
            what = f"cook and build both work in the mount on {before.target}: the cook's layer is empty"
            yield HIDDEN.found(what, cook.where, level="hint")


def _copied_target(happening: Sequence[Step]) -> Iterator[Finding]:
    """A target folder that was compiled in another stage, and a mount over it."""
    for index, step in enumerate(happening):
        folders = [path for _, path in step.taken if posixpath.basename(path.rstrip("/")) == "target"]
        last = next((other for other in reversed(happening[index:]) if other.own and other.compiles), None)
        mount = last.target_mount if last is not None else None
        if folders and last is not None and mount is not None and mount.origin is None:
            yield HIDDEN.found(
                f"the mount on {mount.target} hides the copied target folder ({_line(step)})", last.where
            )


def _line(step: Step) -> str:
    return f"line {step.instruction.line}"


def _mounts(file: Dockerfile, stage: Stage, happening: Sequence[Step]) -> Iterator[Finding]:
    official = _RUST_IMAGE.search(root_image(file, stage)) is not None
    home = next((step.known["CARGO_HOME"] for step in happening if "CARGO_HOME" in step.known), None)
    for step in happening:
        if not step.own or not step.cargo:
            continue
        target = step.target_mount
        if target is not None and target.origin is None and _says_nothing(target):
            told = f"the id {target.id}" if target.id else "no id"
            usual = target.id is not None or posixpath.dirname(target.target) in _USUAL
            what = f"the cache mount on {target.target} has {told}"
            yield SHARED_MOUNT.found(what, step.where, level=None if usual else "hint")
        for mount in step.mounts:
            if mount.kind != "cache" or not official or mount.origin is not None:
                continue
            if mount.target == "/usr/local/cargo":
                yield HIDES_CARGO.found("the cache mount on /usr/local/cargo hides /usr/local/cargo/bin", step.where)
            elif home is None and re.match(r"(/root|/home/[^/]+)/\.cargo(/|$)", mount.target):
                yield USELESS.found(f"this image's cargo does not use the cache mount on {mount.target}", step.where)


def _says_nothing(mount: Mount) -> bool:
    return mount.id is None or mount.id.strip("/") in _VAGUE or mount.id == mount.target


def _order(file: Dockerfile, stage: Stage, happening: Sequence[Step]) -> Iterator[Finding]:
    sources = next((index for index, step in enumerate(happening) if step.brings_sources), None)
    if sources is None or re.search(r"deps|cache", root_image(file, stage)):
        return
    first = happening[sources]
    for step in happening[sources:]:
        tool = next((name for call in step.cargo if (name := call.installs)), None)
        if step.own and tool and not any(mount.kind == "cache" for mount in step.mounts):
            yield TOOL_AFTER.found(f"{tool} is compiled after the sources were copied ({_line(first)})", step.where)
    compiled = next((step for step in happening[sources:] if step.compiles or step.cooks), None)
    if compiled is None or not compiled.own or _prepared(happening[:sources]) or _cached(compiled):
        return
    what = "dependencies are cooked" if compiled.cooks else "the program is compiled with all its dependencies"
    copied = f"{first.instruction.keyword} {first.instruction.value}"
    yield SOURCES_FIRST.found(f"{what} (line {compiled.instruction.line}) after `{copied}`", first.where)


def _prepared(before: Sequence[Step]) -> bool:
    """Dependencies were compiled, or copied from a stage where they were."""
    if any(
        step.cooks or step.compiles or any(call.name in ("test", "check", "clippy") for call in step.cargo)
        for step in before
    ):
        return True
    return any(posixpath.basename(path.rstrip("/")) == "target" for step in before for _, path in step.taken)


def _cached(step: Step) -> bool:
    """What is compiled outlives the step: in a mount, or in sccache."""
    return step.target_mount is not None or "sccache" in step.known.get("RUSTC_WRAPPER", "") + step.text


def _stub(happening: Sequence[Step]) -> Iterator[Finding]:
    stub = next((index for index, step in enumerate(happening) if _makes_stub(step)), None)
    if stub is None or happening[stub].instruction.keyword not in ("RUN", "COPY"):
        return
    built = next((index for index in range(stub, len(happening)) if happening[index].compiles), None)
    if built is None or happening[built].target_mount is not None:
        return
    copied = next((index for index in range(built + 1, len(happening)) if happening[index].brings_sources), None)
    if copied is None:
        return
    # What removes the stub's artefacts may follow its build, in the same RUN or later.
    told = any(_tells_cargo(words) for step in happening[built:] for words in step.commands)
    last = next((step for step in happening[copied:] if step.compiles), None)
    if last is not None and last.own and not told and last.target_mount is None:
        what = f"the stub that line {happening[built].instruction.line} compiled may count as the real program"
        yield STUB.found(what, last.where)


def _makes_stub(step: Step) -> bool:
    """Writes a program by hand, or lets cargo write one."""
    written = re.search(r"fn\s+main\s*\(", step.text) is not None
    return written or any(call.name in ("new", "init") for call in step.cargo)


def _tells_cargo(words: Sequence[str]) -> bool:
    program = posixpath.basename(words[0])
    if program in ("touch", "find", "xargs", "rsync"):
        return "touch" in words or program in ("touch", "rsync") or "-delete" in words
    if program == "cargo":
        return "clean" in words
    return program == "rm" and any("target" in word or "fingerprint" in word or "deps/" in word for word in words)


def _from_mount(file: Dockerfile, happening: Sequence[Step]) -> Iterator[Finding]:
    for step in happening:
        for origin, path in step.taken if step.own else ():
            stage = stage_named(file, origin)
            builds = [build for build in steps(file, stage) if build.compiles] if stage is not None else []
            mounts = [build.target_mount for build in builds]
            targets = [mount.target for mount in mounts if mount is not None]
            if builds and None not in mounts and any(path.startswith(f"{target}/") for target in targets):
                what = f"{path} is in the cache mount of line {builds[-1].instruction.line}, not in the stage"
                yield MOUNT_COPY.found(what, step.where)


def _chef(file: Dockerfile) -> Iterator[Finding]:
    found = [
        step
        for stage in file.stages
        for step in steps(file, stage)
        if step.own and any(call.installs == "cargo-chef" for call in step.cargo)
    ]
    if len(found) > 1:
        lines = ", ".join(str(step.instruction.line) for step in found)
        yield CHEF.found(
            f"cargo-chef is compiled in {len(found)} stages (lines {lines})", found[1].where, level="warning"
        )
    elif found:
        yield CHEF.found("cargo-chef is compiled in the Dockerfile", found[0].where)
