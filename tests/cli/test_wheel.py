"""What users install: the built wheel in a Python of its own, on a project of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from layerdoit.core.resources import dockerfile_dir
from tests.support.scratch import Crate, make_crate

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("layerdoit", "dockerfiles", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a checkout keeps what an earlier build left in build/."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(made), str(source))
    (found,) = made.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python in which only the wheel and what it asks for is installed."""
    place = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    found = str(place / "bin/python")
    pip(found, "install", str(wheel))
    return found


def pip(python: str, *words: str) -> None:
    command = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if "Temporary failure in name resolution" in done.stderr or "NewConnectionError" in done.stderr:
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = {name for name in opened.namelist() if ".dist-info/" not in name}
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "layerdoit").rglob("*") if path.is_file()}
    shipped = {f"layerdoit/dockerfiles/{path.name}" for path in dockerfile_dir().iterdir() if path.is_file()}
    assert names == {name for name in package if "__pycache__" not in name} | shipped


def test_a_project_without_an_engine(python: str, tmp_path: Path) -> None:
    crate = make_crate(tmp_path / "hello", "hello")
    crate.python = python
    crate.env["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    where = subprocess.run(
        [python, "-c", "import layerdoit; print(layerdoit.__file__)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=crate.folder,
    )
    assert Path(python).parents[1] in Path(where.stdout).parents
    assert "cycle_fast" in crate.doit("list").ok().out
    told = json.loads(crate.doit("layers", "doctor", "--json").out)
    assert [finding["id"] for finding in told["findings"]] == ["engine-unreachable"]
    for name in ("dodo.py", "layerdoit.yaml"):
        (crate.folder / name).unlink()
    crate.doit("layers", "init", "--yes").ok()
    assert (crate.folder / ".layerdoit/schema.json").is_file()


def actions(crate: Crate) -> list[str]:
    """What would be done for each layer."""
    planned = json.loads(crate.doit("layers", "plan", "--json").ok().out)
    return [layer["action"] for layer in planned["layers"]]


def test_a_project_with_one(python: str, crate: Crate) -> None:
    crate.python = python
    assert actions(crate) == ["reuse"] * 3, "other keys than the checkout's"
    crate.edit("src/main.rs", "first text", "text of a wheel")
    assert actions(crate) == ["reuse", "reuse", "build"]
    crate.doit("cycle_fast").ok()
    assert crate.serves() == "text of a wheel"
    assert actions(crate) == ["reuse"] * 3
