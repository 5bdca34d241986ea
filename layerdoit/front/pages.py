"""The files that verbs with figures write: a page with charts, and markdown that is appended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from layerdoit.core.console import warn


def write(params: Any, page: Callable[[], str], summary: Callable[[], str]) -> None:
    """Those that were asked for; each is made only then."""
    if params["html"]:
        Path(params["html"]).write_text(page(), encoding="utf-8")
        warn(f"wrote {params['html']}")
    if params["summary"]:
        with Path(params["summary"]).open("a", encoding="utf-8") as file:
            file.write(summary())
        warn(f"appended to {params['summary']}")
