"""What the scripts of a build count as external crates, in the words of cargo's messages."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from layerdoit.core.resources import dockerfile_dir

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


@pytest.mark.parametrize(
    ("package", "said"),
    [
        (f"{CRATES_IO}#anyhow@1.0.75", "anyhow@1.0.75"),
        ("sparse+https://mirror.example/index/#anyhow@1.0.75", "anyhow@1.0.75"),
        ("git+https://git.example/foo?rev=a#bar@0.2.0", "bar@0.2.0"),
        ("git+https://git.example/foo?branch=a/b#1.2.0", "foo@1.2.0"),
        ("git+ssh://git@git.example/foo/#1.2.0", "foo@1.2.0"),
        # cargo before 1.77
        (f"anyhow 1.0.75 ({CRATES_IO})", "anyhow@1.0.75"),
        ("path+file:///build/src/registry+x#app@0.1.0", ""),
        ("app 0.1.0 (path+file:///build/src/registry+x)", ""),
    ],
)
def test_external_crates(tmp_path: Path, package: str, said: str) -> None:
    messages = [
        {"reason": "compiler-artifact", "package_id": package, "target": {"kind": ["lib"]}, "fresh": False},
        {"reason": "compiler-artifact", "package_id": package, "target": {"kind": ["bin"]}, "fresh": False},
        {"reason": "compiler-artifact", "package_id": f"{CRATES_IO}#fresh@1.0.0", "fresh": True},
        {"reason": "build-script-executed", "package_id": f"{CRATES_IO}#other@1.0.0", "fresh": False},
    ]
    text = "".join(json.dumps(message, separators=(",", ":")) + "\n" for message in messages)
    (tmp_path / "messages").write_text(text)
    script = f". {dockerfile_dir() / 'sync.sh'}; external_crates {tmp_path / 'messages'}"
    done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ([said] if said else [])
