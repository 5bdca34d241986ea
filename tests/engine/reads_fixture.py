"""What the tests of stale binaries share: edits, what an image prints, and how that differs from a clean build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from layerdoit.core.errors import BuildError
from tests.support.checkout import Checkout
from tests.support.clean_build import BROKEN


def edit(root: Path, changes: Mapping[str, str | None]) -> None:
    """Write and remove files; a folder goes with its last file, as git does it."""
    for path, text in changes.items():
        target = root / path
        if text is None:
            target.unlink()
            if not any(target.parent.iterdir()):
                target.parent.rmdir()
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)


def printed(one: Checkout, binaries: Sequence[str]) -> Mapping[str, str]:
    """Binary -> what that of the image prints, after a build; `BROKEN` where nothing compiles."""
    try:
        tag = one.build()["app"].step.spec.tag
    except BuildError:
        return BROKEN
    return {name: one.said(tag, name) for name in binaries}


def difference(said: Mapping[str, str], promised: Mapping[str, str]) -> list[str]:
    """The lines that only one of the two has."""
    lines = [
        {f"{name}: {line}" for name, text in every.items() for line in text.splitlines()} for every in (said, promised)
    ]
    return [
        *(f"the image says      {line}" for line in sorted(lines[0] - lines[1])),
        *(f"a clean build says  {line}" for line in sorted(lines[1] - lines[0])),
    ]
