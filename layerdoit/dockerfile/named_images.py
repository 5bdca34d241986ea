"""Which images a build stands on, by what the FROM lines of its Dockerfile name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.dockerfile.parse import parse

if TYPE_CHECKING:
    from collections.abc import Mapping


def named(text: str, args: Mapping[str, str]) -> tuple[str, ...]:
    """The images, in order, that stages begin with or copy from, with the arguments of a build filled in."""
    images: list[str] = []
    stages: set[str] = set()
    for stage in parse(text, given=args).stages:
        copied = [one.flag("from") or "" for one in stage.instructions if one.keyword == "COPY"]
        images += [one for one in (stage.base, *copied) if one.lower() not in stages and not one.isdigit()]
        stages |= {stage.name.lower()} if stage.name else set()
    return tuple(dict.fromkeys(one for one in images if one not in ("", "scratch") and "$" not in one))
