"""Which of the crates that cargo compiles are observed: all, or those whose sources were sent."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from layerdoit.core.resources import dockerfile_dir

CARGO: Final = "#include <unistd.h>\nint main(int n, char **words) { return execvp(words[1], words + 1) != 0 || n; }\n"
"""Runs what it is told to, as cargo does."""
COMPILER: Final = '#!/bin/sh\necho "preloads: ${LD_PRELOAD-none}, told: ${LAYERDOIT_TRACE-nothing}"\n'


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("there is no C compiler")
    made = tmp_path_factory.mktemp("programs")
    (made / "cargo.c").write_text(CARGO)
    (made / "compiler").write_text(COMPILER)
    (made / "compiler").chmod(0o755)
    sources = dockerfile_dir()
    subprocess.run([compiler, "-w", "-o", made / "cargo", made / "cargo.c"], check=True)
    subprocess.run([compiler, "-w", "-o", made / "trace", sources / "trace.c"], check=True)
    shared: list[str | Path] = ["-shared", "-fPIC", sources / "hook.c", "-ldl"]
    subprocess.run([compiler, "-w", "-o", made / "hook.so", *shared], check=True)
    return made


@pytest.mark.parametrize(
    ("end", "root", "observed"),
    [
        ("", "{sources}/app/src/main.rs", True),
        ("", "/elsewhere/serde/src/lib.rs", True),
        (":own", "{sources}/app/src/main.rs", True),
        (":own", "src/main.rs", True),
        (":own", "../shared/src/lib.rs", True),
        (":own", "/elsewhere/serde/src/lib.rs", False),
        (":own", "{sources}-elsewhere/src/lib.rs", False),
        (":own", "@arguments", True),
    ],
)
def test_a_crate_is_observed_by_where_its_sources_are(
    programs: Path, tmp_path: Path, end: str, root: str, observed: bool
) -> None:
    sources, notes = tmp_path / "sources", tmp_path / "notes"
    (sources / "app").mkdir(parents=True)
    notes.mkdir()
    at = root.format(sources=sources)
    ran = subprocess.run(
        [programs / "cargo", programs / "compiler", "--crate-name", "one", "--emit=link", at],
        cwd=sources / "app",
        env={
            **os.environ,
            "LD_PRELOAD": str(programs / "hook.so"),
            "LAYERDOIT_TRACE": f"{programs / 'trace'}:{sources}:{notes}{end}",
        },
        check=True,
        capture_output=True,
        text=True,
    )
    assert ran.stdout == "preloads: none, told: nothing\n"
    log = notes / "log"
    units = [line for line in (log.read_text() if log.exists() else "").splitlines() if line.startswith("unit\t")]
    assert bool(units) == observed
