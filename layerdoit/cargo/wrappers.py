"""Programs by which cargo's configuration starts every compiler, such as sccache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_KEYS = (("rustc-wrapper", "RUSTC_WRAPPER"), ("rustc-workspace-wrapper", "RUSTC_WORKSPACE_WRAPPER"))


def wanted(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(Variable that overrides it, program); a program of the project's own is none, for builds get it."""
    build = config.get("build")
    for key, variable in _KEYS:
        program = build.get(key) if isinstance(build, Mapping) else None
        if isinstance(program, str) and program and "/" not in program:
            yield variable, program
