"""What is known of the files that units read (dockerfiles/reads.c), and by which sources of it that is known."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from layerdoit.core.resources import dockerfile_dir
from layerdoit.project.snapshot import APP_SCRIPTS, READING_SCRIPTS
from layerdoit.watch import workshop

ROOT = "/build/src/patched/lib.rs"
UNSEEN = f"unit\t? {ROOT}\trustc\t?\t{ROOT}\nopaque\t? {ROOT}\tit was compiled unseen\n"
SEEN = f"unit\tpatched-1\trustc\tpatched\t{ROOT}\nopen\tpatched-1\tpatched/lib.rs\n"


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler here")
    made = tmp_path_factory.mktemp("reads") / "reads"
    subprocess.run([compiler, "-w", "-o", made, dockerfile_dir() / "reads.c"], check=True)
    return made


def test_what_was_compiled_unseen_is_not_so_for_ever(reads: Path, tmp_path: Path) -> None:
    def stale(tree: dict[str, str], log: str = "") -> list[str]:
        lines = [f"f {hashlib.sha256(text.encode()).hexdigest()}  {path}" for path, text in tree.items()]
        listing = tmp_path / "tree"
        common = [tmp_path, listing, tmp_path]
        if log:
            (tmp_path / "log").write_text(log)
            subprocess.run([reads, "settle", *common], check=True)
        listing.write_text("".join(f"{line}\n" for line in lines))
        asked = subprocess.run([reads, "stale", *common, tmp_path], check=True, capture_output=True, text=True)
        return [line.split("\t")[1] for line in asked.stdout.splitlines()]

    first = {"patched/lib.rs": "first", "other.rs": "first"}
    assert stale(first) == []
    stale(first, UNSEEN)
    second = {**first, "other.rs": "second"}
    assert stale(second) == [ROOT], "nobody knows what it read"
    # It compiles again, and now it is seen.
    assert stale(second, SEEN) == []
    assert stale({**second, "other.rs": "third"}) == []
    assert stale({**second, "patched/lib.rs": "second"}) == [ROOT]


def test_a_workshop_knows_what_its_deps_image_knows() -> None:
    """What is known counts for one version of these sources, and all in one folder count (reads.sh: observe)."""

    def sources(scripts: tuple[str, ...]) -> set[str]:
        return {name for name in scripts if name.endswith((".c", ".h"))}

    assert sources(workshop.SCRIPTS) == sources(APP_SCRIPTS) == sources(READING_SCRIPTS)
