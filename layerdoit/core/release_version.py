"""Versions of releases, as semantic versioning writes and orders them: 1.10.0-rc.2+build5."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_NUMBER: Final = r"(?:0|[1-9]\d*)"
_WORD: Final = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
_FORM: Final = (
    rf"(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER})"
    rf"(?:-(?P<pre>{_WORD}(?:\.{_WORD})*))?(?:\+(?P<build>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
FORM: Final = "a version such as 1.4.0 or 2.0.0-rc.1"


class Version(NamedTuple):
    """A version. `pre`: the words of a pre-release, '' for a release; `build`: what tells builds of it apart."""

    major: int
    minor: int
    patch: int
    pre: str = ""
    build: str = ""

    @classmethod
    def of(cls, text: str) -> Version | None:
        """The version that a text is; None where it is none."""
        found = re.fullmatch(_FORM, text, re.ASCII)
        if found is None:
            return None
        major, minor, patch = (int(found[name]) for name in ("major", "minor", "patch"))
        return cls(major, minor, patch, found["pre"] or "", found["build"] or "")

    @property
    def rank(self) -> tuple[object, ...]:
        """What versions are ordered by: a pre-release comes before its release, numbers before words."""
        words = tuple((0, int(word), "") if word.isdigit() else (1, 0, word) for word in self.pre.split(".") if word)
        return (self.major, self.minor, self.patch, not self.pre, words)

    @property
    def tag(self) -> str:
        """As a tag of an image has it, which takes no `+`."""
        return str(self).replace("+", "_")

    def __str__(self) -> str:
        pre, build = (f"-{self.pre}" if self.pre else ""), (f"+{self.build}" if self.build else "")
        return f"{self.major}.{self.minor}.{self.patch}{pre}{build}"
