"""The groups in which the log of a CI service is folded: GitHub Actions, GitLab."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping

from layerdoit.core.console import aside


def begin(name: str, title: str, environment: Mapping[str, str], at: int) -> str:
    """The line that begins a group; '' where nothing folds."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return f"::group::{title}"
    if environment.get("GITLAB_CI") == "true":
        return f"\x1b[0Ksection_start:{at}:{_section(name)}\r\x1b[0K{title}"
    return ""


def end(name: str, environment: Mapping[str, str], at: int) -> str:
    """The line that ends it."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return "::endgroup::"
    if environment.get("GITLAB_CI") == "true":
        return f"\x1b[0Ksection_end:{at}:{_section(name)}\r\x1b[0K"
    return ""


def _section(name: str) -> str:
    return "layerdoit_" + re.sub(r"\W", "_", name)


@contextlib.contextmanager
def group(name: str, title: str) -> Iterator[None]:
    """What is printed meanwhile is a group, also where it ends in an error, which then stands below it."""
    if line := begin(name, title, os.environ, int(time.time())):
        aside(line)
    try:
        yield
    finally:
        if line := end(name, os.environ, int(time.time())):
            aside(line)
