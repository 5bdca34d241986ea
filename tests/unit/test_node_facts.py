"""Components: what can be told of package.json and lock file before anything is installed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from layerdoit.core.errors import LayerdoitError
from layerdoit.node import node_checks, node_managers, node_version, package_json
from layerdoit.project.component_inputs import ComponentInputs
from layerdoit.project.project import Project
from layerdoit.project.snapshot import Tree
from tests.support.node_project import LOCK, PACKAGE, make


def inputs(root: Path) -> ComponentInputs:
    return ComponentInputs(Tree(Project.open(root, {})), "web", "linux/amd64")


def checked(root: Path) -> ComponentInputs:
    found = inputs(root)
    _ = found.key
    node_checks.check(found.root, found.config.build, found.setting)
    return found


def package(**more: Any) -> str:
    return json.dumps({**PACKAGE, **more}, indent=2)


PNPM = """\
lockfileVersion: '9.0'

importers:

  .:
    dependencies:
      left:
        specifier: ^1.0.0
        version: 1.0.2
"""
YARN = '# yarn lockfile v1\n\n\nleft@^1.0.0, "left@^1.0.1":\n  version "1.0.2"\n'
BERRY = '__metadata:\n  version: 8\n\n"left@npm:^1.0.0":\n  version: 1.0.2\n\n"web@workspace:.":\n  version: 0.0.0\n'
NEW = package(dependencies={"left": "^1.0.0", "right": "^2.0.0"})
OTHER = package(dependencies={"left": "^2.0.0"})
CONFIG = "project: shop\ncomponents:\n  web: {into: /srv/web%s}\n"

BAD: Mapping[str, tuple[Mapping[str, str | None], str, str, str]] = {
    # files: what is said, where, the next step
    "no package.json": ({"web/package.json": None}, "no package.json in web", "web/package.json", "npm init"),
    "not JSON": ({"web/package.json": '{\n"name": "web",\n}'}, "not JSON", "web/package.json:3", "correct it"),
    "no object": ({"web/package.json": "[]"}, "no JSON object", "web/package.json:1", "correct it"),
    "no lock file": ({"web/package-lock.json": None}, "no lock file", "web/package.json", "npm install"),
    "no lock file of pnpm": (
        {"web/package-lock.json": None, "web/package.json": package(packageManager="pnpm@9.1.0")},
        "no lock file",
        "web/package.json",
        "pnpm install",
    ),
    "an ignored lock file": (
        {".gitignore": "package-lock.json\n"},
        "git ignores",
        "web/package-lock.json",
        "commit it",
    ),
    "an old lock file": ({"web/package.json": NEW}, "lacks right", "web/package.json:10", "commit package-lock.json"),
    "another range": ({"web/package.json": OTHER}, "has left ^1.0.0", "web/package.json:9", "npm install"),
    "a broken lock file": ({"web/package-lock.json": "{\n"}, "not JSON", "web/package-lock.json:2", "correct it"),
    "an old lock file of pnpm": (
        {"web/package-lock.json": None, "web/pnpm-lock.yaml": PNPM, "web/package.json": NEW},
        "lacks right",
        "web/package.json:10",
        "pnpm install",
    ),
    "a broken lock file of pnpm": (
        {"web/package-lock.json": None, "web/pnpm-lock.yaml": "importers: [\n"},
        "not YAML",
        "web/pnpm-lock.yaml:2",
        "correct it",
    ),
    "an old lock file of yarn": (
        {"web/package-lock.json": None, "web/yarn.lock": YARN, "web/package.json": OTHER},
        "has left ^1.0.0, ^1.0.1",
        "web/package.json:9",
        "yarn install",
    ),
    "an old lock file of yarn 4": (
        {"web/package-lock.json": None, "web/yarn.lock": BERRY, "web/package.json": NEW},
        "lacks right",
        "web/package.json:10",
        "yarn install",
    ),
    "a merge conflict": (
        {"web/package-lock.json": None, "web/yarn.lock": f"{YARN}<<<<<<< HEAD\n=======\n>>>>>>> b\n"},
        "marks of a merge conflict",
        "web/yarn.lock:6",
        "git add yarn.lock",
    ),
    "two lock files": ({"web/yarn.lock": YARN}, "lock files of npm, yarn", "web", "remove those"),
    "the lock file of another manager": (
        {"layerdoit.yaml": CONFIG % ", manager: pnpm"},
        "components.web.manager is pnpm, but the lock file is package-lock.json",
        "",
        "pnpm install",
    ),
    "a field for another manager": (
        {"web/package.json": package(packageManager="yarn@4.1.0")},
        "packageManager is yarn@4.1.0, but",
        "web/package.json:11",
        "yarn install",
    ),
    "a strange manager": (
        {"web/package.json": package(packageManager="bun@1.1.0")},
        "names no version of npm, pnpm or yarn",
        "web/package.json:11",
        'write "npm@',
    ),
    "no build script": (
        {"web/package.json": package(scripts={"dev": "x"})},
        'no script "build"',
        "web/package.json:5",
        "its scripts: dev",
    ),
    "no member of the workspace above": (
        {
            "web/package-lock.json": None,
            "package.json": json.dumps({"workspaces": ["apps/*"]}),
            "package-lock.json": json.dumps(LOCK),
        },
        "no member of that workspace",
        "web/package.json",
        "add it to the workspaces",
    ),
    "a path that is not there": (
        {"layerdoit.yaml": CONFIG % ", include: [shared]"},
        "include: there is no shared",
        "layerdoit.yaml:3",
        "sources.include",
    ),
    "a folder outside": (
        {"layerdoit.yaml": "project: shop\ncomponents:\n  web: {path: ../web, into: /srv}\n"},
        "..",
        "layerdoit.yaml",
        "",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_one_message_with_its_place_and_a_next_step(tmp_path: Path, name: str) -> None:
    changes, said, where, hint = BAD[name]
    root = make(tmp_path, changes)
    if name == "an ignored lock file":
        (root / ".gitignore").write_text("package-lock.json\n")
    with pytest.raises(LayerdoitError) as caught:
        checked(root)
    error = caught.value
    assert said in error.what
    assert str(error.where or "").startswith(where)
    assert error.hint is not None
    assert hint in error.hint
    assert len(str(error).splitlines()) <= 2


GOOD: Mapping[str, Mapping[str, str | None]] = {
    "npm": {},
    "pnpm": {"web/package-lock.json": None, "web/pnpm-lock.yaml": PNPM},
    "yarn": {"web/package-lock.json": None, "web/yarn.lock": YARN},
    "berry": {"web/package-lock.json": None, "web/yarn.lock": BERRY},
    "another command": {"layerdoit.yaml": CONFIG % ", build: vite build", "web/package.json": package(scripts={})},
    "two lock files and a choice": {"web/yarn.lock": YARN, "layerdoit.yaml": CONFIG % ", manager: npm"},
    "overrides of pnpm": {
        "web/package-lock.json": None,
        "web/pnpm-lock.yaml": PNPM.replace("^1.0.0", "1.0.2"),
        "web/package.json": package(pnpm={"overrides": {"left": "1.0.2"}}),
    },
}


@pytest.mark.parametrize("name", GOOD)
def test_what_fits_is_taken(tmp_path: Path, name: str) -> None:
    assert checked(make(tmp_path, GOOD[name])).root.folder == "web"


@pytest.mark.parametrize(
    ("lock", "field", "expected"),
    [
        ("", "", ("npm ", "")),
        ("", "npm@10.9.0", ("npm 10.9.0", "npm@10.9.0")),
        (PNPM, "", ("pnpm 10.12.1", "pnpm@10.12.1")),
        (PNPM, "pnpm@9.1.0+sha512.abc", ("pnpm 9.1.0", "pnpm@9.1.0")),
        (PNPM.replace("9.0", "6.0"), "", ("pnpm 8.15.9", "pnpm@8.15.9")),
        (YARN, "", ("yarn 1.22.22", "yarn@1.22.22")),
        (BERRY, "", ("yarn 4.9.2", "@yarnpkg/cli-dist@4.9.2")),
        (BERRY, "yarn@4.1.0", ("yarn 4.1.0", "@yarnpkg/cli-dist@4.1.0")),
    ],
)
def test_the_manager_s_version_is_the_field_s_or_one_that_reads_the_lock_file(
    lock: str, field: str, expected: tuple[str, str]
) -> None:
    text = json.dumps({"packageManager": field} if field else {})
    manifest = package_json.Manifest("package.json", text, json.loads(text))
    name = "pnpm-lock.yaml" if "importers" in lock else "yarn.lock" if lock else "package-lock.json"
    found = node_managers.manager(name, lock, manifest)
    assert (found.text, found.package) == (expected[0].strip(), expected[1])


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["packages/*"], ["packages/a", "packages/b"]),
        (["packages/**"], ["packages/a", "packages/b", "packages/deep/c"]),
        (["./packages/a", "apps/*"], ["apps/web", "packages/a"]),
        (["packages/*", "!packages/b"], ["packages/a"]),
        (["{apps,packages}/*"], ["apps/web", "packages/a", "packages/b"]),
        (["nothing/*"], []),
    ],
)
def test_members_are_those_that_the_patterns_name(patterns: list[str], expected: list[str]) -> None:
    folders = ["apps/web", "packages/a", "packages/b", "packages/deep/c"]
    assert package_json.members(tuple(patterns), folders) == expected


def test_a_workspace_above_is_installed_with_all_members_and_built_from_those_it_uses(tmp_path: Path) -> None:
    def member(name: str, **dependencies: str) -> str:
        return json.dumps({"name": name, "version": "1.0.0", "dependencies": dependencies, "scripts": {"build": "x"}})

    entries = {"": {}, "web": {"dependencies": {"ui": "*"}}, "libs/ui": {}, "libs/other": {}}
    root = make(
        tmp_path,
        {
            "web/package-lock.json": None,
            "package.json": json.dumps({"workspaces": ["web", "libs/*"]}),
            "package-lock.json": json.dumps({"lockfileVersion": 3, "packages": entries}),
            "web/package.json": member("web", ui="*"),
            "libs/ui/package.json": member("ui"),
            "libs/ui/index.js": "1;\n",
            "libs/other/package.json": member("other"),
            "libs/other/index.js": "1;\n",
            "tsconfig.base.json": "{}",
        },
    )
    found = checked(root)
    assert found.root.folder == ""
    assert sorted(found.made) == ["libs/other/package.json", "libs/ui/package.json", "package.json", "web/package.json"]
    names = set(found.sources.entries)
    assert {"web/src/main.js", "libs/ui/index.js", "tsconfig.base.json"} <= names
    assert not {name for name in names if name.startswith("libs/other") or name.endswith(".rs")}


def test_the_nearest_version_file_names_the_node(tmp_path: Path) -> None:
    root = make(tmp_path, {".nvmrc": "v22.1.0\n"})
    assert inputs(root).node == "20"
    (root / "web/.node-version").write_text("lts/iron\n")
    assert inputs(root).node == "22.1.0"
    assert node_version.fits("20.11.1", "20")
    assert not node_version.fits("20.11.1", "2")


def test_the_place_of_an_entry_is_its_line() -> None:
    manifest = package_json.Manifest("web/package.json", package(), PACKAGE)
    line = int(manifest.line("scripts", "build").rpartition(":")[2])
    assert re.search(r'"build": "node build.mjs"', manifest.text.splitlines()[line - 1])
