"""Paths in the compiler's words, as one can open them from where the command was typed.

In a build, cargo runs in the folder of the workspace: paths are relative to it, or lie below the build context.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from layerdoit.project.inputs import Inputs

CONTEXT: Final = "/build/src/"
"""Where the build context lies in a build of the app."""
_ARROW: Final = re.compile(
    r"^(?P<before> *(?:\x1b\[[0-9;]*m)*(?:-->|:::) (?:\x1b\[0m)?)(?P<path>[^\n]+?)(?P<line>:\d+:\d+)$", re.MULTILINE
)

Place = Callable[[str], str]
"""A path in the build context -> the same relative to the workspace, as `Sources.own_path`."""


def opened_from_here(text: str, inputs: Inputs) -> str:
    """The text with such paths; those of other places (the standard library, third-party crates) stay."""
    return relocated(text, os.path.relpath(inputs.project.root), inputs.tree.all_sources.own_path)


def relocated(text: str, root: str, own: Place) -> str:
    """`root`: the folder of the workspace, relative to where the command was typed."""

    def there(found: re.Match[str]) -> str:
        path = found["path"]
        if path.startswith(CONTEXT):
            path = own(path.removeprefix(CONTEXT))
        elif os.path.isabs(path):
            return found[0]
        return f"{found['before']}{os.path.normpath(os.path.join(root, path))}{found['line']}"

    return _ARROW.sub(there, text)
