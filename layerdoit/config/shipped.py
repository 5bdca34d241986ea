"""The JSON schema of layerdoit.yaml that ships with the package; `json_schema` makes its text."""

from __future__ import annotations

from pathlib import Path

NAME = "schema.json"


def schema() -> Path:
    """The file that ships with the package."""
    from layerdoit.core.resources import data_dir

    return data_dir() / NAME
