"""What is built from scratch runs again: the steps of all stages that a layer is made in, whatever they are called."""

from __future__ import annotations

import pytest

from layerdoit.build import execute
from layerdoit.core.resources import dockerfile_dir
from layerdoit.dockerfile.parse import parse

FILES = {"Dockerfile.base": ("base", "runtime"), "Dockerfile.deps": ("deps",), "Dockerfile.app": ("app",)}
# It only finds, or adds, the Rust of the image that a builder starts from.
STARTS = {"builder-image"}


@pytest.mark.parametrize("name", [*FILES, "Dockerfile.pack"])
def test_every_stage_that_runs_something_runs_again(name: str) -> None:
    stages = parse((dockerfile_dir() / name).read_text()).stages
    running = {stage.name for stage in stages if any(one.keyword == "RUN" for one in stage.instructions)}
    assert running
    again = {stage for layer in FILES.get(name, ("app",)) for stage in execute._STAGES[layer]}
    assert running - STARTS <= again
