"""Keys of components: what must change them does, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerdoit.node import package_json
from layerdoit.project.component_inputs import ComponentInputs
from layerdoit.project.project import Project
from layerdoit.project.snapshot import Tree
from tests.support.node_project import LOCK, PACKAGE, make

LAYERS = ("base", "deps", "output")


def keys(root: Path, platform: str = "linux/amd64") -> dict[str, str]:
    found = ComponentInputs(Tree(Project.open(root, {})), "web", platform)
    return {spec.layer: spec.key for spec in found.specs}


def package(**more: Any) -> str:
    return json.dumps({**PACKAGE, **more}, indent=2)


def config(more: str) -> str:
    return f"project: shop\ncomponents:\n  web: {{into: /srv/web{more}}}\n"


# What is written, and the lowest layer that is made anew.
CHANGES: dict[str, tuple[str, str, str]] = {
    "a package": ("layerdoit.yaml", config(", packages: [git]"), "base"),
    "an image": ("layerdoit.yaml", config(", image: node:22"), "base"),
    "the suite": ("layerdoit.yaml", config("") + "base: {suite: bookworm}\n", "base"),
    "the version of Node": ("web/.node-version", "22\n", "base"),
    "the version of the manager": ("web/package.json", package(packageManager="npm@10.9.0"), "base"),
    "the lock file": ("web/package-lock.json", json.dumps(LOCK), "deps"),
    "a dependency": ("web/package.json", package(devDependencies={"x": "1"}), "deps"),
    "an override": ("web/package.json", package(overrides={"x": "1"}), "deps"),
    "a registry": ("web/.npmrc", "@a:registry=https://b/\n", "deps"),
    "a patch": ("web/patches/left.patch", "-\n", "deps"),
    "install scripts": ("layerdoit.yaml", config(", scripts: false"), "deps"),
    "a variable": ("layerdoit.yaml", config(", env: {A: b}"), "deps"),
    "a source": ("web/src/main.js", "2;\n", "output"),
    "a new source": ("web/src/more.js", "2;\n", "output"),
    "a script of package.json": ("web/package.json", package(scripts={"build": "x"}), "output"),
    "the version of the package": ("web/package.json", package(version="2.0.0"), "output"),
    "the command": ("layerdoit.yaml", config(", build: vite build"), "output"),
    "the output folder": ("layerdoit.yaml", config(", output: build"), "output"),
    "an included file": ("layerdoit.yaml", config(", include: [src]"), "output"),
    "a login": ("web/.npmrc", "//b/:_authToken=${NPM_TOKEN}\n", ""),
    "a Rust source": ("src/main.rs", "fn main() { }\n", ""),
    "Cargo.lock": ("Cargo.lock", 'version = 4\n\n[[package]]\nname = "shop"\nversion = "0.1.0"\n\n', ""),
    "a file elsewhere": ("README.md", "x\n", ""),
    "what git ignores": ("web/dist/index.html", "x\n", ""),
    "an installation here": ("web/node_modules/left/index.js", "x\n", ""),
    "who has it": ("layerdoit.yaml", config(", embed: true"), ""),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_makes_its_layer_and_those_above_anew(tmp_path: Path, name: str) -> None:
    path, text, lowest = CHANGES[name]
    root = make(tmp_path)
    before = keys(root)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    after = keys(root)
    changed = [layer for layer in LAYERS if before[layer] != after[layer]]
    assert changed == (list(LAYERS[LAYERS.index(lowest) :]) if lowest else [])


def test_another_platform_is_another_base(tmp_path: Path) -> None:
    root = make(tmp_path)
    assert keys(root)["base"] != keys(root, "linux/arm64")["base"]


def test_an_output_that_is_committed_is_no_source(tmp_path: Path) -> None:
    root = make(tmp_path, {".gitignore": "node_modules\n", "web/dist/index.html": "old\n"})
    before = keys(root)
    (root / "web/dist/index.html").write_text("new\n")
    assert keys(root) == before


def test_in_the_project_s_own_folder_what_cargo_reads_is_no_source(tmp_path: Path) -> None:
    files = {"package.json": package(), "package-lock.json": json.dumps(LOCK), "index.html": "x\n"}
    root = make(tmp_path, {**files, "layerdoit.yaml": config(", path: .")})
    before = keys(root)
    (root / "src/main.rs").write_text("fn main() { }\n")
    assert keys(root) == before
    (root / "index.html").write_text("y\n")
    assert keys(root)["output"] != before["output"]


# --- what an installation depends on ---------------------------------------------------------------------------------

NAMES = st.sampled_from(["left", "@a/b", "vite"])
TABLES = st.dictionaries(NAMES, st.sampled_from(["^1.0.0", "*", "2"]), max_size=3)
MANIFESTS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["web", "page"]),
        "dependencies": TABLES,
        "devDependencies": TABLES,
        "optionalDependencies": TABLES,
        "overrides": TABLES,
        "engines": st.just({"node": ">=20"}),
    },
)
IDLE = st.fixed_dictionaries(
    {},
    optional={
        "version": st.text(max_size=5),
        "description": st.text(max_size=5),
        "scripts": st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
        "author": st.text(max_size=5),
        "browserslist": st.lists(st.text(max_size=5), max_size=2),
    },
)


def installs(values: dict[str, Any]) -> bytes:
    text = json.dumps(values)
    return package_json.Manifest("package.json", text, json.loads(text)).installation(versioned=False)


@given(MANIFESTS, IDLE, IDLE)
def test_what_no_installation_reads_is_not_in_it(
    asks: dict[str, Any], one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert installs({**one, **asks}) == installs({**asks, **other})


@given(MANIFESTS, MANIFESTS)
@settings(suppress_health_check=[HealthCheck.filter_too_much])
def test_two_that_ask_for_something_else_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (installs(one) == installs(other)) == (one == other)
