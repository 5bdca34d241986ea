"""What doctor says of services and components: each with the fault, and with what only looks like it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from layerdoit.doctor import part_checks, part_facts
from layerdoit.doctor.finding import Finding
from layerdoit.flows.session import Session
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from tests.support.files import write
from tests.support.git import git
from tests.support.lockfile import entry, lockfile
from tests.support.manifest import package
from tests.support.proposed import inside

SETTINGS = """\
services:
  api: {bins: [api], port: 8080, needs: [db]}
  worker: {bins: [worker], needs: [api]}
components:
  web: {output: dist, into: /srv/web}
"""
TREE: Mapping[str, str] = {
    "Cargo.toml": '[workspace]\nmembers = ["api", "worker", "shop-cli"]\nresolver = "2"\n',
    "Cargo.lock": lockfile(entry("api"), entry("worker"), entry("shop-cli")),
    "api/Cargo.toml": package("api"),
    "api/src/main.rs": inside('serve(bind("0.0.0.0:8080"))'),
    "worker/Cargo.toml": package("worker"),
    "worker/src/main.rs": inside(""),
    "shop-cli/Cargo.toml": package("shop-cli"),
    "shop-cli/src/main.rs": inside(""),
    "compose.yaml": "services: {db: {image: postgres}}\n",
    "web/package.json": '{"name": "web", "version": "1.0.0", "scripts": {"build": "vite build"}}',
    "web/package-lock.json": '{"name": "web", "lockfileVersion": 3, "packages": {"": {"name": "web"}}}',
    ".gitignore": "node_modules/\ndist/\n",
    "layerdoit.yaml": SETTINGS,
}


def findings(root: Path, files: Mapping[str, str], *gone: str, tracked: str = "") -> list[Finding]:
    """What is said of the tree with other files."""
    write(root, {**TREE, **files})
    for name in gone:
        (root / name).unlink()
    git(root, "init", "--quiet")
    if tracked:
        write(root, {tracked: ""})
        git(root, "add", "--force", tracked)
    session = Session(Run(), Project.open(root, {}))
    return list(part_checks.parts(part_facts.collect(session), session.project.config))


def test_nothing_is_wrong_with_a_sound_project(tmp_path: Path) -> None:
    assert findings(tmp_path, {}) == []


CASES: Mapping[str, tuple[Mapping[str, str], tuple[str, ...], str, str, str]] = {
    "no lock file": ({}, ("web/package-lock.json",), "component", "", "the component web: "),
    "no script": (
        {"web/package.json": '{"name": "web", "scripts": {}}'}, (), "component", "web/package.json",
        'no script "build"',
    ),
    "node_modules are seen": (
        {".gitignore": "dist\n"}, (), "node-modules", "layerdoit.yaml:5", "git sees node_modules of the component web",
    ),
    "another port": (
        {"layerdoit.yaml": SETTINGS.replace("8080", "80")}, (), "service-port", "layerdoit.yaml:2",
        "api binds port 8080 (api/src/main.rs:1), and the configuration says 80",
    ),
    "a program of no service": (
        {"layerdoit.yaml": SETTINGS.replace("  worker: {bins: [worker], needs: [api]}\n", "")}, (), "in-no-service",
        "layerdoit.yaml:1", "worker is in no service",
    ),
    "a need that nobody is": (
        {"layerdoit.yaml": SETTINGS.replace("[db]", "[cache]")}, (), "need-unknown", "layerdoit.yaml:2",
        'api needs "cache", which nobody is',
    ),
    "no compose file": ({}, ("compose.yaml",), "need-unknown", "layerdoit.yaml:2", 'api needs "db", which nobody is'),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong(tmp_path: Path, name: str) -> None:
    files, gone, rule, where, words = CASES[name]
    (found,) = findings(tmp_path, files, *gone)
    assert found.id == rule
    assert (found.where or "").startswith(where)
    assert words in found.what
    assert found.fix


def test_an_output_that_git_tracks(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, {}, tracked="web/dist/index.html")
    assert (found.id, found.where) == ("output-committed", "layerdoit.yaml:5")
    assert "git tracks web/dist/index.html, which the component web builds" in found.what


@pytest.mark.parametrize(
    "files",
    [
        {"api/src/main.rs": inside('let a = std::env::var("ADDR").unwrap_or("0.0.0.0:9000".into()); serve(bind(a))')},
        {"api/src/main.rs": inside('serve(bind("0.0.0.0:9000")); metrics(bind("0.0.0.0:9100"))')},
        {"compose.yaml": "include: [other.yaml]\n"},
        {"compose.yaml": "services: [\n"},
        {"web/dist/index.html": ""},
        {"layerdoit.yaml": SETTINGS.replace("port: 8080, ", "")},
    ],
)
def test_what_is_not_sure_is_not_said(tmp_path: Path, files: dict[str, str]) -> None:
    assert findings(tmp_path, files) == []


def test_a_project_of_one_program(tmp_path: Path) -> None:
    one = {
        "Cargo.toml": package("shop"), "Cargo.lock": lockfile(entry("shop")),
        "src/main.rs": inside('serve(bind("0.0.0.0:8080"))'), "layerdoit.yaml": "deploy: {port: 80}\n",
    }  # fmt: skip
    (found,) = findings(tmp_path, one)
    assert (found.id, found.where) == ("service-port", "layerdoit.yaml:1")
    assert findings(tmp_path, {**one, "layerdoit.yaml": "deploy: {port: 8080}\n"}) == []
