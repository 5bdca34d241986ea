"""`doit from_source`: a pushed commit with the keys that it has in place, whatever the working tree holds."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.cycle_fixture import edited, served, serves
from tests.support.checkout import Checkout
from tests.support.git import commit_all, git
from tests.support.lockfile import entry, lockfile
from tests.support.scratch import docker

__all__ = ["served"]

MANIFEST = '[package]\nname = "NAME"\nversion = "1.2.0+3"\nedition = "2021"\n\n[profile.dev]\ndebug = 0\n'
FILES = {
    "Cargo.toml": MANIFEST,
    "Cargo.lock": lockfile(entry("NAME", version="1.2.0+3")),
    "src/main.rs": 'fn main() { println!("one"); }\n',
    ".gitignore": "/target\n.doit*\n",
    "dodo.py": "from layerdoit import task_layerdoit\n",
}


@pytest.fixture
def pushed(checkout: Callable[..., Checkout], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A project in a folder of a repository, with a remote that has all of it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    one = checkout({}, "")
    top = one.root
    one.root = top / "rust"
    (top / "layerdoit.yaml").unlink()
    one.write({path: text.replace("NAME", one.name) for path, text in FILES.items()})
    one.configure("build: {git: commit}\n")
    commit_all(top, "one")
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(top, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(top, "tag", "v1")
    git(top, "push", "--quiet", "origin", "main", "v1")
    return one


def said(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_same_commit_is_the_same_image(pushed: Checkout, tmp_path: Path) -> None:
    one = pushed
    said(one.doit())
    keys = json.loads(said(one.doit("status", "--json")))["layers"]
    sha = git(one.root, "rev-parse", "HEAD")
    # The working tree says something else, and takes no part.
    one.write({"src/main.rs": "broken"})
    shown = said(one.doit("from_source", "REF=v1"))
    assert re.search(r"\bbuild\b|compiled", shown) is None, shown
    tag = f"1.2.0_3-{sha[:12]}"
    assert f"image   {one.name}:{tag}" in shown
    assert one.image(tag)["Id"] == one.image()["Id"]
    assert one.read("src/main.rs") == "broken"

    # Another one is built, and the other way round there is nothing to do in place.
    one.write({"src/main.rs": 'fn main() { println!("two"); }\n'})
    after = commit_all(one.root.parent, "two")
    git(one.root, "push", "--quiet", "origin", "main")
    latest = one.image()["Id"]
    shown = said(one.doit("from_source", "REF=main", f"REPO={tmp_path}/origin.git"))
    assert "1 crate compiled" in shown
    assert f"branch main, commit {after[:12]}" in shown
    assert one.run(f"{one.name}:1.2.0_3-{after[:12]}") == "two\n"
    assert one.image()["Id"] == latest, "no tag of the working tree moves"
    assert "compiled" not in said(one.doit())
    assert keys != json.loads(said(one.doit("status", "--json")))["layers"]

    # Nothing is needed here but an address.
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "dodo.py").write_text("from layerdoit import task_layerdoit\n")
    child = one.start("from_source", f"REF={after[:9]}", f"REPO={tmp_path}/origin.git", root=empty)
    out, err = child.communicate(timeout=300)
    assert f"image   {one.name}:1.2.0_3-{after[:12]}" in out, out + err
    assert "compiled" not in out


def test_a_hook_makes_what_git_ignores(pushed: Checkout) -> None:
    hook = "hooks: {before_build: mkdir -p made && cp src/main.rs made/copy}\nimage: {assets: {made: /srv/made}}\n"
    pushed.configure(hook)
    (pushed.root / ".gitignore").write_text("/target\n.doit*\n/made\n")
    for text in ("one", "two"):
        pushed.write({"src/main.rs": f'fn main() {{ println!("{text}"); }}\n'})
        sha = commit_all(pushed.root.parent)
        git(pushed.root, "push", "--quiet", "origin", "main")
        shown = said(pushed.doit("from_source", "REF=main"))
        assert shown.count("hook    before_build") == 1
        copy = pushed.run("--entrypoint=cat", f"{pushed.name}:1.2.0_3-{sha[:12]}", "/srv/made/copy")
        assert text in copy
    # Its tags are ours to clear.
    said(pushed.doit("cache_clear:medium"))
    assert [tag for tag in pushed.tags() if "1.2.0" in tag] == []
    # And in place, in a tree that has never had it.
    assert not (pushed.root / "made").exists()
    assert "hook    before_build" in said(pushed.doit())


WRONG = {
    "no REF": (("from_source",), "doit from_source REF=main"),
    "unknown": (("from_source", "REF=mian"), "did you mean REF=main?"),
    "not pushed": (("from_source", "REF=mine"), "git push origin mine"),
    "REPO is nowhere": (("from_source", "REF=main", "REPO=./nowhere"), "there is no folder"),
    "REF elsewhere": (("image", "REF=main"), "only from_source reads REF"),
    "REPO for nothing": (("REPO=x",), "only from_source reads REPO"),
    "no such variable": (("from_source", "REFS=x"), 'unknown variable "REFS"'),
}


def test_what_is_wrong_is_one_message(pushed: Checkout) -> None:
    git(pushed.root, "branch", "mine")
    for words, expected in WRONG.values():
        done = pushed.doit(*words)
        assert done.returncode == 2, done.stdout + done.stderr
        assert expected in done.stderr
        assert len(re.findall("error: ", done.stderr)) == 1
    git(pushed.root, "remote", "remove", "origin")
    done = pushed.doit("from_source", "REF=main")
    assert (done.returncode, "has no remote" in done.stderr, "REPO=" in done.stderr) == (2, True, True)


def test_a_commit_without_the_project(pushed: Checkout) -> None:
    top = pushed.root.parent
    git(top, "checkout", "--quiet", "--orphan", "other")
    git(top, "rm", "--quiet", "-r", "--cached", ".")
    os.rename(top / "rust/Cargo.toml", top / "Cargo.toml.txt")
    commit_all(top)
    git(top, "push", "--quiet", "origin", "other")
    git(top, "checkout", "--quiet", "--force", "main")
    done = pushed.doit("from_source", "REF=other")
    assert done.returncode == 2
    assert "has no Cargo.toml in rust" in done.stderr


def test_an_environment_gets_the_commit_with_the_files_of_this_machine(
    served: Callable[..., Checkout], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    files = "  volumes: [./data:/data]\n  env_file: .env\n  secrets: [WORD]\n"
    one = served(f"{files}environments:\n  dev: {{require: [clean, pushed]}}\n")
    (one.root / ".gitignore").write_text(one.read(".gitignore") + "/data\n.env*\n")
    commit_all(one.root)
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(one.root, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(one.root, "push", "--quiet", "origin", "main")
    one.write({"data/kept.txt": "kept", ".env": "A=b\n", ".env.dev": "WORD=hidden\n"})
    edited(one, "not committed")
    shown = said(one.doit("from_source", "REF=main", "ENV=dev"))
    assert "healthy at" in shown, shown
    assert serves(one) == "first text"
    (mounted,) = docker("inspect", "--format", "{{range .Mounts}}{{.Source}}{{end}}", one.name).split()
    assert mounted == str(one.root / "data")
    assert "hidden" not in "".join(path.read_text() for path in (tmp_path / "cache").rglob(".env*"))

    # Nothing in this clone counts: neither rules nor edits.
    refused = one.doit("cycle_fast", "ENV=dev")
    assert (refused.returncode != 0, "requires a clean tree" in refused.stderr) == (True, True)
    shown = said(one.doit("from_source", "REF=main", "ENV=dev", "LOCAL_ONLY=1"))
    assert "deploy " not in shown


def test_all_services_of_a_commit(pushed: Checkout, tmp_path: Path) -> None:
    """Those that the commit has: its worker is called jobs in the tree by now."""
    one = pushed
    each = "{bins: [NAME], deploy: {stop_grace: 0}}"
    services = "services:\n" + "".join(f"  {name}: {each.replace('NAME', name)}\n" for name in ("api", "worker"))
    loops = 'fn main() { println!("NAME"); loop { std::thread::sleep(std::time::Duration::from_secs(9)); } }\n'
    (one.root / "src/main.rs").unlink()
    one.write({f"src/bin/{name}.rs": loops.replace("NAME", name) for name in ("api", "worker")})
    one.configure(services)
    sha = commit_all(one.root.parent, "services")[:12]
    git(one.root, "push", "--quiet", "origin", "main")
    one.replace("layerdoit.yaml", "  worker:", "  jobs:")
    try:
        shown = said(one.doit("from_source", "REF=main", "ENV=dev"))
        for name in ("api", "worker"):
            assert f"image   {one.name}-{name}:1.2.0_3-{sha}" in shown
            assert f"deploy  {one.name}-{name} started" in shown
        assert "jobs" not in shown
        assert one.image(f"{one.name}-jobs:latest") is None
    finally:
        mine = ["--filter", f"label=io.layerdoit.project={one.name}"]
        for name in docker("ps", "--all", "--quiet", *mine).split():
            docker("rm", "--force", name)
