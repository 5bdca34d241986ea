"""Which pushed commit a word names: a branch, a tag or a commit of a remote; never something else instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from layerdoit.core.command_errors import CommandFailed
from layerdoit.core.console import warn
from layerdoit.core.errors import ConfigError, ProcessError
from layerdoit.core.process import capture_quick
from layerdoit.core.prose import listed, nearest
from layerdoit.core.units import count_text
from layerdoit.project.clones import Clone, unreachable
from layerdoit.tree import git

_HEADS, _TAGS = "refs/heads/", "refs/tags/"
_SHA: Final = re.compile(r"[0-9a-fA-F]{7,64}")
_WHOLE: Final = (40, 64)
# What git takes for an expression, and no branch or tag can be called.
_EXPRESSION: Final = re.compile(r"\.\.|[\s~^:?*\[\\]|@\{|^-|^$|^@$")
_NAMED: Final = 8


class Pushed(NamedTuple):
    """A commit that the remote has. `branch`: that was asked for; `words`: how people call it."""

    sha: str
    branch: str
    words: str


def find(clone: Clone, word: str, own: Path | None) -> Pushed:
    """The commit that the word names. `own`: a checkout of the same repository, for what is not pushed yet.

    ConfigError where the remote has none of that name.
    """
    if _EXPRESSION.search(word) or word == "HEAD":
        raise ConfigError(f'REF="{word}" is no branch, tag or commit', hint=_hint(clone.known(), own))
    if len(word) in _WHOLE and _SHA.fullmatch(word) and clone.commit(word) and clone.holds(word):
        # Whatever the remote has by now, that commit is the same.
        return Pushed(clone.commit(word), "", f"commit {word[:12].lower()}")
    there = _there(clone, word)
    names = [name for name in (word, f"refs/{word}", _HEADS + word, _TAGS + word) if name in there]
    if len(names) > 1:
        raise ConfigError(
            f'"{word}" is a branch and a tag of {clone.words}', hint=f"write REF={names[0]} or REF={names[1]}"
        )
    if names:
        found = _named(clone, names[0])
        if found.branch and own is not None:
            _tell_unpushed(own, found)
        return found
    sha = clone.commit(word) if _SHA.fullmatch(word) else ""
    if sha and clone.holds(sha):
        return Pushed(sha, "", f"commit {sha[:12]}")
    raise _unknown(clone, word, there, own)


def _named(clone: Clone, name: str) -> Pushed:
    sha = clone.commit(name.replace(_HEADS, "refs/remotes/origin/"))
    kind, short = (
        ("branch", name.removeprefix(_HEADS)) if name.startswith(_HEADS) else ("tag", name.removeprefix(_TAGS))
    )
    if not sha:
        raise ConfigError(f"the tag {short} of {clone.words} names no commit", hint="name a branch, a tag or a commit")
    return Pushed(sha, short if kind == "branch" else "", f"{kind} {short}, commit {sha[:12]}")


def _tell_unpushed(own: Path, found: Pushed) -> None:
    """A branch is what the remote has; what this clone has besides is easily taken to be in it."""
    try:
        said = capture_quick(git.command("rev-list", "--count", f"{found.sha}..{_HEADS}{found.branch}", "--"), own)
    except ProcessError:
        # There is no such branch here, or it was not fetched for long.
        return
    if (count := int(said)) > 0:
        verb = "is" if count == 1 else "are"
        warn(f"{count_text(count, 'commit')} of {found.branch} here {verb} not pushed, and not built")


def _there(clone: Clone, word: str) -> Mapping[str, str]:
    """Branches and tags as the remote has them now, all of them fetched."""
    known = clone.known()
    try:
        there = clone.asked()
        if there != known:
            clone.fetch()
    except CommandFailed as error:
        failure = unreachable(clone.words, error)
        # Tags and commits stay what they are; of a branch nobody knows what it is by now.
        if (_HEADS + word) in known or not ((_TAGS + word) in known or (_SHA.fullmatch(word) and clone.commit(word))):
            raise failure from None
        warn(f"{failure.what}; {word} is taken as it was fetched before")
        return known
    moved = next(
        (name for name in (word, f"refs/{word}", _TAGS + word) if name.startswith(_TAGS) and name in known), ""
    )
    if moved and there.get(moved, known[moved]) != known[moved]:
        warn(f"the tag {moved.removeprefix(_TAGS)} was moved: from {known[moved][:12]} to {there[moved][:12]}")
    return there


def _unknown(clone: Clone, word: str, there: Mapping[str, str], own: Path | None) -> ConfigError:
    what = f'{clone.words} has no branch, tag or commit "{word}"'
    if own is not None and not _EXPRESSION.search(word):
        with_sha = bool(_SHA.fullmatch(word))
        for name, kind in ((_HEADS + word, "branch"), (_TAGS + word, "tag"), (word if with_sha else "", "commit")):
            if name and _has(own, name):
                push = "git push" if kind == "commit" else f"git push origin {word}"
                return ConfigError(
                    f"the {kind} {word} is only in this clone, not in {clone.words}", hint=f"push it first: {push}"
                )
    if _SHA.fullmatch(word) and clone.commit(word):
        return ConfigError(
            f"no branch or tag of {clone.words} has the commit {word} any more", hint="push it first, or name another"
        )
    return ConfigError(what, hint=_hint(there, own, word))


def _has(own: Path, name: str) -> bool:
    try:
        capture_quick(git.command("rev-parse", "--quiet", "--verify", "--end-of-options", f"{name}^{{commit}}"), own)
    except ProcessError:
        return False
    return True


def _hint(there: Mapping[str, str], own: Path | None, word: str = "") -> str:
    names = list(dict.fromkeys(name.removeprefix(_HEADS).removeprefix(_TAGS) for name in there))
    near = nearest(word.removeprefix("origin/"), names) if word else []
    if near:
        return f"did you mean REF={near[0]}?"
    checkout = git.find(own) if own is not None else None
    branch = checkout.branch if checkout else ""
    if not names:
        return "push a branch first"
    return f"such as REF={branch if branch in names else names[0]}; there are {listed(names, _NAMED)}"
