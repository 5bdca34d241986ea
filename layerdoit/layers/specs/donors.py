"""Donors: deps images of any project on the engine, whose compiled units a cook takes instead of compiling them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from layerdoit.layers.key import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from layerdoit.layers.specs.deps import Cooked

Word = Literal["none", "public", "private"]
"""What a project lends and takes: nothing; crates of crates.io; with projects that say so too, its private ones."""

MOST: Final = 4
"""How many images lend: each costs about a third of a second, and the first ones have most of what there is."""
# What rustc, build scripts and the tools that they call go by, and cargo's fingerprints know nothing of or not all.
_COUNTS: Final = ("env ", "config ")
_CARGOS: Final = ("config profile ", "config patch ", "config source.", "config registries.", "config registry.")
_EQUAL: Final = ("base", "option profile", "option target", "folder of the workspace")
_PUBLIC: Final = re.compile(r"\S+ [0-9a-f]{12}")
# Code for the machine that compiles: an image may have come from another one.
_NATIVE: Final = re.compile(r"\bnative\b")
_TARGET: Final = re.compile(r"config target\.(?P<triple>[\w.]+(?:-[\w.]+)+)")
_FLAGS: Final = re.compile(r"flags", re.IGNORECASE)


class Donor(NamedTuple):
    """A deps image that lends. `packages`: see `packages`; `private`: whether it lends private crates too."""

    key: str
    tag: str
    project: str
    packages: frozenset[str]
    private: bool
    created: str

    def lends_to(self, word: Word) -> Word:
        """What it lends to a project of that word: its private crates only where both say so."""
        return "private" if self.private and word == "private" else "public"


def kin(inputs: Mapping[str, str], dockerfile: str) -> str:
    """A key of all that must be equal, besides what cargo compares, for units to be the same; '' where none ever are.

    `inputs`: of a deps layer; `dockerfile`: digest of its Dockerfile.
    """
    counted = {name: text for name, text in inputs.items() if name in _EQUAL or name.startswith(_COUNTS)}
    counted = {name: text for name, text in counted.items() if not name.startswith(_CARGOS)}
    counted = {name: text for name, text in counted.items() if not _is_of_another_system(name, inputs)}
    if any(_FLAGS.search(name) and _NATIVE.search(text) for name, text in counted.items()):
        return ""
    return digest((dockerfile, *(word for name in sorted(counted) for word in (name, counted[name]))))


def _is_of_another_system(name: str, inputs: Mapping[str, str]) -> bool:
    """Whether it is a table of cargo's configuration for a target that is not compiled for, such as one of Windows."""
    found = _TARGET.fullmatch(name)
    if found is None or "-linux" in found["triple"]:
        return False
    chosen = (text for other, text in inputs.items() if other.startswith(("option target", "config build")))
    return not any(found["triple"] in text for text in chosen)


def packages(inputs: Mapping[str, str], *, private: bool = False) -> frozenset[str]:
    """Every `name version checksum` in a listing of inputs. `private`: also what is not of crates.io."""
    found = set[str]()
    for name, text in inputs.items():
        if name.startswith("package "):
            # A check has them as `package serde 1.0.219`: the checksum.
            _, package, *version = name.split(" ")
            each = [f"{version[0]} {text[:12]}"] if version else [one.partition(" -> ")[0] for one in text.split("; ")]
            found |= {f"{package} {one}" for one in each if private or _PUBLIC.fullmatch(one)}
    return frozenset(found)


def choose(inputs: Mapping[str, str], there: Iterable[Donor], parent: Cooked | None, word: Word) -> tuple[Donor, ...]:
    """The images that lend to a cook, in the order in which they are asked: each has most of what the others lack.

    `there`: of the same kin; `parent`: the image that is cooked from. What is in that already nobody has to lend.
    """
    wanted = packages(inputs, private=word == "private")
    if word == "none" or not wanted:
        return ()
    had = frozenset[str]()
    if parent is not None:
        raw = dict(one.removeprefix("package ").split(" ", 1) for one in parent.packages if " " in one)
        had = packages({f"package {name}": text for name, text in raw.items()}, private=True)
    lacking = wanted - had or wanted
    left = [one for one in there if parent is None or one.key != parent.key]
    chosen: list[Donor] = []
    while left and len(chosen) < MOST:
        covered = frozenset().union(*(one.packages for one in chosen))
        new = lacking - covered

        def worth(one: Donor, new: frozenset[str] = new) -> tuple[int, int, str]:
            return len(one.packages & new), len(one.packages & wanted), one.created

        best = max(left, key=worth)
        if not best.packages & lacking:
            break
        chosen.append(best)
        left.remove(best)
    return tuple(chosen)
