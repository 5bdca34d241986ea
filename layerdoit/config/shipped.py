"""The JSON schema of layerdoit.yaml that comes with the package, and its place beside a project, for editors.

`json_schema` makes its text (`python -m layerdoit.docs` writes it); here it is only put where an editor finds it.
"""

from __future__ import annotations

from pathlib import Path

NAME = "schema.json"


def schema() -> Path:
    """The file that comes with the package."""
    from layerdoit.core.resources import data_dir

    return data_dir() / NAME


def put(state: Path) -> None:
    """Have the schema in a project's state folder, where the first line of layerdoit.yaml names it."""
    wanted = schema().read_bytes()
    path = state / NAME
    if not path.is_file() or path.read_bytes() != wanted:
        from layerdoit.core.files import write

        write(path, wanted.decode())
