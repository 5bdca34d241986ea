"""What stays when a workflow is written again: lines of people between two markers, and versions that a bot moved."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

from layerdoit.ci.commented_yaml import CLOSES, OPENS
from layerdoit.core import toml
from layerdoit.core.errors import ConfigError
from layerdoit.core.resources import data_dir

WRITTEN: Final = "# Written by `doit layers ci "
_MARKER: Final = re.compile(r"\s*(# *>>> *yours|# *<<< *yours)")
_ACTION: Final = re.compile(r"(?P<before>\buses: )(?P<name>[\w.-]+/[\w./-]+)@(?P<version>\S+(?: # \S+)?)")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?: # v\d\S*)?")
_UNKNOWN: Final = 10**6
_IMAGE: Final = re.compile(r"(?P<before>\b(?:image|name): )(?P<name>docker):(?P<version>\d[\w.]*)")
_OURSELVES: Final = re.compile(r"(?P<before>\b)(?P<name>layerdoit)==(?P<version>[\w.]+)")


class Split(NamedTuple):
    """A file: the lines of people by the name of their region, and where those stand, as indexes of lines."""

    own: Mapping[str, Sequence[str]]
    theirs: frozenset[int]


def split(text: str, where: str) -> Split:
    """Find the regions of a file. ConfigError where a marker was damaged."""
    own: dict[str, list[str]] = {}
    theirs: set[int] = set()
    name, opened = None, 0
    for number, line in enumerate(text.splitlines()):
        found = _MARKER.match(line)
        if found is None:
            if name is not None:
                own[name].append(line)
                theirs.add(number)
            continue
        plain = line.strip()
        place = f"{where}:{number + 1}"
        if plain.startswith(OPENS) and name is None:
            name, opened = plain.removeprefix(OPENS), number + 1
            if name in own:
                hint = f'keep one of them, and put its lines together; "{CLOSES}" ends it'
                raise ConfigError(f'there are two regions "{name}"', where=place, hint=hint)
            own[name] = []
        elif plain == CLOSES and name is not None:
            name = None
        else:
            raise _damaged(plain, name, opened, place)
    if name is not None:
        hint = f'add the line "{CLOSES}" after your last line'
        raise ConfigError(f'the region "{name}" has no end', where=f"{where}:{opened}", hint=hint)
    return Split(own, frozenset(theirs))


def _damaged(line: str, name: str | None, opened: int, place: str) -> ConfigError:
    if line == CLOSES:
        return ConfigError(
            f'"{CLOSES}" ends a region that has no beginning', where=place, hint=f'add "{OPENS}<name>" above your lines'
        )
    if line.startswith(OPENS):
        what = f'a region begins within "{name}", which began in line {opened}'
        return ConfigError(what, where=place, hint=f'add the line "{CLOSES}" before it')
    hint = f'write "{OPENS}<name>" and "{CLOSES}", exactly so'
    return ConfigError(f'"{line}" is no marker of a region', where=place, hint=hint)


# --- versions --------------------------------------------------------------------------------------------------------


@cache
def versions() -> Mapping[str, str]:
    """What workflows use, as it stands in them after `@` or `:`."""
    return {name: str(version) for name, version in toml.read(data_dir() / "ci.toml")["versions"].items()}


def with_versions_of(text: str, old: str, *, own_too: bool) -> str:
    """A text that uses the versions which an older one uses, where a person or a bot moved them to newer ones.

    What was no commit of an action is not taken over. `own_too`: the version of layerdoit, too, whichever it is.
    """
    for pattern in (_ACTION, _IMAGE, *((_OURSELVES,) if own_too else ())):
        there = {found["name"]: found["version"] for found in reversed(list(pattern.finditer(old)))}

        def kept(found: re.Match[str], there: Mapping[str, str] = there, pattern: re.Pattern[str] = pattern) -> str:
            name, wanted = found["name"], found["version"]
            version = there.get(name, wanted)
            if pattern is _ACTION and not _COMMIT.fullmatch(version):
                version = wanted
            if pattern is not _OURSELVES and _number(version) < _number(wanted):
                version = wanted
            return f"{found['before']}{name}{'@' if pattern is _ACTION else _between(pattern)}{version}"

        text = pattern.sub(kept, text)
    return text


def _between(pattern: re.Pattern[str]) -> str:
    return ":" if pattern is _IMAGE else "=="


def _number(version: str) -> tuple[int, ...]:
    """`<commit> # v7.0.1` -> 7, 0, 1. What is not said may be newer than anything: of `v7`, what follows; of a bare
    commit, all."""
    said = version.rpartition("# v")[2]
    numbers = [] if re.fullmatch(r"[0-9a-f]{40}", said) else [int(part) for part in re.findall(r"\d+", said)]
    return tuple([*numbers, *[_UNKNOWN] * 3][:3])
