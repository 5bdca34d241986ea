"""A server for the tests of cycles: checkouts of it, a base that costs nothing, and what to ask of it."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

import pytest

from layerdoit.engine import mounts
from layerdoit.engine.api import builder_name
from layerdoit.flows.ensure import ensure
from layerdoit.history.export import as_json
from tests.support.checkout import Checkout
from tests.support.ports import PORT
from tests.support.scratch import LOCK, MAIN, MANIFEST, Crate, docker, remove_containers

FILES = {
    "Cargo.toml": MANIFEST + '\n[dependencies]\nlib = { path = "lib" }\n\n[profile.dev]\ndebug = 0\n',
    "Cargo.lock": LOCK + 'dependencies = [\n "lib",\n]\n\n[[package]]\nname = "lib"\nversion = "0.1.0"\n',
    "lib/Cargo.toml": MANIFEST.replace("hello", "lib"),
    "lib/src/lib.rs": "pub fn nothing() {}\n",
    "src/main.rs": MAIN,
    "dodo.py": "from layerdoit import task_layerdoit\n",
    ".gitignore": "/target\n.doit.db*\n__pycache__/\n",
}
DEPLOY = f"deploy:\n  port: {PORT}\n  health:\n    path: /\n    timeout: 20\n  stop_grace: 0\n"


@pytest.fixture
def served(checkout: Callable[..., Checkout]) -> Iterator[Callable[..., Checkout]]:
    """`served()`: a checkout of a server; its containers are removed in the end."""
    made: list[Checkout] = []

    def new(more: str = "") -> Checkout:
        made.append(checkout(FILES, DEPLOY + more))
        return made[-1]

    yield new
    for one in made:
        one.end()
        remove_containers(crate(one))


@pytest.fixture(scope="session")
def parents(docker_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Configuration with parents that have everything: a base on them is built from scratch in a second."""
    one = Checkout(tmp_path_factory.mktemp("parents"), f"lt-parents-{uuid.uuid4().hex[:8]}", docker_engine)
    one.write(FILES)
    one.configure()
    found = {done.step.spec.layer: done.step.spec.tag for done in ensure(one.session(), "base")}
    for layer, tag in found.items():
        docker_engine.images.get(tag).tag(f"{one.name}-{layer}", "1")
    one.forget_sessions()
    yield f"base:\n  image: {one.name}-base:1\n  runtime_image: {one.name}-runtime:1\n"
    for layer in found:
        docker_engine.images.remove(f"{one.name}-{layer}:1")
    one.remove()


def crate(one: Checkout) -> Crate:
    return Crate(one.root, one.name)


def edited(one: Checkout, text: str) -> None:
    old = one.read("src/main.rs").split('TEXT: &str = "')[1].split('"')[0]
    one.replace("src/main.rs", old, text)


def serves(one: Checkout) -> str | None:
    """What a user gets; None where nobody answers."""
    try:
        return crate(one).serves()
    except (OSError, HTTPException, subprocess.CalledProcessError, IndexError):
        return None


def ok(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def left_over(one: Checkout) -> list[str]:
    """Images of the project without any tag."""
    return docker("image", "ls", "--quiet", "--filter", "dangling=true", *crate(one).mine()).split()


def mount_ids(one: Checkout) -> list[str]:
    return sorted(
        mount.id.partition("@")[0].rpartition("/")[2] for mount in mounts.of_project(one.name, builder_name())
    )


def last(one: Checkout) -> dict[str, Any]:
    """The last run in the history."""
    return as_json(one.root / ".layerdoit", last=1)[0]


@contextmanager
def same(*facts: Callable[[], object]) -> Iterator[None]:
    """Nothing of this changes."""
    before = [fact() for fact in facts]
    yield
    assert [fact() for fact in facts] == before
