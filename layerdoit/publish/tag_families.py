"""Which tags an image gets for people, and which of them move. Pure.

    wanted(templates, facts, there) -> Tags

A tag with `{version}` in it names one image for ever. `latest`, `{major}.{minor}` and the like follow the newest
release: a pre-release does not move them, and an older version does not move them back. Others always move.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from layerdoit.config.publish_section import PLACE
from layerdoit.core.release_version import Version

_NEITHER: Final = re.compile(r"[^\w.-]", re.ASCII)
_LONGEST: Final = 128


class Facts(NamedTuple):
    """What the names in templates stand for; '' where there is nothing of that kind."""

    version: Version | None = None
    sha: str = ""
    branch: str = ""
    date: str = ""
    rust: str = ""

    def values(self) -> Mapping[str, str]:
        """Each name with its value as a tag has it."""
        version = self.version
        numbers = {} if version is None else {"major": str(version.major), "minor": str(version.minor)}
        own = {"sha": self.sha, "branch": self.branch, "date": self.date, "rust": self.rust}
        found = {**own, **numbers, "version": "" if version is None else version.tag}
        return {name: _NEITHER.sub("-", value) for name, value in found.items()}


class Tags(NamedTuple):
    """Tags by kind. `fixed`: name one image for ever; `moving`: are moved; `remarks`: which are not, and why."""

    fixed: tuple[str, ...]
    moving: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Those that the image is to have."""
        return (*self.fixed, *self.moving)


def needs_version(template: str) -> bool:
    """Whether a template is about the version."""
    return bool({"version", "major", "minor"} & set(PLACE.findall(template)))


def wanted(templates: Sequence[str], facts: Facts, there: Collection[str]) -> Tags:
    """The tags of the templates. `there`: all tags of the repository, which tell the newest version."""
    fixed, moving, remarks = list[str](), list[str](), list[str]()
    versions = published(templates, there)
    values = facts.values()
    for template in templates:
        names = set(PLACE.findall(template))
        lacking = sorted(name for name in names if not values.get(name))
        if lacking:
            remarks.append(f'"{template}" is left out: there is no {lacking[0]} here')
            continue
        name = PLACE.sub(lambda found: values[found[1]], template)[:_LONGEST]
        if "version" in names:
            fixed.append(name)
        elif why := _stays(names, facts.version, versions):
            remarks.append(f"{name} stays: {why}" if name in there else f"{name} is left out: {why}")
        else:
            moving.append(name)
    return Tags(tuple(dict.fromkeys(fixed)), tuple(dict.fromkeys(moving)), tuple(remarks))


def _stays(names: set[str], version: Version | None, versions: Collection[Version]) -> str:
    """Why a tag that follows releases is not moved to this one; '' where it is."""
    if version is None or names - {"major", "minor"}:
        return ""
    if version.pre:
        return f"{version} is a pre-release"
    if names == {"major"} and version.major == 0:
        return "versions of 0.x promise each other nothing"
    place = len(names)
    rivals = [one for one in versions if not one.pre and one[:place] == version[:place] and one.rank > version.rank]
    return f"{max(rivals, key=lambda one: one.rank)} is newer" if rivals else ""


def published(templates: Sequence[str], there: Collection[str]) -> list[Version]:
    """The versions that tags of a repository name."""
    forms = [_form(template) for template in templates if "{version}" in template]
    found = (match["version"] for form in forms for name in there if (match := form.fullmatch(name)))
    versions = (Version.of(text) or Version.of(text.replace("_", "+", 1)) for text in found)
    return [version for version in versions if version is not None]


def _form(template: str) -> re.Pattern[str]:
    parts, seen = [], False
    for index, part in enumerate(PLACE.split(template)):
        if index % 2 == 0:
            parts.append(re.escape(part))
        elif part == "version" and not seen:
            parts.append(r"(?P<version>\d[\w.-]*)")
            seen = True
        else:
            parts.append(r"[\w.-]*")
    return re.compile("".join(parts), re.ASCII)
