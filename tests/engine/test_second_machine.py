"""A second machine that shares a registry with this one."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.engine.registry_fixture import Registry, docker
from tests.support.checkout import Checkout
from tests.support.git import git
from tests.support.second_engine import SecondEngine


def test_both_machines_reach_the_registry_by_one_name_and_share_nothing_else(
    registry: Registry, second_engine: SecondEngine, tmp_path: Path
) -> None:
    (tmp_path / "word").write_text(uuid.uuid4().hex)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY word /\n")
    name = f"lt-second-{uuid.uuid4().hex[:8]}"
    docker("buildx", "build", "--quiet", "--load", "--provenance=false", "--tag", f"{name}:here", str(tmp_path))
    reference = registry.push(f"{name}:here", f"{name}:shared")
    assert not second_engine.images(name)

    second_engine.docker("pull", "--quiet", second_engine.reach(reference.partition("/")[0]) + f"/{name}:shared")
    assert second_engine.images(reference.rpartition(":")[0]) == {"shared"}
    second_engine.docker("tag", reference, f"{name}:there")
    docker("image", "rm", f"{name}:here")
    assert second_engine.docker("image", "inspect", "--format", "{{len .RootFS.Layers}}", f"{name}:there") == "1"
    second_engine.docker("image", "rm", reference, f"{name}:there")

    second_engine.unreach(registry.address)
    again = ["docker", "pull", "--quiet", reference]
    away = subprocess.run(again, capture_output=True, text=True, check=False, env=second_engine.environment)
    assert "connection refused" in away.stderr


class Machine(NamedTuple):
    """A clone on the second machine."""

    root: Path
    engine: SecondEngine
    name: str

    def doit(self, *words: str) -> str:
        """`doit …` there, which must succeed; what it says."""
        done = self.tried(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def tried(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The same, however it ends."""
        command = [sys.executable, "-m", "doit", *words]
        environment = {name: value for name, value in self.engine.environment.items() if not name.startswith("PYTEST_")}
        return subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    def layers(self) -> list[str]:
        """The layers whose images are there, sorted; one for each image."""
        tags = {tag.partition("-")[0] for tag in self.engine.images(self.name) if "-" in tag}
        return sorted(tags)

    def said(self) -> str:
        """What the image prints."""
        return self.engine.docker("run", "--rm", "--network", "none", f"{self.name}:latest")


@pytest.fixture
def machine(
    registry: Registry, second_engine: SecondEngine, checkout: Callable[..., Checkout], tmp_path: Path
) -> Iterator[tuple[Checkout, Machine]]:
    """A checkout here, built and pushed, and its clone on a second machine that has nothing."""
    one = checkout()
    one.configure(f"registry: {{repository: '{registry.address}/team/{one.name}', push: [base, deps, app]}}\n")
    one.git("init", "--quiet")
    one.git("add", "--all")
    one.git("commit", "--quiet", "--message", "first")
    done = one.doit()
    assert done.returncode == 0, done.stdout + done.stderr
    second_engine.reach(registry.address)
    git(tmp_path, "clone", "--quiet", str(one.root), str(tmp_path / "clone"))
    there = Machine(tmp_path / "clone", second_engine, one.name)
    yield one, there
    left = [f"{one.name}:{tag}" for tag in second_engine.images(one.name)]
    if left:
        second_engine.docker("image", "rm", "--force", *left)


def test_a_second_machine_pulls_only_what_it_needs(machine: tuple[Checkout, Machine]) -> None:
    one, there = machine
    said = there.doit()
    assert there.layers() == ["app"], said
    assert [line.split()[:2] for line in said.splitlines() if " in " in line] == [["app", "pull"]]
    assert there.said() == one.promised().strip()
    assert there.doit().startswith("nothing to do")
    assert there.layers() == ["app"]

    # An edit needs what it is compiled on and stands on, and no compiler's image of its own.
    one.replace("lib/src/deep.rs", "0000", "4711")
    (there.root / "lib/src/deep.rs").write_text(one.read("lib/src/deep.rs"))
    said = there.doit()
    lines = sorted(line.split()[:2] for line in said.splitlines() if " in " in line)
    assert lines == [["app", "build"], ["deps", "pull"], ["push", "app"], ["runtime", "pull"]]
    assert there.layers() == ["app", "deps", "runtime"]
    assert there.said() == one.promised().strip()
    assert there.doit().startswith("nothing to do")

    # Who asks for it by name gets it.
    assert "base    pull" in there.doit("base")
    assert there.layers() == ["app", "base", "deps", "runtime"]
