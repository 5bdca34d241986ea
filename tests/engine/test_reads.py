"""What runs is what a build from nothing gives, whoever read whatever in whichever way."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from layerdoit.core.errors import BuildError
from layerdoit.flows import check
from layerdoit.project import question
from tests.engine.reads_fixture import base, clone, difference, edit, printed
from tests.engine.static_program import program
from tests.support import reading_workspace
from tests.support.checkout import Checkout
from tests.support.clean_build import clean
from tests.support.git import git
from tests.support.reading_cases import MISSED, SEEN, Case, Package
from tests.support.reading_edits import Editor

__all__ = ["base", "clone"]

STEPS = int(os.environ.get("LAYERDOIT_STEPS", "45"))
SEED = int(os.environ.get("LAYERDOIT_SEED", str(random.SystemRandom().randrange(10**6))))
EACH = 15
"""So many edits are tried on one workspace; then comes another one."""


def stale(one: Checkout, seed: str, steps: int) -> list[str]:
    """Edit, build both ways, compare: where and how they differ, if they do."""
    chance = random.Random(seed)  # noqa: S311
    made = reading_workspace.make(chance)
    made.write(one.root)
    editor, trail = Editor(one.root, made, chance), list[str]()
    with ThreadPoolExecutor(1) as beside:
        for step in range(steps + 1):
            if step:
                trail.append(editor.step())
            promised = beside.submit(clean, one.root, reading_workspace.BINARIES)
            said = printed(one, reading_workspace.BINARIES)
            if said != promised.result():
                shown = [f"{number}. {edit}" for number, edit in enumerate(trail, 1)]
                return [f"seed {seed}, step {step}", *shown, *difference(said, promised.result())]
            editor.remember()
    return []


def prints(one: Checkout) -> str:
    return one.said(one.build()["app"].step.spec.tag).removesuffix("\n")


@pytest.mark.parametrize(
    "case",
    [
        *(pytest.param(case, id=name) for name, case in SEEN.items()),
        *(pytest.param(case, id=name) for name, case in MISSED.items()),
    ],
)
def test_an_edit_reaches_who_read_it(clone: Callable[..., Checkout], case: Case) -> None:
    one = clone(case.files)
    git(one.root, "init", "--quiet")
    assert prints(one) == case.before
    edit(one.root, case.edit)
    assert prints(one) == case.after
    # What an edit takes away again is gone.
    edit(one.root, {path: case.data.get(path) for path in case.edit})
    assert prints(one) == case.before


RUNNING = """\
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let done = std::process::Command::new("tools/say").output().unwrap();
    println!("cargo:rustc-env=SAID={}", String::from_utf8(done.stdout).unwrap());
}
"""


def test_a_program_of_the_tree_is_read_by_who_runs_it(checkout: Callable[..., Checkout], tmp_path: Path) -> None:
    """Nobody opens it: the kernel does."""
    case = Case([Package("app", "", 'fn main() { println!(env!("SAID")) }\n', script=RUNNING)], {}, {}, "", "")
    one = checkout(case.files)
    (one.root / "tools").mkdir()
    for word in ("one", "two"):
        program(f'fn main() {{ print!("{word}") }}', one.root / "tools/say")
        assert prints(one) == word


CASES = """\
#[cfg(test)]
mod cases { reader::modules!("tests/it/cases"); }
"""


def test_a_check_runs_the_tests_that_a_macro_lists(checkout: Callable[..., Checkout]) -> None:
    """automod: a module for each file of a folder. A tree that fails must not be recorded as passed."""
    case = Case([Package("app", "", "fn main() {}\n", ["reader"])], {}, {}, "", "")
    passes, fails = "#[test]\nfn good() {}\n", "#[test]\nfn bad() { panic!() }\n"
    one = checkout({**case.files, "tests/it/main.rs": CASES, "tests/it/cases/one.rs": passes})
    check.run(one.session(question.check))
    edit(one.root, {"tests/it/cases/two.rs": fails})
    with pytest.raises(BuildError, match=r"1 test failed \(cases::two::bad\)"):
        check.run(one.session(question.check))


@pytest.mark.parametrize("number", range(-(-STEPS // EACH)))
def test_random_edits_of_random_readers(checkout: Callable[..., Checkout], number: int) -> None:
    found = stale(checkout({}), f"{SEED}/{number}", min(EACH, STEPS - number * EACH))
    again = f"LAYERDOIT_SEED={SEED} LAYERDOIT_STEPS={STEPS} python -m pytest {Path(__file__).name} -k '[{number}]'"
    assert not found, "\n".join([again, *found])
