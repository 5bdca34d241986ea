"""What the tests of stale binaries share: checkouts, edits, what an image prints, and how a clean build differs."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from layerdoit.core.errors import BuildError
from layerdoit.flows.ensure import ensure
from tests.support.checkout import Checkout
from tests.support.clean_build import BROKEN
from tests.support.scratch import docker, same_project


@pytest.fixture(scope="module")
def base(docker_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A project of which only the system is there that its checkouts compile on."""
    one = Checkout(tmp_path_factory.mktemp("base"), f"lt-reads-{uuid.uuid4().hex[:8]}", docker_engine)
    one.write(one.tiny)
    one.configure()
    ensure(one.session(), "base")
    yield one
    one.remove()


@pytest.fixture
def clone(base: Checkout, tmp_path: Path, docker_engine: Any) -> Iterator[Callable[..., Checkout]]:
    """`clone(files)`: a checkout of that project, in which nothing was compiled; its programs are removed."""
    made: list[Checkout] = []

    def new(files: Mapping[str, str]) -> Checkout:
        one = Checkout(tmp_path / f"clone-{len(made)}", base.name, docker_engine)
        one.write(files)
        one.configure()
        same_project(one.root, base.root)
        made.append(one)
        return one

    yield new
    for one in made:
        one.forget_sessions()
    # What another case found built, it would not build.
    for tag in base.tags():
        if ":app-" in tag or tag.endswith(":latest"):
            docker("image", "rm", "--force", tag)


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
