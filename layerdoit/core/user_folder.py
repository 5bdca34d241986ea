"""Folders of the user on this machine: ours, for what checkouts of a project share (XDG base directories); cargo's."""

from __future__ import annotations

import os
from pathlib import Path


def state() -> Path:
    """What cannot be worked out again: which release was deployed when."""
    return _made("XDG_STATE_HOME", ".local/state")


def cache() -> Path:
    """What may be deleted at any time, and costs time."""
    return _made("XDG_CACHE_HOME", ".cache")


def cargo() -> Path:
    """Where cargo has its configuration, its logins and what it has downloaded."""
    return Path(os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo"))


def _made(variable: str, default: str) -> Path:
    given = os.environ.get(variable, "")
    # The specification: a relative path is not valid, and ignored.
    folder = (Path(given) if os.path.isabs(given) else Path.home() / default) / "layerdoit"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
