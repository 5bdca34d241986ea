"""What the machine of a platform built is what the machine that publishes asks for: workflows rely on equal keys."""

from __future__ import annotations

from pathlib import Path

from layerdoit.engine.platform_way import Way
from layerdoit.project import question
from layerdoit.project.inputs import Inputs
from layerdoit.project.project import Project
from layerdoit.project.snapshot import Tree
from tests.support.files import write
from tests.support.scratch import LOCK, MAIN, MANIFEST

ARM = "linux/arm64"
ITS_OWN = Way(ARM, "native", None, ARM, "on its own machine")
EMULATED = Way(ARM, "emulated", None, "linux/amd64", "cross: never", elsewhere=True)
CROSSED = Way(ARM, "cross", None, "linux/amd64", "cross: auto", "gcc", elsewhere=True)


def keys(root: Path, way: Way) -> dict[str, str]:
    project = Project.open(root, {"PLATFORM": ARM})
    vars(project)["way"] = way
    return {spec.layer: spec.key for spec in Inputs(Tree(project), question.build(project, ARM)).specs}


def test_a_publishing_machine_asks_for_what_the_machine_of_the_platform_built(tmp_path: Path) -> None:
    files = {"Cargo.toml": MANIFEST, "Cargo.lock": LOCK, "src/main.rs": MAIN, "layerdoit.yaml": "toolchain: 1.95.0\n"}
    write(tmp_path, files)
    own = keys(tmp_path, ITS_OWN)
    assert own.keys() >= {"base", "runtime", "deps", "app"}
    assert keys(tmp_path, EMULATED) == own
    assert keys(tmp_path, CROSSED) != own
