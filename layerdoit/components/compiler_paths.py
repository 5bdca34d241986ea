"""Paths in the words of cargo and rustc, as one can open them from where the command was typed; versions of stubs.

In a build, cargo runs in the folder of the workspace: rustc's paths are relative to it, cargo's lie below the build
context. Where dependencies are cooked, a package is a stub in a folder of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.cargo import stub
from layerdoit.cargo.lock import MASKED
from layerdoit.tree import layout

if TYPE_CHECKING:
    from layerdoit.project.inputs import Inputs

_ARROW: Final = re.compile(
    r"^(?P<before> *(?:\x1b\[[0-9;]*m)*(?:-->|:::) (?:\x1b\[0m)?)(?P<path>[^\n]+?)(?P<line>:\d+:\d+)$", re.MULTILINE
)
_INSIDE: Final = re.compile(
    rf"(?P<before>`){layout.IN_BUILD}(?:/(?P<quoted>[^`\n]*))?(?=`)"
    rf"|(?P<open>\(){layout.IN_BUILD}(?:/(?P<enclosed>[^()\n]*))?(?=\))"
    # Not in an address.
    rf"|(?<![\w./:-]){layout.IN_BUILD}(?![\w-])(?:/(?P<plain>[^\s:`'\"(),;]*))?"
)

_MASKED: Final = re.compile(rf"(?<![\w-])(?P<name>[\w-]+) v{re.escape(MASKED)}(?![\w.+-])")

Place = Callable[[str], str]
"""A path in the build context -> the same relative to the workspace."""


class Stubs(NamedTuple):
    """`folders`: of each package, by its key; `files`: those of the stub workspace, where it is what was compiled.

    `versions`: of each package, by its name: those of stubs are no package's.
    """

    folders: Mapping[str, str]
    files: Collection[str] = ()
    versions: Mapping[str, str] = {}


_NONE: Final = Stubs({})


def opened_from_here(text: str, inputs: Inputs, layer: str = "app") -> str:
    """The text with such paths; those of other places (the standard library, third-party crates) stay."""
    project = inputs.project
    stubs = _NONE
    if layer == "deps":
        packages = project.workspace.packages
        folders = {key: package.dir for key, package in packages.items()}
        stubs = Stubs(folders, inputs.stub.files, {one.name: one.version for one in packages.values()})
    return relocated(text, os.path.relpath(project.root), inputs.tree.all_sources.own_path, stubs)


def relocated(text: str, root: str, own: Place, stubs: Stubs = _NONE) -> str:
    """`root`: the folder of the workspace, relative to where the command was typed."""

    def there(path: str) -> str:
        return os.path.normpath(os.path.join(root, stub.stands_for(path, stubs.folders)))

    def arrow(found: re.Match[str]) -> str:
        path = found["path"]
        if path.startswith(f"{layout.IN_BUILD}/"):
            path = own(path.removeprefix(f"{layout.IN_BUILD}/"))
        elif os.path.isabs(path):
            return found[0]
        # What stands in a line of a stub stands elsewhere in the file that it is for.
        line = "" if path in stubs.files else found["line"]
        return f"{found['before']}{there(path)}{line}"

    def inside(found: re.Match[str]) -> str:
        path = found["quoted"] or found["enclosed"] or found["plain"] or os.curdir
        return f"{found['before'] or found['open'] or ''}{there(own(path))}"

    def version(found: re.Match[str]) -> str:
        name = found["name"]
        return f"{name} v{stubs.versions[name]}" if name in stubs.versions else found[0]

    return _MASKED.sub(version, _INSIDE.sub(inside, _ARROW.sub(arrow, text)))
