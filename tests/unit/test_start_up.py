"""What a call without work pays for: loading the dodo imports nothing that only work needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.scratch import make_crate

HEAVY = ("docker", "plumbum", "rich", "yaml", "requests", "sqlite3")
ROOMS = ("bench", "cache", "components", "deploy", "doctor", "explain", "history", "init", "report")
LISTING = f"""
import sys
from doit.doit_cmd import DoitMain
code = DoitMain().run(["list", "--quiet", "--backend", "json"])
found = {{name.split(".")[1] for name in sys.modules if name.startswith("layerdoit.")}}
print("imported:", sorted(found.intersection({ROOMS!r}) | set({HEAVY!r}).intersection(sys.modules)))
sys.exit(code)
"""


def test_loading_the_dodo_imports_only_what_a_look_needs(tmp_path: Path) -> None:
    crate = make_crate(tmp_path, "hello")
    # The second time, as on any later day: the configuration has been read before.
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", LISTING], cwd=crate.folder, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "imported: []"
