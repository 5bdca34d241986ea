"""The C library of an image, as its name tells: which binaries start on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from layerdoit.cargo.suite import of_image as suite_of
from layerdoit.cargo.suite import parts

Version = tuple[int, int]


@dataclass(frozen=True)
class Libc:
    """`kind` none: no C library at all (scratch, distroless/static). `version`: of glibc, where the name tells."""

    kind: Literal["glibc", "musl", "none", "unknown"]
    version: Version | None = None
    system: str = ""


UNKNOWN = Libc("unknown")

# Debian and Ubuntu by suite, others by name and release: glibc as in the distributions' package lists.
_SUITES: dict[str, Version] = {
    "stretch": (2, 24), "buster": (2, 28), "bullseye": (2, 31), "bookworm": (2, 36), "trixie": (2, 41),
    "bionic": (2, 27), "focal": (2, 31), "jammy": (2, 35), "noble": (2, 39), "plucky": (2, 41),
    "questing": (2, 42), "resolute": (2, 43),
}  # fmt: skip
_RELEASES: dict[str, dict[str, Version]] = {
    "almalinux": {"8": (2, 28), "9": (2, 34), "10": (2, 39)},
    "rockylinux": {"8": (2, 28), "9": (2, 34), "10": (2, 39)},
    "amazonlinux": {"2": (2, 26), "2023": (2, 34)},
    "centos": {"7": (2, 17), "8": (2, 28)},
    "ubi": {"8": (2, 28), "9": (2, 34), "10": (2, 39)},
}
# What came after this version (up to 2.41) is used by no Rust program that does not ask for it.
_SETTLED: Version = (2, 39)


def of_image(reference: str) -> Libc:
    """The C library of an image. What the name does not tell is unknown."""
    name, last, tag = parts(reference)
    if last == "scratch" or (last.startswith("static") and "distroless" in name) or last == "static":
        return Libc("none", system=last)
    if last == "alpine" or "alpine" in tag or re.search(r"(^|-)musl", f"{last}-{tag}"):
        return Libc("musl", system="Alpine" if "alpine" in f"{last}{tag}" else "musl")
    if suite := suite_of(reference):
        return Libc("glibc", _SUITES[suite], suite)
    if last.startswith("ubi") and last[3:4].isdigit():
        return _release("ubi", last[3:].partition("-")[0])
    release = re.match(r"\d+(?:\.\d+)?", tag)
    return _release(last, release[0]) if release and last in _RELEASES else UNKNOWN


def _release(system: str, release: str) -> Libc:
    known = _RELEASES[system]
    found = known.get(release) or known.get(release.partition(".")[0])
    return Libc("glibc", found, f"{system} {release}") if found else UNKNOWN


def mismatch(builder: Libc, runtime: Libc) -> str | None:
    """Why a binary linked against the builder's C library would not start on the runtime image, if that is known."""
    if builder.kind != "glibc":
        return None
    if runtime.kind == "none":
        return f"it is linked against glibc, and {runtime.system} has no C library"
    if runtime.kind == "musl":
        return f"it is linked against glibc, and {runtime.system} has musl"
    if builder.version and runtime.version and builder.version > runtime.version < _SETTLED:
        newer, older = (".".join(map(str, version)) for version in (builder.version, runtime.version))
        return f"it is linked against glibc {newer} ({builder.system}), and {runtime.system} has {older}"
    return None
