"""The files of workflows: what would be written beside what is there, and writing it. No foreign file is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from layerdoit.ci import commented_yaml, github, gitlab
from layerdoit.ci.ci_facts import CiFacts
from layerdoit.ci.own_regions import WRITTEN, split, with_versions_of
from layerdoit.core import files
from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.core.prose import suggestion

Kind = Literal["same", "new", "changed", "left"]


class Kept(NamedTuple):
    """A file. `text`: what would stand in it; `there`: what does, None without it. `left`: it is wanted no more."""

    path: str
    kind: Kind
    text: str
    there: str | None = None
    difference: Difference | None = None


class Difference(NamedTuple):
    """The first line in which a file differs. None: it ends before."""

    line: int
    there: str | None
    wanted: str | None


class System(NamedTuple):
    """A CI service. `workflows`: all that it may have, whatever the configuration says."""

    documents: Callable[[CiFacts], Mapping[str, github.Document]]
    every: Callable[[CiFacts], Sequence[str]]


SYSTEMS: Final[Mapping[str, System]] = {
    "github": System(github.documents, github.every),
    "gitlab": System(gitlab.documents, gitlab.every),
}


def named(words: Sequence[str]) -> str:
    """The service that was asked for. ConfigError where it is none."""
    names = list(SYSTEMS)
    if len(words) == 1 and words[0] in SYSTEMS:
        return words[0]
    if not words:
        raise ConfigError(
            "doit layers ci: which CI service?", hint=", or ".join(f"doit layers ci {name}" for name in names)
        )
    unknown = next((word for word in words if word not in SYSTEMS), None)
    if unknown is None:
        raise ConfigError(f"doit layers ci takes one CI service, not {len(words)}", hint=f"doit layers ci {words[0]}")
    raise ConfigError(f'there is no CI service "{unknown}"', hint=suggestion(unknown, names, "services"))


def look(top: Path, system: str, facts: CiFacts) -> tuple[Kept, ...]:
    """Each file, as it is and as it would be. ConfigError where one of them is not ours, or its markers are damaged."""
    wanted = SYSTEMS[system].documents(facts)
    found = [_kept(top, path, _head(system), document) for path, document in wanted.items()]
    if system == "gitlab" and found and not (top / gitlab.ENTRY).exists():
        found.append(Kept(gitlab.ENTRY, "new", gitlab.entry(facts)))
    return (*found, *_left(top, system, [path for path in SYSTEMS[system].every(facts) if path not in wanted]))


def is_ours(path: Path) -> bool:
    """Whether `doit layers ci` wrote a file."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(len(WRITTEN)) == WRITTEN
    except OSError:
        return False


def proposed(top: Path) -> str | None:
    """The service of which a repository has files, but none of ours."""
    workflows = [*top.glob(".github/workflows/*.yml"), *top.glob(".github/workflows/*.yaml")]
    if any(map(is_ours, (*workflows, *top.glob(".gitlab/*.yml")))):
        return None
    return "github" if workflows else "gitlab" if (top / gitlab.ENTRY).is_file() else None


def not_included(top: Path, system: str, facts: CiFacts) -> str | None:
    """What is to be added to a file that is its owner's, so that jobs run at all."""
    if system != "gitlab" or not gitlab.documents(facts):
        return None
    try:
        text = (top / gitlab.ENTRY).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return None if gitlab.path(facts) in text else gitlab.entry(facts)


def _head(system: str) -> str:
    return (
        f"{WRITTEN}{system}` from layerdoit.yaml: run it again after a change there.\n"
        "# Write your own lines between the markers: they stay, and so do newer versions that a bot has set.\n\n"
    )


def _kept(top: Path, path: str, head: str, document: github.Document) -> Kept:
    there = _read(top / path, path)
    if there is None:
        return Kept(path, "new", head + commented_yaml.text(document, {}))
    old = split(there, path)
    text = head + commented_yaml.text(document, old.own)
    _refuse_lost(old.own, text, path)
    text = with_versions_of(text, there, own_too=False)
    tolerated = with_versions_of(text, there, own_too=True)
    difference = _difference(there, tolerated, path)
    return Kept(path, "same" if difference is None else "changed", text, there, difference)


def _read(path: Path, shown: str) -> str | None:
    """A file of ours; None where there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (IsADirectoryError, NotADirectoryError):
        raise ConfigError("there is no room for this file", where=shown, hint="move what is in its place") from None
    except UnicodeDecodeError:
        text = ""
    if not text.startswith(WRITTEN):
        hint = "move it away, or give it another name; what it does can stand between the markers of the new one"
        raise ConfigError("this file was not written by layerdoit, and stays as it is", where=shown, hint=hint)
    return text


def _refuse_lost(own: Mapping[str, Sequence[str]], text: str, path: str) -> None:
    """Lines of people for which the new text has no place."""
    places = split(text, path).own
    for name, lines in own.items():
        if name not in places and any(line.strip() for line in lines):
            what = f'the lines of yours in "{name}" have no place in the new file'
            near = suggestion(name, list(places), "places that it has")
            raise ConfigError(what, where=path, hint=f"move them: {near}")


def _difference(there: str, wanted: str, path: str) -> Difference | None:
    """The first line that differs outside of the regions, as a line of the file that is there."""
    if there.replace("\r\n", "\n") == wanted:
        return None
    old, new = (_without_own(text, path) for text in (there.replace("\r\n", "\n"), wanted))
    for index in range(max(len(old), len(new))):
        before = old[index] if index < len(old) else None
        after = new[index] if index < len(new) else None
        if (before and before[1]) != (after and after[1]):
            line = before[0] if before else len(there.splitlines())
            return Difference(line, before[1] if before else None, after[1] if after else None)
    return None


def _without_own(text: str, path: str) -> list[tuple[int, str]]:
    theirs = split(text, path).theirs
    return [(number + 1, line) for number, line in enumerate(text.splitlines()) if number not in theirs]


def _left(top: Path, system: str, paths: Sequence[str]) -> Iterator[Kept]:
    """Files of ours that the configuration asks for no more."""
    for path in paths:
        try:
            text = (top / path).read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
        if text.startswith(f"{WRITTEN}{system}`"):
            if any(line.strip() for lines in split(text, path).own.values() for line in lines):
                what = "the configuration asks for this workflow no more, and it has lines of yours"
                raise ConfigError(what, where=path, hint="move them to another workflow, and remove the file")
            yield Kept(path, "left", "", text)


def write(top: Path, found: Sequence[Kept]) -> None:
    """Write and remove what differs, all of it or nothing."""
    done: list[Kept] = []
    where = ""
    try:
        for one in found:
            place, where = top / one.path, one.path
            if one.kind == "left":
                place.unlink()
            elif one.text != one.there:
                place.parent.mkdir(parents=True, exist_ok=True)
                files.write(place, one.text)
            done.append(one)
    except BaseException as error:
        for before in done:
            if before.there is None:
                (top / before.path).unlink(missing_ok=True)
            else:
                (top / before.path).write_text(before.there, encoding="utf-8")
        if not isinstance(error, OSError):
            raise
        what = f"it cannot be written: {error.strerror}; the others are as they were"
        raise LayerdoitError(what, where=where, hint="give yourself permission, and run it again") from None
