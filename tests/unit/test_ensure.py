"""What is found out before anything is built."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from layerdoit.cargo import lock, manifest
from layerdoit.core.errors import WorkspaceError
from layerdoit.flows import ensure
from layerdoit.layers.plan import Action
from tests.support.files import write
from tests.support.lockfile import entry, external, lockfile
from tests.support.manifest import package


def session(root: Path, asked: str, actions: dict[str, Action]) -> Any:
    files = {
        "Cargo.toml": package("p", f'[dependencies]\nitoa = "{asked}"\n'),
        "Cargo.lock": lockfile(entry("p", needs=["itoa"]), external("itoa", "1.0.11", "aa")),
        "src/main.rs": "",
    }
    write(root, files)
    project = SimpleNamespace(workspace=manifest.load(root))
    plan = SimpleNamespace(step=lambda name: SimpleNamespace(action=actions[name]), has=lambda name: name in actions)
    return cast("Any", SimpleNamespace(plan=plan, project=project, tree=SimpleNamespace(lock=lock.load(root))))


@pytest.mark.parametrize("layer", ["deps", "app"])
def test_a_stale_lock_is_told_before_the_build(layer: str, tmp_path: Path) -> None:
    actions: dict[str, Action] = {"deps": "reuse", "app": "reuse", layer: "build"}
    with pytest.raises(WorkspaceError) as caught:
        ensure._locked(session(tmp_path, "=1.0.14", actions))
    error = caught.value
    assert error.what == "`p` requires itoa =1.0.14, but Cargo.lock has 1.0.11"
    assert error.where == f"{tmp_path}/Cargo.toml:7"
    assert "cargo update --workspace" in (error.hint or "")


def test_it_is_not_looked_at_where_nothing_is_built(tmp_path: Path) -> None:
    ensure._locked(session(tmp_path, "=1.0.14", {"deps": "reuse", "app": "pull"}))
    ensure._locked(session(tmp_path, "1", {"deps": "build", "app": "build"}))
