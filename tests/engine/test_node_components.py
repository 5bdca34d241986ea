"""Components against a real engine: npm with Vite, pnpm, yarn; logins, install scripts, the output."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from layerdoit.build import component_building, sharing
from layerdoit.build.component_building import ComponentPlan
from layerdoit.core.errors import BuildError, LayerdoitError
from layerdoit.engine import broker
from layerdoit.engine.handle import Engine
from layerdoit.layers.outcome import Outcome
from layerdoit.project.component_inputs import ComponentInputs
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from layerdoit.project.snapshot import Tree
from tests.engine.registry_fixture import Registry
from tests.support.checkout import Checkout
from tests.support.git import commit_all, git
from tests.support.node_project import RUST
from tests.support.npm_registry import NpmRegistry, npm_registry

TOKEN = "planted-npm-token-91d2"
INDEX = (
    '<!doctype html><link rel="stylesheet" href="/src/style.css"><script type="module" src="/src/main.js"></script>\n'
)
VITE = {"name": "web", "private": True, "scripts": {"build": "vite build"}, "devDependencies": {"vite": "^7.0.0"}}

New = Callable[..., Checkout]


class Component:
    """The component `web` of a checkout."""

    def __init__(self, one: Checkout) -> None:
        self.one = one
        self.root = one.root
        self._engine = Engine()

    def plan(self) -> ComponentPlan:
        inputs = ComponentInputs(Tree(Project.open(self.root, {})), "web", self._engine.platform)
        return component_building.plan(self._engine, inputs)

    def build(self) -> dict[str, Outcome]:
        planned = self.plan()
        with planned.inputs.project.state.locked():
            run, project = Run(), planned.inputs.project
            found = component_building.carry_out(run, self._engine, planned)
            sharing.settle(run, project, self._engine, [])
        return {outcome.step.spec.layer: outcome for outcome in found}

    def actions(self) -> list[str]:
        return [step.action for step in self.plan().steps]

    def output(self) -> dict[str, str]:
        folder = self.plan().inputs.output
        return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}

    def fails(self) -> LayerdoitError:
        with pytest.raises(LayerdoitError) as caught:
            self.build()
        return caught.value


@pytest.fixture
def web(checkout: New) -> Callable[..., Component]:
    """`web(files, settings, more)`: a checkout with a component."""

    def new(files: Mapping[str, str], settings: str = "", more: str = "") -> Component:
        one = checkout({**RUST, **files}, f"components:\n  web: {{into: /srv/web{settings}}}\n{more}")
        git(one.root, "init", "-q")
        commit_all(one.root)
        return Component(one)

    return new


@pytest.fixture
def npm(docker_engine: Any) -> Iterator[NpmRegistry]:
    """A registry that asks for a token."""
    with npm_registry(docker_engine, TOKEN) as found:
        yield found


def package(build: str, **more: Any) -> dict[str, Any]:
    return {"name": "web", "private": True, "scripts": {"build": build}, **more}


def files_of(manifest: Mapping[str, Any], lock: str | None = None) -> dict[str, str]:
    empty = {"name": "web", "lockfileVersion": 3, "packages": {"": manifest}}
    return {"web/package.json": json.dumps(manifest, indent=1), "web/package-lock.json": lock or json.dumps(empty)}


WRITES = "mkdir -p dist && echo built > dist/index.html"

# --- npm and Vite ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("npm") is None, reason="this machine has no npm")
def test_a_vite_page_is_built_and_an_edit_of_a_style_runs_only_the_build(web: Callable[..., Component]) -> None:
    manifest = json.dumps(VITE, indent=1)
    one = web({"web/package.json": manifest, "web/index.html": INDEX, "web/src/main.js": "1;", "web/src/style.css": ""})
    command = ["npm", "install", "--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved"]
    subprocess.run(command, cwd=one.root / "web", check=True, capture_output=True)
    assert one.actions() == ["build", "build", "build"]
    first = one.build()
    assert "index.html" in one.output()
    assert any(name.endswith(".js") for name in one.output())
    assert one.actions() == ["reuse", "reuse", "reuse"]

    before = first["output"].step.spec.key
    one.one.write({"web/src/style.css": "body { color: teal }"})
    planned = one.plan()
    assert [step.action for step in planned.steps] == ["reuse", "reuse", "build"]
    assert "style.css" in planned.steps[2].why
    one.build()
    assert any("teal" in text for text in one.output().values())
    assert os.readlink(one.root / ".layerdoit/components/web/output") == one.plan().inputs.output.name
    # Back again: that output is still there.
    one.one.write({"web/src/style.css": ""})
    assert one.actions() == ["reuse", "reuse", "reuse"]
    assert one.plan().inputs.key == before


# --- other managers --------------------------------------------------------------------------------------------------

NUMBER = {"dependencies": {"is-number": "7.0.0"}}
NUMBER_HASH = "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="
USES = (
    "node -e \"require('fs').mkdirSync('dist');require('fs').writeFileSync('dist/a', String(require('is-number')(1)))\""
)
PNPM = f"""\
lockfileVersion: '9.0'

settings:
  autoInstallPeers: true
  excludeLinksFromLockfile: false

importers:

  .:
    dependencies:
      is-number:
        specifier: 7.0.0
        version: 7.0.0

packages:

  is-number@7.0.0:
    resolution: {{integrity: {NUMBER_HASH}}}
    engines: {{node: '>=0.12.0'}}

snapshots:

  is-number@7.0.0: {{}}
"""
YARN = f"""\
# THIS IS AN AUTOGENERATED FILE. DO NOT EDIT THIS FILE DIRECTLY.
# yarn lockfile v1


is-number@7.0.0:
  version "7.0.0"
  integrity {NUMBER_HASH}
"""
BERRY = """\
# This file is generated by running "yarn install" inside your project.
# Manual changes might be lost - proceed with caution!

__metadata:
  version: 8
  cacheKey: 10c0

"is-number@npm:7.0.0":
  version: 7.0.0
  resolution: "is-number@npm:7.0.0"
  languageName: node
  linkType: hard

"web@workspace:.":
  version: 0.0.0-use.local
  resolution: "web@workspace:."
  dependencies:
    is-number: "npm:7.0.0"
  languageName: unknown
  linkType: soft
"""
# What pnpm does by itself has changed a lot since 10.
NEWEST = {"packageManager": "pnpm@12.21.0"}
LOCKS: dict[str, tuple[str, str, dict[str, str]]] = {
    "pnpm": ("pnpm-lock.yaml", PNPM, {}),
    "yarn": ("yarn.lock", YARN, {}),
    "berry": ("yarn.lock", BERRY, {"web/.yarnrc.yml": "nodeLinker: node-modules\n"}),
}


@pytest.mark.parametrize(("manager", "field"), [*((name, {}) for name in LOCKS), ("pnpm", NEWEST)])
def test_other_managers_install_by_their_lock_files(
    web: Callable[..., Component], manager: str, field: dict[str, str]
) -> None:
    lock, text, more = LOCKS[manager]
    one = web({"web/package.json": json.dumps(package(USES, **NUMBER, **field)), f"web/{lock}": text, **more})
    one.build()
    assert one.output() == {"a": "true"}


# --- logins ----------------------------------------------------------------------------------------------------------

# What a package's script, or the build, finds of a login.
SPY = (
    "const fs=require('fs');const seen=[JSON.stringify(process.env)];"
    "for (const f of ['/root/.npmrc','/run/secrets/npmrc','/app/web/.npmrc','/root/.yarnrc.yml','/control/npmrc'])"
    "{try{seen.push(f+': '+fs.readFileSync(f,'utf8'))}catch(e){}}"
    "fs.writeFileSync(__dirname+'/seen.txt', seen.join('\\n'))"
)


def spying(web: Callable[..., Component], npm: NpmRegistry, settings: str = "") -> Component:
    npm.publish("spy", {"spy.js": SPY, "index.js": "module.exports = 1"}, scripts={"postinstall": "node spy.js"})
    seen = "node_modules/spy/seen.txt"
    build = f"{WRITES}; cp {seen} dist/seen.txt || true; node node_modules/spy/spy.js; cp {seen} dist/again.txt"
    manifest = package(build, dependencies={"spy": "1.0.0"})
    return web({**files_of(manifest, npm.lock(manifest)), "web/.npmrc": settings_of(npm)}, settings)


def settings_of(npm: NpmRegistry) -> str:
    token = f"//{npm.host}:{npm.port}/:_authToken=${{LAYERDOIT_TEST_NPM_TOKEN}}"
    return f"registry={npm.address}\n{token}\n"


def test_a_login_reaches_the_download_and_nothing_else(
    web: Callable[..., Component], npm: NpmRegistry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAYERDOIT_TEST_NPM_TOKEN", TOKEN)
    one = spying(web, npm)
    done = one.build()
    seen = one.output()
    assert "npmrc: registry=" in seen["seen.txt"]
    assert TOKEN not in "".join(seen.values())
    for layer in ("base", "deps"):
        tag = done[layer].step.spec.tag
        told = subprocess.run(["docker", "image", "inspect", tag], capture_output=True, text=True, check=True).stdout
        told += subprocess.run(
            ["docker", "history", "--no-trunc", tag], capture_output=True, text=True, check=True
        ).stdout
        assert TOKEN not in told
        archive = tmp_path / f"{layer}.tar"
        subprocess.run(["docker", "save", "--output", str(archive), tag], check=True)
        assert TOKEN.encode() not in archive.read_bytes()
    state = [path for path in (one.root / ".layerdoit").rglob("*") if path.is_file()]
    assert [path for path in state if TOKEN.encode() in path.read_bytes()] == []


def test_install_scripts_run_only_where_that_is_wanted(
    web: Callable[..., Component], npm: NpmRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAYERDOIT_TEST_NPM_TOKEN", TOKEN)
    one = spying(web, npm, ", scripts: false")
    one.build()
    assert "seen.txt" not in one.output()


def test_a_login_that_is_not_there_is_named(
    web: Callable[..., Component], npm: NpmRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAYERDOIT_TEST_NPM_TOKEN", raising=False)
    error = spying(web, npm).fails()
    assert "the registry refused the login: LAYERDOIT_TEST_NPM_TOKEN is not set" in error.what
    assert error.hint == "set LAYERDOIT_TEST_NPM_TOKEN"


def test_a_package_that_the_registry_has_not_is_told(
    web: Callable[..., Component], npm: NpmRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAYERDOIT_TEST_NPM_TOKEN", TOKEN)
    manifest = package(WRITES, dependencies={"gone": "1.0.0"})
    npm.publish("gone", {})
    lock = npm.lock(manifest)
    npm.withdraw("gone")
    one = web({**files_of(manifest, lock), "web/.npmrc": settings_of(npm)})
    assert "the registry has no such package" in one.fails().what


# --- the build and its output ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "said", "hint"),
    [
        (
            "mkdir build && echo 1 > build/a",
            "the build wrote no web/dist; it wrote web/build",
            "components.web.output: build",
        ),
        ("mkdir dist", "the build wrote nothing into web/dist; it wrote no file at all", "correct the command"),
        ("true", "the build wrote no web/dist; it wrote no file at all", "correct the command"),
        ("echo oh no; exit 3", "`npm run build` failed", "the whole log"),
        (
            "node -e \"fetch('http://layerdoit.invalid').catch(e => {console.error(e); process.exit(1)})\"",
            "asked for the network",
            "the sources",
        ),
    ],
)
def test_a_build_that_does_not_do_is_one_message(
    web: Callable[..., Component], build: str, said: str, hint: str
) -> None:
    one = web(files_of(package(build)))
    error = one.fails()
    assert isinstance(error, BuildError)
    assert said in error.what
    assert hint in str(error.hint)
    assert not one.plan().inputs.output.exists()


def test_a_failed_build_leaves_the_output_before_it(web: Callable[..., Component]) -> None:
    one = web(files_of(package(WRITES)))
    one.build()
    before = one.plan().inputs.output
    one.one.write({"web/package.json": json.dumps(package("mkdir -p dist && echo half > dist/index.html; exit 1"))})
    one.fails()
    assert (before / "index.html").read_text() == "built\n"
    assert (one.root / ".layerdoit/components/web/output/index.html").read_text() == "built\n"
    assert sorted(path.name for path in before.parent.iterdir()) == ["made.json", "output", before.name]


def test_a_stale_folder_here_is_not_taken_for_the_output(web: Callable[..., Component]) -> None:
    one = web(files_of(package(WRITES)))
    one.one.write({"web/dist/index.html": "stale", "web/node_modules/x/index.js": "stale"})
    one.build()
    assert one.output() == {"index.html": "built\n"}


def test_its_own_scripts_of_an_installation_run_over_its_sources(web: Callable[..., Component]) -> None:
    manifest = package("mkdir dist && cp made dist/made", dependencies={})
    manifest["scripts"]["postinstall"] = "cat source > made"
    one = web({**files_of(manifest), "web/source": "from a source\n"})
    one.build()
    assert one.output() == {"made": "from a source\n"}


def test_an_image_without_node_is_told(web: Callable[..., Component]) -> None:
    system = broker.bootstrap_os("trixie")
    one = web(files_of(package(WRITES)), f", image: '{system}'")
    assert f"{system} has no Node" in one.fails().what


def test_images_are_known_as_the_project_s(web: Callable[..., Component]) -> None:
    one = web(files_of(package(WRITES)))
    one.build()
    assert {tag.partition(":")[0] for tag in one.one.tags()} == {f"{one.one.name}-web"}
    assert {tag.partition(":")[2].partition("-")[0] for tag in one.one.tags()} == {"base", "deps"}


def test_its_images_are_shared_as_rust_s_are(web: Callable[..., Component], registry: Registry) -> None:
    repository = f"team/components-{os.getpid()}"
    shared = f"registry: {{repository: {registry.address}/{repository}, push: [base, deps]}}\n"
    one = web(files_of(package(WRITES)), "", shared)
    one.build()
    assert [tag.partition("-")[0] for tag in registry.tags(repository)] == ["base", "deps"]
    one.one.remove()
    one.one.write({"web/more.js": "1;"})
    assert one.actions() == ["reuse", "pull", "build"]
    done = one.build()
    assert done["deps"].how.startswith("pulled from ")
    assert {tag.partition(":")[2].partition("-")[0] for tag in one.one.tags()} == {"deps"}
