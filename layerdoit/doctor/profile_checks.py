"""Cargo profiles and flags: what costs minutes, what the builder lacks, what ties a binary to one machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from layerdoit.cargo import cfg
from layerdoit.cargo.profiles import chain
from layerdoit.cargo.toml_lines import where
from layerdoit.core.platform import glibc_of
from layerdoit.doctor.finding import Finding, Rule, rules

if TYPE_CHECKING:
    from layerdoit.cargo.manifest import Workspace
    from layerdoit.config import Config

DEV_LTO = Rule(
    "dev-lto",
    "warning",
    "The dev profile links with LTO.",
    "every edit optimises all crates again: minutes instead of seconds",
    "remove lto from [profile.dev]; keep it in a profile that inherits release",
)
DEV_INCREMENTAL = Rule(
    "dev-not-incremental",
    "warning",
    "Incremental compilation is off in the dev profile.",
    "every edit compiles its whole crate again",
    "remove incremental = false; it pays off, because the target folder is private and kept",
)
DEV_OPTIMISED = Rule(
    "dev-optimised",
    "hint",
    "The dev profile optimises the workspace's own crates.",
    "every edit waits for the optimiser",
    'optimise dependencies only: [profile.dev.package."*"] opt-level = 3, compiled once in the deps layer',
)
DEV_UNITS = Rule(
    "dev-codegen-units",
    "hint",
    "The dev profile compiles each crate as one codegen unit.",
    "one core works instead of all, and incremental compilation reuses less",
    "remove codegen-units from [profile.dev]",
)
FAT_LTO = Rule(
    "fat-lto",
    "hint",
    "The profile that is built links with fat LTO.",
    "every edit optimises all crates of the program together, dependencies too: right for a release, slow for a cycle",
    'use a profile for cycles: [profile.fast] inherits = "release", lto = false, codegen-units = 16; PROFILE=fast',
)
DEBUG = Rule(
    "release-debug",
    "hint",
    "The profile that is built is optimised, but holds full debug information that is not stripped.",
    "it is in the image and in every push and pull, often several times the program's size",
    'debug = "line-tables-only" keeps backtraces, strip = "debuginfo" drops all',
)
NATIVE_CPU = Rule(
    "target-cpu-native",
    "warning",
    "Binaries are compiled for the CPU of the machine that builds.",
    "on an older CPU the container dies with SIGILL, and shared images and deps layers differ between machines",
    "name the oldest CPU that they must run on, such as target-cpu=x86-64-v3",
)
TOOL = Rule(
    "build-tool-missing",
    "error",
    "cargo is told to use a linker or wrapper that the builder image does not have.",
    "the project's cargo configuration applies in the build, too: cargo fails at the first crate",
    "name its package in base.packages",
)
RULES = tuple(rules(globals()))

# Program -> Debian package, None: no package.
_PACKAGES: Mapping[str, str | None] = {
    "clang": "clang",
    "clang++": "clang",
    "lld": "lld",
    "ld.lld": "lld",
    "mold": "mold",
    "sccache": "sccache",
    "musl-gcc": "musl-tools",
    "x86_64-linux-musl-gcc": "musl-tools",
    "wild": None,
}
_HAS = frozenset({"cc", "gcc", "g++", "c++", "ld", "bfd", "gold", "rust-lld", "rustc"})


def effective(ws: Workspace, profile: str) -> dict[str, Any]:
    """The settings of a profile with those that it inherits; cargo's configuration goes before the manifest."""
    tables = [ws.manifest.get("profile", {}), ws.config.get("profile", {})]
    names = chain(ws, profile)[::-1]
    out: dict[str, Any] = {"base": names[0]}
    for item in names:
        for table in tables:
            out.update(table.get(item, {}))
    return out


def profiles(ws: Workspace, config: Config) -> Iterator[Finding]:
    """The dev profile, because every cycle waits for it; and the one that is built."""
    text = (ws.root / "Cargo.toml").read_text(encoding="utf-8")
    dev = effective(ws, "dev")

    def at(name: str, setting: str) -> str:
        return where("Cargo.toml", text, ("profile", name, setting))

    if dev.get("lto") in (True, "fat", "thin"):
        yield DEV_LTO.found(f"[profile.dev] has lto = {_toml(dev['lto'])}", at("dev", "lto"))
    if dev.get("incremental") is False or config.env.get("CARGO_INCREMENTAL") == "0":
        place = at("dev", "incremental") if dev.get("incremental") is False else config.where.get("env")
        yield DEV_INCREMENTAL.found("incremental compilation is off", place)
    if dev.get("opt-level") in (2, 3, "s", "z"):
        yield DEV_OPTIMISED.found(f"[profile.dev] has opt-level = {_toml(dev['opt-level'])}", at("dev", "opt-level"))
    if dev.get("codegen-units") == 1:
        yield DEV_UNITS.found("[profile.dev] has codegen-units = 1", at("dev", "codegen-units"))
    name = config.profile
    chosen = effective(ws, name)
    if chosen["base"] == "dev":
        return
    if chosen.get("lto") in (True, "fat"):
        yield FAT_LTO.found(f"the profile {name} has lto = {_toml(chosen['lto'])}", at(name, "lto"))
    stripped = chosen.get("strip") not in (None, False, "none")
    if (chosen.get("debug") is True or chosen.get("debug") in (2, "full")) and not stripped:
        yield DEBUG.found(f"the profile {name} has debug = {_toml(chosen['debug'])}", at(name, "debug"))


def _toml(value: object) -> str:
    return (
        {True: "true", False: "false"}.get(value, repr(value).replace("'", '"'))
        if isinstance(value, bool)
        else (f'"{value}"' if isinstance(value, str) else str(value))
    )


def flags(ws: Workspace, config: Config, host: str) -> Iterator[Finding]:
    """Flags, linkers and wrappers that reach the build. `host`: the builder's own triple."""
    file = next((name for name in (".cargo/config", ".cargo/config.toml") if (ws.root / name).is_file()), None)
    text = (ws.root / file).read_text(encoding="utf-8") if file else ""
    triple = glibc_of(config.target or host)[0]
    for words, path in _flag_lists(ws.config, triple):
        place = where(file, text, path) if file else None
        yield from _flags(words, place, config)
    rustflags = config.env.get("RUSTFLAGS", "").split()
    yield from _flags(rustflags, config.where.get("env"), config)
    build = ws.config.get("build", {})
    wrapper = config.env.get("RUSTC_WRAPPER", build.get("rustc-wrapper"))
    if isinstance(wrapper, str) and wrapper:
        place = where(file, text, ("build", "rustc-wrapper")) if file and "RUSTC_WRAPPER" not in config.env else None
        yield from _program(wrapper, "rustc-wrapper", place, config)
    for name, table in _tables(ws.config, triple):
        linker = table.get("linker")
        if isinstance(linker, str):
            place = where(file, text, ("target", name, "linker")) if file else None
            yield from _program(linker, "linker", place, config)


def _tables(cargo: Mapping[str, Any], triple: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, table in cargo.get("target", {}).items():
        if isinstance(table, dict) and cfg.applies(name, triple):
            yield name, table


def _flag_lists(cargo: Mapping[str, Any], triple: str) -> Iterator[tuple[Sequence[str], tuple[str, ...]]]:
    tables = list(_tables(cargo, triple))
    found: list[tuple[Any, tuple[str, ...]]] = [
        (table["rustflags"], ("target", name, "rustflags")) for name, table in tables if "rustflags" in table
    ]
    # cargo takes build.rustflags only where no table of the target has any.
    if not found and "rustflags" in cargo.get("build", {}):
        found = [(cargo["build"]["rustflags"], ("build", "rustflags"))]
    for words, path in found:
        yield (words.split() if isinstance(words, str) else [str(word) for word in words]), path


def _flags(words: Sequence[str], place: str | None, config: Config) -> Iterator[Finding]:
    joined = " ".join(words)
    if re.search(r"target-cpu=native\b", joined):
        yield NATIVE_CPU.found("rustc is told target-cpu=native", place)
    for name in re.findall(r"link-arg=-fuse-ld=(\S+)", joined):
        yield from _program(name, "linker", place, config)
    for name in re.findall(r"-C ?linker=(\S+)", joined):
        yield from _program(name, "linker", place, config)


def _program(written: str, kind: str, place: str | None, config: Config) -> Iterator[Finding]:
    """A program by name, or by an absolute path of the system; a path in the project is the project's business."""
    name = written.rpartition("/")[2]
    if name in _HAS or ("/" in written and not written.startswith(("/usr/", "/bin/"))) or config.base.image:
        return
    cross = re.fullmatch(r"(\w+-linux-gnu\w*)-(gcc|g\+\+|ld)", name)
    package = f"gcc-{cross[1].replace('_', '-')}" if cross else _PACKAGES.get(name, None)
    installed = {entry.partition("=")[0].partition(":")[0] for entry in config.base.packages}
    if package in installed or any(entry == name or entry.startswith(f"{name}-") for entry in installed):
        return
    fix = f"base: {{packages: [{package}]}} in layerdoit.yaml" if package else None
    yield TOOL.found(f"cargo is told to use the {kind} {name}, which the builder image does not have", place, fix=fix)
