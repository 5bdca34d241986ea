"""A build that did not find a file which is there: what hides it, and the setting that sends it."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from layerdoit.cargo import missing_files, output
from layerdoit.cargo.failures import Advice
from layerdoit.project import component_outputs
from layerdoit.tree import hidden, layout, links
from layerdoit.tree.hidden import Hidden

if TYPE_CHECKING:
    from layerdoit.cargo.missing_files import Candidate
    from layerdoit.project.inputs import Inputs

# What is made by the build itself, and what git keeps for itself, is hidden from a build for good reason.
_NEVER: Final = frozenset({".git", ".layerdoit"})
# Lines of the compiler that are shown.
_SHOWN: Final = 12


def advice(words: str, inputs: Inputs) -> Advice | None:
    """Advice for a build that failed for a file that was not sent; None where there is none."""
    for candidates in missing_files.candidates(words, lambda name: _lines(inputs, name)):
        paths = [path for candidate in candidates for path in _paths(inputs, candidate)]
        found: dict[str, Hidden] = {}
        for path in paths:
            if (hit := _why(inputs, path)) is not None:
                found.setdefault(hit.include or hit.path, hit)
        if found:
            return _hidden(inputs, list(found.values()), words)
        sure = (path for path in paths if candidates[0].sure and not os.path.lexists(inputs.project.root / path))
        if (absent := next(sure, None)) is not None:
            return _absent(inputs, absent, words)
    return None


def _hidden(inputs: Inputs, found: list[Hidden], words: str) -> Advice:
    told = [f"{one.path} is not sent to builds: {one.why}" for one in found]
    # It may have failed for something else: the compiler's own words stay.
    said = "\n".join([*told, *output.relevant(words.splitlines())[:_SHOWN]])
    wanted = [one.include for one in found if one.include]
    if not wanted:
        return Advice(said, found[0].cure)
    return Advice(said, _setting(inputs, wanted))


def _setting(inputs: Inputs, wanted: list[str]) -> str:
    config = inputs.project.config
    listed = ", ".join((*config.sources.include, *wanted))
    where = config.where.get("sources.include")
    if where is not None:
        return f"set in {where}, under sources: include: [{listed}]"
    return f"add to layerdoit.yaml: sources: {{include: [{listed}]}}"


def _absent(inputs: Inputs, path: str, words: str) -> Advice:
    shown = "\n".join(output.relevant(words.splitlines()))
    rule = hidden.ignored(inputs.project.lister, path)
    if not rule:
        return Advice(f"{path} does not exist in this tree, either\n{shown}", "make it, or correct the path")
    folder = posixpath.dirname(path)
    while posixpath.dirname(folder) and hidden.ignored(inputs.project.lister, posixpath.dirname(folder)):
        folder = posixpath.dirname(folder)
    wanted = folder if folder and hidden.ignored(inputs.project.lister, folder) else path
    return Advice(
        f"{path} does not exist in this tree, and {rule}\n{shown}",
        f"run what makes it; and {_setting(inputs, [wanted])}",
    )


def _why(inputs: Inputs, path: str) -> Hidden | None:
    if _NEVER.intersection(path.split("/")) or path in (".", ".."):
        return None
    if (component := component_outputs.hides(inputs.project, path)) and os.path.lexists(inputs.project.root / path):
        return Hidden(path, f"it is of the component {component}, of which no compiler sees anything", path)
    found = hidden.why(inputs.project.lister, path, tuple(inputs.question.image.assets))
    # The target folder.
    return None if found and (inputs.project.root / found.include / "CACHEDIR.TAG").is_file() else found


def _paths(inputs: Inputs, candidate: Candidate) -> Iterator[str]:
    """What a candidate may be, relative to the workspace."""
    for folder in candidate.folders:
        path = posixpath.normpath(posixpath.join(_own(inputs, folder), _own(inputs, candidate.path)))
        if not path.startswith("/"):
            yield os.path.relpath(os.path.normpath(inputs.project.root / path), inputs.project.root)


def _own(inputs: Inputs, name: str) -> str:
    """A name of the output, which may be a path in the build, as the workspace has it."""
    if name == layout.IN_BUILD or name.startswith(f"{layout.IN_BUILD}/"):
        inside = posixpath.normpath(name)
        if links.leads_out(posixpath.relpath(inside, layout.IN_BUILD)):
            return name
        return inputs.tree.all_sources.own_path(posixpath.relpath(inside, layout.IN_BUILD))
    return name


def _lines(inputs: Inputs, name: str) -> list[str]:
    path = _own(inputs, name)
    if path.startswith("/"):
        return []
    try:
        return (inputs.project.root / path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
