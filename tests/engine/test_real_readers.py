"""What runs is what a build from nothing gives, where crates that everybody uses read files while they compile."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from layerdoit.core.errors import BuildError
from tests.engine.reads_fixture import base, clone, difference, edit, printed
from tests.support.checkout import Checkout
from tests.support.clean_build import clean, environment, locked, seeded
from tests.support.git import git
from tests.support.real_readers import EMBEDDING, GENERATING, Program

__all__ = ["base", "clone"]

LONG = pytest.mark.skipif(
    not os.environ.get("LAYERDOIT_REAL_READERS"), reason="opt-in: LAYERDOIT_REAL_READERS=1 compiles 200 crates, twice"
)


@pytest.fixture(scope="session")
def crates_io() -> None:
    command = ["cargo", "info", "--registry", "crates-io", "automod"]
    if subprocess.run(command, capture_output=True, env=environment(), check=False, cwd="/").returncode != 0:
        pytest.skip("crates.io cannot be reached")


@pytest.mark.parametrize(
    "program", [pytest.param(EMBEDDING, id="embedding"), pytest.param(GENERATING, id="generating", marks=LONG)]
)
def test_an_edit_reaches_what_well_known_crates_read(
    clone: Callable[..., Checkout], crates_io: None, tmp_path: Path, program: Program
) -> None:
    one = clone(program.files)
    git(one.root, "init", "--quiet")
    seed = seeded(one.root, tmp_path / "target")
    wrong: list[str] = []
    for what, changes in {"the first build": {}, **program.edits}.items():
        edit(one.root, changes)
        # Modules that come by themselves come in any order.
        if found := difference(printed(one, ["app"]), clean(one.root, ["app"], seed=seed)):
            wrong += [what, *found]
    assert not wrong, "\n".join(wrong)


def test_a_module_that_does_not_compile_is_no_less_seen(clone: Callable[..., Checkout], crates_io: None) -> None:
    one = clone(EMBEDDING.files)
    git(one.root, "init", "--quiet")
    # Nothing is compared with a build from nothing: none of it is compiled here.
    locked(one.root)
    one.build()
    edit(one.root, {"src/parts/two.rs": "broken"})
    with pytest.raises(BuildError, match=r"src/parts/two\.rs"):
        one.build()
    edit(one.root, {"src/parts/two.rs": None})
    assert one.build()["app"].step.action == "reuse"
