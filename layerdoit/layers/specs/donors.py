"""Donors: deps images of any project on the engine, whose compiled units a cook takes instead of compiling them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from layerdoit.core.prose import listed
from layerdoit.layers.key import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from layerdoit.layers.specs.deps import Cooked

Word = Literal["none", "public", "private"]
"""What a project lends and takes: nothing; crates of crates.io; with projects that say so too, its private ones."""

MOST: Final = 4
"""How many images lend: each costs about a third of a second, and the first ones have most of what there is."""
PULLED: Final = 2
"""How many of them may be pulled for it."""
UNITS_FORM: Final = 2
"""Counts the forms of /cooked/units (`dockerfiles/units.sh`), by which a unit is told from another one.

Raise it when lines get another meaning: what images have in an older form is never the same as what a cook wants, so
they lend nothing, and the plan must not promise that. 2: a source has the commit or the checksum behind a `#`.
"""
WORTH: Final = 0.3
"""What part of the wanted packages one of them must have that nothing here has: it is hundreds of megabytes."""
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
    """A deps image that lends. `packages`: see `packages`; `private`: whether it lends private crates too.

    `afar`: the repository in a registry that it is pulled from first; '' where it is here.
    """

    key: str
    tag: str
    project: str
    packages: frozenset[str]
    private: bool
    created: str
    afar: str = ""

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
    return digest((str(UNITS_FORM), dockerfile, *(word for name in sorted(counted) for word in (name, counted[name]))))


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
    lacking = wanted - _had(parent) or wanted
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


def worth_pulling(
    inputs: Mapping[str, str], afar: Iterable[Donor], here: Iterable[Donor], parent: Cooked | None, word: Word
) -> tuple[Donor, ...]:
    """Those that are pulled so that they lend, too. `here`: what lends without them; `afar`: of the same kin.

    Of images that have as much of what is lacking, the one with fewer packages is the smaller one.
    """
    wanted, lacking = packages(inputs, private=word == "private"), _lacking(inputs, here, parent, word)
    left, chosen = list(afar), list[Donor]()
    while left and len(chosen) < PULLED:
        best = max(left, key=lambda one: (len(one.packages & lacking), -len(one.packages), one.created))
        if not _is_much(best.packages & lacking, wanted):
            break
        chosen.append(best)
        left.remove(best)
        lacking -= best.packages
    return tuple(chosen)


def lacks_much(inputs: Mapping[str, str], here: Iterable[Donor], parent: Cooked | None, word: Word) -> bool:
    """Whether so little is had here that there can be an image that is worth pulling."""
    return word != "none" and _is_much(
        _lacking(inputs, here, parent, word), packages(inputs, private=word == "private")
    )


def taken_words(lent: Iterable[Donor]) -> list[str]:
    """From whom a cook takes units, in sentences without a beginning."""
    found = tuple(lent)
    names = dict.fromkeys(one.project for one in found if not one.afar)
    said = [f"takes what is the same from the dependencies of {listed(names)}"] if names else []
    if pulled := [one.tag for one in found if one.afar]:
        which = "which is" if len(pulled) == 1 else "which are"
        said.append(f"takes what {listed(pulled)} of the registry has compiled, {which} pulled first")
    return [*said[:-1], f"{said[-1]}; only the rest compiles"] if said else []


def _had(parent: Cooked | None) -> frozenset[str]:
    """What is in the image that is cooked from: nobody has to lend it."""
    if parent is None:
        return frozenset()
    raw = dict(one.removeprefix("package ").split(" ", 1) for one in parent.packages if " " in one)
    return packages({f"package {name}": text for name, text in raw.items()}, private=True)


def _lacking(inputs: Mapping[str, str], here: Iterable[Donor], parent: Cooked | None, word: Word) -> frozenset[str]:
    """What would be compiled, by its packages."""
    return packages(inputs, private=word == "private").difference(_had(parent), *(one.packages for one in here))


def _is_much(some: frozenset[str], wanted: frozenset[str]) -> bool:
    return bool(some) and len(some) >= WORTH * len(wanted)
