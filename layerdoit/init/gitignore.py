"""What git has to ignore of what doit, Python and layerdoit write into a project.

changes(start, root) -> list[Change]     # of the `.gitignore` files; none where git ignores all of it already
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from layerdoit.core import process
from layerdoit.core.errors import ProcessError
from layerdoit.core.state import FOLDER
from layerdoit.init.write import Change
from layerdoit.tree import git

_NAME: Final = ".gitignore"
_BESIDE_DODO: Final = ((".doit.db*", ".doit.db"), ("__pycache__/", "__pycache__/dodo.pyc"))
_BESIDE_CARGO: Final = ((f"{FOLDER}/", f"{FOLDER}/index"),)


def changes(start: Path, root: Path) -> list[Change]:
    """What to add. `start`: the folder of dodo.py; `root`: that of the Rust project."""
    lacking: dict[Path, list[str]] = {}
    for folder, kinds in ((start, _BESIDE_DODO), (root, _BESIDE_CARGO)):
        top = git.top(str(folder))
        if top is not None:
            names = [pattern for pattern, example in kinds if _is_seen(folder, example)]
            if names:
                lacking.setdefault(_file(folder, Path(top)), []).extend(names)
    return [_with(path, names) for path, names in lacking.items()]


def _is_seen(folder: Path, example: str) -> bool:
    """Whether git would list such a file: by all of its own rules, those of this machine, too."""
    asked = git.command("check-ignore", "--quiet", "--no-index", "--", example)
    try:
        return process.capture(asked, cwd=folder, check=False).code == 1
    except ProcessError:
        return False


def _file(folder: Path, top: Path) -> Path:
    """The nearest file that is there; else a new one in the folder."""
    folders = [folder, *(parent for parent in folder.parents if parent.is_relative_to(top))]
    return next((one / _NAME for one in folders if (one / _NAME).is_file()), folder / _NAME)


def _with(path: Path, names: list[str]) -> Change:
    """The file with more lines, which end as its own do."""
    before = path.read_bytes() if path.is_file() else b""
    newline = b"\r\n" if b"\r\n" in before else b"\n"
    lines = newline.join(name.encode() for name in names)
    ends = not before or before.endswith(b"\n")
    content = before + lines + newline if ends else before + newline + lines
    return Change(path, content, "\n".join(names), new=not path.is_file())
