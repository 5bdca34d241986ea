"""Why a layer is reused, pulled or built, as data. Sentences are made only to show them; nothing depends on them.

difference(old, new) -> tuple[Reason, ...]     # what changed between two listings of inputs
sentences(reasons) -> list[str], text(reasons) -> str
as_json(reasons) -> list[dict], from_json(data) -> tuple[Reason, ...]
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Literal

from layerdoit.core.frozen import Frozen
from layerdoit.core.prose import listed
from layerdoit.core.units import count_text

if TYPE_CHECKING:
    from layerdoit.layers.words import Change

Kind = Literal[
    "up_to_date",
    "unread",
    "rereads",
    "not_built_before",
    "removed",
    "needless",
    "in_registry",
    "lacking",
    "from_scratch",
    "changed",
    "others_changed",
    "inputs_changed",
    "noted",
]

FILES: Final = ("file", "asset")
"""Kinds of input whose changes share one reason."""
SINGLE: Final = 20
"""How many changes of one kind get a reason each; one more reason counts the others."""
NAMED_FILES: Final = 5
NAMED_PACKAGES: Final = 8
NAMED_LACKING: Final = 3
LONGEST_VALUE: Final = 1_000
"""In characters; a change from or to a longer value is recorded without its values."""
MOST_NAMES: Final = 1_000
"""How many names of one reason are recorded; the others are only counted."""

_FIXED: Final[Mapping[Kind, str]] = {
    "up_to_date": "image is up to date",
    "not_built_before": "not built before",
    "removed": "image was removed",
    "needless": "not here, and nothing needs it",
    "in_registry": "the registry has it",
    "inputs_changed": "its inputs changed",
}


class Reason(Frozen):
    """One reason.

    `names`: the inputs that changed (`file src/main.rs`, `package serde`); for `lacking`, the packages of Cargo.lock
    that the deps image's index does not know; for `from_scratch`, the command that asked for it; for `noted`, a
    sentence that an earlier layerdoit recorded; for `rereads`, a crate that compiles again, and what it reads (`input`:
    `lists` or `reads`). `left_out`: how many more names there are.

    `input`: the kind of those inputs, one of `words.KINDS`. `old`, `new`: values of `changed`, None for none; both None
    for files, and where they are too long to be kept. `image`: `runtime` where base stands for its second image; for
    `unread`, the service whose image it is.
    """

    kind: Kind
    names: tuple[str, ...] = ()
    input: str = ""
    old: str | None = None
    new: str | None = None
    left_out: int = 0
    image: str = ""

    @property
    def count(self) -> int:
        """How many names there are in total."""
        return len(self.names) + self.left_out

    def as_json(self) -> dict[str, Any]:
        """The documented form, limited in size."""
        names = self.names[:MOST_NAMES]
        told: dict[str, Any] = {"kind": self.kind, "names": list(names), "count": self.count}
        if self.input:
            short = max(len(self.old or ""), len(self.new or "")) <= LONGEST_VALUE
            told |= {"input": self.input, "old": self.old if short else None, "new": self.new if short else None}
        return told | ({"image": self.image} if self.image else {})


def documented(reasons: Sequence[Reason]) -> dict[str, Any]:
    """The two fields of every documented form. `reasons`: sentences; `causes`: the same as data."""
    return {"reasons": sentences(reasons), "causes": as_json(reasons)}


def as_json(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    """The documented form."""
    return [reason.as_json() for reason in reasons]


def from_json(data: Iterable[Mapping[str, Any]]) -> tuple[Reason, ...]:
    """Read the reasons that `as_json` wrote."""
    return tuple(
        Reason(
            one["kind"],
            tuple(one["names"]),
            one.get("input", ""),
            one.get("old"),
            one.get("new"),
            one["count"] - len(one["names"]),
            one.get("image", ""),
        )
        for one in data
    )


# --- from inputs -----------------------------------------------------------------------------------------------------


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Reason, ...]:
    """What changed, packages first and files last. Empty exactly when the listings are equal."""
    # Of a layer that is there, nothing of this is needed.
    from layerdoit.layers import words

    kinds = {kind: list(found) for kind, found in groupby(words.changes(old, new), lambda change: change.kind)}
    order = ("package", *(kind for kind in kinds if kind not in ("package", *FILES)), *FILES)
    return tuple(reason for kind in order if kind in kinds for reason in _of_kind(kind, kinds[kind]))


def _of_kind(kind: str, found: Sequence[Change]) -> list[Reason]:
    if kind in FILES:
        return [Reason("changed", _names(found), kind)]
    reasons = [Reason("changed", change.names, kind, change.old, change.new) for change in found[:SINGLE]]
    others = _names(found[SINGLE:])
    return reasons + ([Reason("others_changed", others, kind)] if others else [])


def _names(found: Iterable[Change]) -> tuple[str, ...]:
    return tuple(name for change in found for name in change.names)


def without(found: Iterable[Reason], names: Collection[str]) -> tuple[Reason, ...]:
    """The reasons but for files of these names, which made no difference."""
    kept: list[Reason] = []
    for reason in found:
        left = tuple(name for name in reason.names if name not in names) if reason.input == "file" else reason.names
        if left:
            kept.append(reason if left == reason.names else replace(reason, names=left))
    return tuple(kept)


# --- in words --------------------------------------------------------------------------------------------------------


def text(reasons: Iterable[Reason]) -> str:
    """All reasons in one line."""
    return "; ".join(sentences(reasons))


def sentences(reasons: Iterable[Reason]) -> list[str]:
    """A sentence for each reason; long lists of packages and files are shortened."""
    lines: list[str] = []
    for kind, group in groupby(reasons, lambda reason: reason.input):
        found = list(group)
        lines += _of_packages(found) if kind == "package" else map(_sentence, found)
    return lines


def _of_packages(found: Sequence[Reason]) -> list[str]:
    named = [reason for reason in found if reason.kind == "changed"][:NAMED_PACKAGES]
    others = sum(reason.count for reason in found) - len(named)
    return [*map(_sentence, named), *([_more(others, "package")] if others else [])]


def _sentence(reason: Reason) -> str:
    if not reason.image or reason.kind == "unread":
        return _words(reason)
    return f"{reason.image} image: {_words(reason)}"


def _words(reason: Reason) -> str:
    if reason.kind == "changed":
        return _changed(reason)
    if reason.kind == "unread":
        what = f"{reason.image} is not made of" if reason.image else "nothing reads"
        return f"only files that {what} changed: {_paths(reason)}"
    if reason.kind == "rereads":
        return f"{reason.names[0]} compiles again: it {reason.input} {posixpath.normpath(reason.names[1])}"
    if reason.kind == "others_changed":
        return _more(reason.count, "input")
    if reason.kind == "lacking":
        return f"its registry index lacks packages of Cargo.lock: {listed(reason.names, NAMED_LACKING, reason.count)}"
    if reason.kind == "from_scratch":
        return f"{reason.names[0]} builds it from scratch"
    return _FIXED.get(reason.kind) or ", ".join(reason.names)


def _changed(reason: Reason) -> str:
    from layerdoit.layers import wording

    if reason.input in FILES:
        folders = sum(map(wording.is_folder, reason.names))
        if folders == len(reason.names):
            return f"{reason.input}s changed in {_paths(reason)}"
        if folders:
            return f"{reason.input}s changed: which is not known, one image lists them by folder, the other by name"
        return f"{count_text(reason.count, reason.input)} changed: {_paths(reason)}"
    if reason.old is None and reason.new is None:
        return f"{reason.names[0]} changed"
    return wording.change_text(reason.input, reason.names, reason.old, reason.new)


def _paths(reason: Reason) -> str:
    from layerdoit.layers import wording

    paths = [wording.path_of(name) for name in reason.names[:NAMED_FILES]]
    return listed(paths, NAMED_FILES, reason.count)


def _more(count: int, noun: str) -> str:
    return f"and {count_text(count, f'more {noun}')}"
