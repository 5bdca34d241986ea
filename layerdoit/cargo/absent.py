"""The error for a local package that is not there, where a manifest or a configuration of cargo names it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from layerdoit.cargo.toml_lines import where
from layerdoit.core import toml
from layerdoit.core.errors import WorkspaceError
from layerdoit.tree import git


class Naming(NamedTuple):
    """What names a package: in words, the file that does, relative to the workspace, and the TOML path there."""

    words: str
    file: str
    place: tuple[str, ...]


def error(root: Path, folder: str, by: Naming) -> WorkspaceError:
    """There is no manifest in `folder`. `root`: of the workspace."""
    says = f"{by.words} refers to a package in {folder}"
    place = str(root / where(by.file, toml.read_text(root / by.file), by.place))
    for module in git.empty_submodules(root):
        if f"{folder}/".startswith(f"{module}/"):
            what = f"{says}, a submodule that is not checked out"
            return WorkspaceError(what, where=place, hint=f"git submodule update --init {module}")
    hint = "correct the path, add the package, or remove the entry"
    return WorkspaceError(f"{says}, but there is no Cargo.toml", where=place, hint=hint)
