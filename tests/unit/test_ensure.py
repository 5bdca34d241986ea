"""What is found out before anything is built."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from layerdoit.cargo import lock, lock_drift, manifest
from layerdoit.cargo.options import Options
from layerdoit.cargo.selection import Selection
from layerdoit.cargo.toolchain import Toolchain
from layerdoit.config.schema import Config, Dockerfiles
from layerdoit.core.errors import WorkspaceError
from layerdoit.flows import early_refusals, ensure
from layerdoit.layers.plan import Action
from layerdoit.tree.kept import Kept
from tests.support.files import write
from tests.support.lockfile import entry, external, lockfile
from tests.support.manifest import package


def session(root: Path, asked: str, actions: dict[str, Action], head: str = "", base: str | None = None) -> Any:
    files = {
        "Cargo.toml": package("p", f'[dependencies]\nitoa = "{asked}"\n', head),
        "Cargo.lock": lockfile(entry("p", needs=["itoa"]), external("itoa", "1.0.11", "aa")),
        "src/main.rs": "",
    }
    write(root, files)
    config = Config(dockerfiles=Dockerfiles(base=base))
    project = SimpleNamespace(workspace=manifest.load(root), config=config, options=Options(), kept=Kept())
    plan = SimpleNamespace(step=lambda name: SimpleNamespace(action=actions[name]), has=lambda name: name in actions)
    tree = SimpleNamespace(lock=lock.load(root), toolchain=Toolchain("1.95.0", "1.95.0", None, "x", "a file", ()))
    inputs = SimpleNamespace(project=project, tree=tree, selection=Selection(("p",), (("p", "p"),)))
    return cast("Any", SimpleNamespace(plan=plan, inputs=inputs))


@pytest.mark.parametrize("layer", ["deps", "app"])
def test_a_stale_lock_is_told_before_the_build(layer: str, tmp_path: Path) -> None:
    actions: dict[str, Action] = {"deps": "reuse", "app": "reuse", layer: "build"}
    with pytest.raises(WorkspaceError) as caught:
        ensure._refuse_early(session(tmp_path, "=1.0.14", actions))
    error = caught.value
    assert error.what == "`p` requires itoa =1.0.14, but Cargo.lock has 1.0.11"
    assert error.where == f"{tmp_path}/Cargo.toml:7"
    assert "cargo update --workspace" in (error.hint or "")


def test_it_is_not_looked_at_where_nothing_is_built(tmp_path: Path) -> None:
    ensure._refuse_early(session(tmp_path, "=1.0.14", {"deps": "reuse", "app": "pull"}))
    ensure._refuse_early(session(tmp_path, "1", {"deps": "build", "app": "build"}))


def test_a_compiler_that_is_too_old_is_told_before_the_build(tmp_path: Path) -> None:
    newer = 'rust-version = "1.99"'
    with pytest.raises(WorkspaceError, match=r": `p` requires Rust 1\.99"):
        ensure._refuse_early(session(tmp_path, "1", {"deps": "build", "app": "build"}, newer))
    ensure._refuse_early(session(tmp_path, "1", {"deps": "reuse", "app": "pull"}, newer))
    # Its own Dockerfile brings a Rust of its own.
    ensure._refuse_early(session(tmp_path, "1", {"deps": "build", "app": "build"}, newer, "Dockerfile.base"))


def test_what_was_found_good_is_looked_at_again_when_something_is_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build: dict[str, Action] = {"deps": "reuse", "app": "build"}
    inputs = session(tmp_path, "1", build).inputs
    early_refusals.check(inputs)
    with monkeypatch.context() as patched:
        patched.delattr(lock_drift, "check")
        early_refusals.check(inputs)
    before, newer = inputs.project, session(tmp_path, "1", build, 'rust-version = "1.99"').inputs
    newer.project.kept = before.kept
    for _ in range(2):
        with pytest.raises(WorkspaceError, match=r"/Cargo\.toml:5: `p` requires Rust 1\.99"):
            early_refusals.check(newer)
    newer.tree.toolchain = newer.tree.toolchain._replace(channel="1.99.0", release="1.99.0")
    early_refusals.check(newer)
    newer.tree.lock = lock.parse(lockfile(entry("p")), "Cargo.lock")
    with pytest.raises(WorkspaceError, match="does not have the dependency"):
        early_refusals.check(newer)
