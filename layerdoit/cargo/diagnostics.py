"""What rustc says of the workspace's own crates: warnings and errors, as cargo passes them on in JSON.

    read(lines) -> tuple[Diagnostic, ...]     # each once, in the order in which they were said

Pure. The form of the messages: "External tools" in the Cargo book; of `message`: "JSON Output" in the rustc book.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from layerdoit.core.terminal import plain_lines

# What rustc says at the end of a crate: it counts, and sends the reader to --explain.
_COUNTS: Final = re.compile(r"(\d+|one|two) (warning|error)s? emitted|aborting due to")
_NO_FINDING: Final = ("failure-note", "note", "help")


class Diagnostic(NamedTuple):
    """One finding of the compiler, or of cargo itself (`by`).

    `level`: `warning` or `error`; `text`: as rustc words it, over lines, with colours.
    `crate`: the package, '' where cargo speaks of the workspace; `compiled`: the build compiled it. Otherwise cargo
    repeats what it said when it was compiled.
    """

    level: str
    text: str
    crate: str
    compiled: bool
    by: str = "rustc"


def read(lines: Iterable[str]) -> tuple[Diagnostic, ...]:
    """The diagnostics among cargo's messages. A module that several targets share says everything once."""
    messages = [message for line in lines if (message := _parsed(line)) is not None]
    units = {kind: {_unit(message) for message in messages if message.get("fresh") is kind} for kind in (True, False)}
    # Where cargo ran twice, what the first run compiled is fresh in the second one.
    fresh = units[True] - units[False]
    found: dict[object, Diagnostic] = {}
    for message in messages:
        said = message.get("message")
        if isinstance(said, dict) and not _only_counts(said):
            text = str(said.get("rendered") or said.get("message") or "").rstrip()
            level = "error" if str(said.get("level")).startswith("error") else "warning"
            new = Diagnostic(level, text, _crate(message), _unit(message) not in fresh)
            known = found.setdefault(_identity(said, text), new)
            if new.compiled and not known.compiled:
                found[_identity(said, text)] = known._replace(compiled=True)
    return tuple(found.values())


def _parsed(line: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:  # the last one may be cut
        return None
    return found if isinstance(found, dict) else None


def _unit(message: Mapping[str, Any]) -> tuple[str, str, str]:
    target = message.get("target") or {}
    return str(message.get("package_id")), str(target.get("kind")), str(target.get("name"))


def _crate(message: Mapping[str, Any]) -> str:
    """The package's name, in both forms of ids: `path+file:///a/b#name@1.0.0` and `name 1.0.0 (path+file:///a/b)`."""
    text = str(message.get("package_id"))
    if " " in text:
        return text.partition(" ")[0]
    url, _, fragment = text.partition("#")
    name = fragment.rpartition("@")[0]
    return name or posixpath.basename(url)


def _only_counts(said: Mapping[str, Any]) -> bool:
    return said.get("level") in _NO_FINDING or _COUNTS.match(str(said.get("message"))) is not None


def _identity(said: Mapping[str, Any], text: str) -> object:
    """By what a finding is the same as another one: what it says, and of which places."""
    places = tuple(
        (posixpath.normpath(str(span.get("file_name"))), span.get("line_start"), span.get("column_start"))
        for span in said.get("spans") or ()
    )
    return (said.get("level"), said.get("message"), places) if places else plain_lines(text)
