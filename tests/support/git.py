"""git as a test's user runs it: an identity of its own, nothing signed, submodules from folders allowed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

_SETTINGS: Final = {
    "user.name": "t",
    "user.email": "t@example.org",
    "commit.gpgsign": "false",
    "protocol.file.allow": "always",
    "init.defaultBranch": "main",
}


def git(folder: Path, *words: str) -> str:
    """Run git in a folder and return what it prints; settings of the machine do not count."""
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", *settings, *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
    return done.stdout.strip()


def commit_all(folder: Path, message: str = "x") -> str:
    """Make a repository of a folder where it is none, commit all that is in it, and return the commit's id."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")
