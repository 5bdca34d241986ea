"""The floor plan: rooms in one order, names that mean one thing, no circles; and that the order's contract can fail."""

from __future__ import annotations

import graphlib
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "layerdoit"
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
ROOMS = {path.parts[0] for path in MODULES if len(path.parts) > 1}
# A verb is named as the user types it, a spec as its layer: there the folder says which of the two is meant.
ON_THEIR_OWN = ("front/verbs/", "layers/specs/")
# The same thing: the room that holds Project.
SAME = {"project/project.py"}


def named(paths: list[Path]) -> list[Path]:
    return [path for path in paths if path.name != "__init__.py" and not path.as_posix().startswith(ON_THEIR_OWN)]


def test_nothing_lies_loose() -> None:
    assert [path.name for path in MODULES if len(path.parts) == 1] == ["__init__.py"]


def test_a_module_s_name_means_one_thing() -> None:
    names = Counter(path.stem for path in named(MODULES))
    assert [path.as_posix() for path in named(MODULES) if names[path.stem] > 1] == []


def test_no_module_is_called_like_a_room() -> None:
    found = {path.as_posix() for path in named(MODULES) if path.stem in ROOMS}
    assert found <= SAME


def test_there_are_no_circles_of_files() -> None:
    """Imports for types only count too."""
    graph = grimp.build_graph("layerdoit", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 100
    graphlib.TopologicalSorter(imports).prepare()


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("file", "offence", "said"),
    [
        ("core/units.py", "import layerdoit.front.tasks", "layerdoit.core is not allowed to import layerdoit.front"),
        (
            "layers/key.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from layerdoit.engine.images import Images",
            "layerdoit.layers is not allowed to import layerdoit.engine",
        ),
        ("attic/__init__.py", "", "attic"),
    ],
    ids=["upwards", "for types only", "a room without a place"],
)
def test_the_contract_fails_on(tmp_path: Path, file: str, offence: str, said: str) -> None:
    shutil.copy(ROOT / ".importlinter", tmp_path)
    shutil.copytree(PACKAGE, tmp_path / "layerdoit", ignore=shutil.ignore_patterns("__pycache__"))
    assert said not in lint(tmp_path).stdout
    target = tmp_path / "layerdoit" / file
    target.parent.mkdir(exist_ok=True)
    text = target.read_text(encoding="utf-8") if target.exists() else ""
    target.write_text(f"{text}\n{offence}\n", encoding="utf-8")
    linted = lint(tmp_path)
    assert linted.returncode != 0
    assert said in linted.stdout
