"""What package managers say when they fail, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.components import node_failures
from layerdoit.engine.buildx import StepFailed
from layerdoit.project.component_inputs import ComponentInputs
from layerdoit.project.project import Project
from layerdoit.project.snapshot import Tree
from tests.support.node_project import make

DOWNLOAD = "[deps 4/5] RUN sh /control/node-install.sh download"
SCRIPTS = "[deps 5/5] RUN sh /control/node-install.sh scripts"

SAID = [
    # layer, step, exit code, what was said; what is told, the next step
    (
        "deps",
        DOWNLOAD,
        1,
        "npm error code E404\nnpm error 404 Not Found - GET http://a/b",
        "no such package",
        "registry",
    ),
    (
        "deps",
        DOWNLOAD,
        1,
        "npm error code E401\nnpm error Incorrect or missing password.",
        "refused the login",
        "log in",
    ),
    ("deps", DOWNLOAD, 1, "npm error code ERESOLVE\nnpm error ERESOLVE could not resolve", "do not fit", "npm install"),
    (
        "deps",
        DOWNLOAD,
        1,
        "npm error code EUSAGE\nnpm error `npm ci` can only",
        "does not fit package.json",
        "npm install",
    ),
    ("deps", DOWNLOAD, 1, "npm error code EBADENGINE", "does not work with Node 20", ".node-version"),
    ("deps", DOWNLOAD, 1, "npm error code SELF_SIGNED_CERT_IN_CHAIN", "not trusted", "NODE_EXTRA_CA_CERTS"),
    ("deps", DOWNLOAD, 1, "npm error code ENOTFOUND", "does not answer", "proxy"),
    ("deps", DOWNLOAD, 1, " ERR_PNPM_FETCH_404  GET http://a/b: Not Found - 404", "no such package", "registry"),
    ("deps", DOWNLOAD, 1, "ERR_PNPM_FROZEN_LOCKFILE_WITH_OUTDATED_LOCKFILE", "does not fit package.json", "install"),
    ("deps", DOWNLOAD, 1, " ERR_PNPM_OUTDATED_LOCKFILE  Cannot install", "does not fit package.json", "install"),
    (
        "deps",
        DOWNLOAD,
        1,
        "error Your lockfile needs to be updated, but yarn was run with `--frozen-lockfile`.",
        "fit",
        "",
    ),
    ("deps", DOWNLOAD, 1, "YN0041: a@npm:1: Invalid authentication (as an anonymous user)", "refused the login", ""),
    ("deps", DOWNLOAD, 7, "something else", "npm could not install the packages", "the whole log"),
    ("deps", SCRIPTS, 1, "gyp ERR! find Python", "an install script of a package failed", "scripts: false"),
    ("base", "[base 3/3] RUN", 93, "error: this image has no Node", "has no Node", "name an image"),
    ("base", "[base 3/3] RUN", 94, "error: this image has no npm", "has no npm", "name an image"),
    ("base", "[base 2/3] RUN", 100, "E: Unable to locate package", "the base image did not build", "the whole log"),
    ("output", "[build 2/2] RUN", 1, "Error: getaddrinfo EAI_AGAIN a", "asked for the network", "dependencies"),
    ("output", "[build 2/2] RUN", 2, "SyntaxError", "`npm run build` failed", "the whole log"),
    (
        "output",
        "[build 2/2] RUN",
        92,
        "component wrote 3 build\ncomponent output is not there",
        "wrote web/build",
        "output: build",
    ),
    ("output", "[build 2/2] RUN", 92, "component output is empty", "nothing into web/dist", "correct the command"),
]


@pytest.mark.parametrize(("layer", "step", "code", "text", "said", "hint"), SAID)
def test_a_failure_is_told_in_words(
    tmp_path: Path, layer: str, step: str, code: int, text: str, said: str, hint: str
) -> None:
    inputs = ComponentInputs(Tree(Project.open(make(tmp_path), {})), "web", "linux/amd64")
    failed = StepFailed(layer, step, code, tuple(text.splitlines()), (), Path("/logs/x.log"), text)
    error = node_failures.explain(failed, inputs, ())
    assert "components.web" in error.what
    assert said in error.what
    assert hint in str(error.hint)
    assert str(error.where).startswith("layerdoit.yaml:")


def test_variables_that_are_not_set_are_named(tmp_path: Path) -> None:
    inputs = ComponentInputs(Tree(Project.open(make(tmp_path), {})), "web", "linux/amd64")
    for text in ("npm error code E401", "npm error code E404"):
        failed = StepFailed("deps", DOWNLOAD, 1, (text,), (), Path("/logs/x.log"), text)
        assert "NPM_TOKEN" in str(node_failures.explain(failed, inputs, ("NPM_TOKEN",)).hint)
