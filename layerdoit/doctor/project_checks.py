"""The workspace and its configuration: will the image hold what its owner expects, and run?"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from layerdoit.cargo import rust_version
from layerdoit.cargo.entrypoint import Choice, private
from layerdoit.core.platform import docker_name, glibc_of
from layerdoit.core.prose import listed
from layerdoit.doctor import libc
from layerdoit.doctor.finding import Finding, Item, Rule, Unchecked, rules

if TYPE_CHECKING:
    from layerdoit.cargo.lock import Lock
    from layerdoit.cargo.manifest import Workspace
    from layerdoit.cargo.selection import Selection
    from layerdoit.cargo.toolchain import Toolchain
    from layerdoit.config import Config

UNREADABLE = Rule(
    "unreadable",
    "error",
    "Configuration or workspace cannot be read.",
    "nothing can be built from it",
    "correct it and run again",
)
PROGRAM = Rule(
    "packed-program",
    "error",
    "A program that was compiled elsewhere is not there, or cannot run in the image.",
    "the build refuses it",
    "compile it, or correct build.binary",
)
LEFT_OUT = Rule(
    "members-left-out",
    "hint",
    "Members with binaries are not built, because they are not default members.",
    "without `packages:` the image holds what `cargo build` in the root builds, which is only the root package",
    "name what belongs in the image: `packages:` in layerdoit.yaml, or `default-members` in Cargo.toml",
)
GUESSED = Rule(
    "entrypoint-guessed",
    "warning",
    "The image has several binaries, and which one it runs is a guess.",
    "a container that starts the wrong program looks healthy until somebody uses it",
    "name it: image: {entrypoint: …} in layerdoit.yaml",
)
MSRV = Rule(
    "msrv",
    "error",
    "A package requires a newer Rust than the toolchain.",
    "cargo refuses to compile it",
    "name a newer toolchain (rust-toolchain.toml, or toolchain: in layerdoit.yaml)",
)
UNOBTAINABLE = Rule(
    "toolchain-unobtainable",
    "error",
    "The toolchain, or the standard library of a target, cannot be had here.",
    "the base layer would not build: neither this machine nor a registry that answers has it",
    "install it (rustup toolchain install, rustup target add), or name an installed one: TOOLCHAIN=…",
)
OVERRIDE = Rule(
    "toolchain-override",
    "warning",
    "The configuration overrides the toolchain that the project names.",
    "images are compiled with another compiler than the one that developers use",
    "remove toolchain: (or TOOLCHAIN=), or change the project's own toolchain file",
)
RUNTIME_LIBC = Rule(
    "runtime-libc",
    "error",
    "The runtime image's C library is older than the builder's, or of another kind.",
    "the binaries would not start there; the build refuses such an image",
    "use one suite for both: base.suite, base.image, base.runtime_image; or a musl target",
)
CROSS_LINKER = Rule(
    "cross-linker",
    "warning",
    "The target has another architecture, and no linker is configured for it.",
    "the builder's own linker cannot make binaries for it",
    "name one in .cargo/config.toml ([target.<triple>] linker) and its package in base.packages",
)
CROSS_RUNTIME = Rule(
    "cross-runtime",
    "error",
    "The binaries are for another architecture than the image.",
    "they cannot run in it",
    "build on a machine (or builder) of that architecture, or remove target:",
)
MUSL_TOOLS = Rule(
    "musl-tools",
    "warning",
    "The target is musl, crates compile C code, and there is no C compiler for musl.",
    "their build scripts look for musl-gcc",
    "base: {packages: [musl-tools]} in layerdoit.yaml",
)
RULES = tuple(rules(globals()))


def members(ws: Workspace, config: Config, selection: Selection, runs: Choice) -> Iterator[Finding]:
    """Which binaries the image holds, and which it runs."""
    if not config.packages and not config.bins and not config.services:
        root = ws.packages.get(ws.root_package or "")
        left = sorted(
            key
            for key, package in ws.packages.items()
            if package.member and package.bins and key not in selection.packages and key not in ws.default_members
            and not (private(package) and root is not None and not private(root))
            and not re.search(r"xtask|example|bench|fuzz|test", f"{key} {package.dir}")
        )  # fmt: skip
        named = "default-members" in ws.manifest.get("workspace", {})
        if left and not named:
            what = f"of this workspace only {listed(list(selection.packages))} is built, not {listed(left)}"
            yield LEFT_OUT.found(what, "Cargo.toml")
    names = [binary for _, binary in selection.bins]
    if config.image.entrypoint is None and runs.guessed and not config.services:
        what = f"the image runs `{runs.name}`, the first of {listed(names)} by the alphabet: no manifest says which"
        yield GUESSED.found(what, fix=f"image: {{entrypoint: {runs.name}}} in layerdoit.yaml")


def msrv(ws: Workspace, keys: Collection[str], toolchain: Toolchain) -> Iterator[Item]:
    """`rust-version` of what is built against the compiler."""
    named = toolchain.release or toolchain.channel
    if rust_version.number(named) is None:
        if rust_version.asked(ws, keys):
            yield Unchecked("rust-version", f"{toolchain.channel} does not say which release it is")
        return
    for one in rust_version.refused(ws, keys, toolchain):
        what = f"`{one.package}` requires Rust {one.version}, but {toolchain.source} says {named}"
        yield MSRV.found(what, one.where(ws))


def highest_msrv(ws: Workspace) -> tuple[str, str] | None:
    """The member that asks for the newest Rust, and which it asks for."""
    return next(((one.package, one.version) for one in rust_version.asked(ws, ws.packages)), None)


def override(configured: str | None, named: Toolchain | None) -> Iterator[Finding]:
    """`named`: the toolchain that the project names by itself, None where it names none."""
    if configured and named and named.source != "the host's rustc" and not configured.startswith(named.channel):
        yield OVERRIDE.found(f"the configuration says {configured}, {named.source} says {named.channel}")


def images(config: Config) -> Iterator[Finding]:
    """Builder against runtime image, by their names."""
    if config.target and "musl" in config.target:
        return
    suite = f"debian:{config.base.suite}-slim"
    reason = libc.mismatch(libc.of_image(config.base.image or suite), libc.of_image(config.base.runtime_image or suite))
    if reason:
        place = config.where.get("base.runtime_image") or config.where.get("base.image")
        yield RUNTIME_LIBC.found(f"a binary of this builder may not start on the runtime image: {reason}", place)


def target(config: Config, ws: Workspace, lock: Lock | None, architecture: str | None) -> Iterator[Item]:
    """A configured target triple. `architecture`: the engine's, as it calls it."""
    if config.target is None:
        return
    triple = glibc_of(config.target)[0]
    place = config.where.get("target")
    machine = triple.partition("-")[0]
    if architecture is None:
        yield Unchecked(f"whether {triple} runs on the engine's architecture", "the engine does not answer")
    elif docker_name(machine) != architecture:
        yield CROSS_RUNTIME.found(f"binaries for {triple} in an image for {architecture}", place)
        variable = f"CARGO_TARGET_{triple.upper().replace('-', '_')}_LINKER"
        table = ws.config.get("target", {}).get(triple, {})
        if (
            variable not in config.env
            and not (isinstance(table, dict) and table.get("linker"))
            and "musl" not in triple
        ):
            yield CROSS_LINKER.found(f"no linker is named for {triple}", place)
    if "musl" in triple and lock is not None and {"cc", "cmake"} & set(lock.by_name):
        compiler = f"CC_{triple.replace('-', '_')}"
        if "musl-tools" not in config.base.packages and compiler not in config.env and not config.base.image:
            yield MUSL_TOOLS.found(f"crates compile C code for {triple}, and base.packages has no musl-tools", place)
