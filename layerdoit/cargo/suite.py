"""Tell an image's Debian or Ubuntu release from its name.

of_image("ubuntu:24.04") -> "noble"     # None where the name does not tell
"""

from __future__ import annotations

import re

SUITES = frozenset((
    "stretch", "buster", "bullseye", "bookworm", "trixie",
    "bionic", "focal", "jammy", "noble", "plucky", "questing", "resolute",
))  # fmt: skip
GLIBC = {
    "stretch": "2.24", "buster": "2.28", "bullseye": "2.31", "bookworm": "2.36", "trixie": "2.41",
    "bionic": "2.27", "focal": "2.31", "jammy": "2.35", "noble": "2.39", "plucky": "2.41", "questing": "2.42",
}  # fmt: skip
"""The version of glibc of each suite where it is known."""
_RELEASES = {
    "debian": {"9": "stretch", "10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie"},
    "ubuntu": {
        "18.04": "bionic", "20.04": "focal", "22.04": "jammy", "24.04": "noble", "25.04": "plucky", "25.10": "questing",
        "26.04": "resolute",
    },
}  # fmt: skip
UBUNTU = {name: release for release, name in _RELEASES["ubuntu"].items()}
"""Ubuntu's suites and their releases."""
# Which suite a rust image without one in its tag is of: (first release, suite). 1.89 was published on both.
_RUST = ((90, "trixie"), (71, "bookworm"), (55, "bullseye"))
_RUST_BOTH = 89
_WORD = re.compile(rf"(?:^|[-_])({'|'.join(sorted(SUITES))})(?=$|[-_\d])")
# As in `12.6.3-devel-ubuntu24.04`, `base:debian-12`, `distroless/cc-debian12`.
_NUMBERED = re.compile(r"(?:^|[-_])(debian|ubuntu)-?(\d+(?:\.\d+)?)(?=$|[-_])")


def parts(reference: str) -> tuple[str, str, str]:
    """The name, its last part and the tag of an image, without a digest; the last two in small letters."""
    bare = reference.partition("@")[0]
    name, _, tag = bare.rpartition(":") if ":" in bare.rpartition("/")[2] else (bare, "", "")
    return name, name.rpartition("/")[2].lower(), tag.lower()


def of_image(reference: str) -> str | None:
    """The suite of an image; None for other systems and if the name does not tell."""
    _, last, tag = parts(reference)
    if "alpine" in tag or "alpine" in last:
        return None
    word = _WORD.search(tag) or re.search(rf"[-_]({'|'.join(sorted(SUITES))})$", last)
    if word:
        return word[1]
    for text in (tag, last):
        for system, release in _NUMBERED.findall(text):
            return _release(system, release)
    if last in ("rust", "cargo-chef"):
        return _rust(tag)
    number = re.match(r"\d+(?:\.\d+)?", tag)
    return _release(last, number[0]) if number and last in _RELEASES else None


def _release(system: str, release: str) -> str | None:
    known = _RELEASES[system]
    return known.get(release) or known.get(release.partition(".")[0])


def _rust(tag: str) -> str | None:
    """`1.78-slim`, `latest-rust-1.78`, `1`, `slim`, ``; official images move to a new Debian with its release."""
    version = re.search(r"(?:^|rust-)1\.(\d+)", tag)
    if version is None:
        return (
            "trixie"
            if re.fullmatch(r"(latest|1|slim|1-slim|latest-rust-1|latest-rust-latest|latest|)(-slim)?", tag)
            else None
        )
    minor = int(version[1])
    return None if minor == _RUST_BOTH else next((suite for first, suite in _RUST if minor >= first), None)
