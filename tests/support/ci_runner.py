"""Runs the jobs of generated workflows as a CI service does: a fresh clone, steps in order, files that carry variables.

The expressions that our workflows use are evaluated here; another one is an error of the test.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
_EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}")


class StepFailed(AssertionError):
    """A step ended with another exit code than 0."""


@dataclass
class Runner:
    """A machine. `origin`: the repository to clone; `environment`: what the machine has, such as DOCKER_HOST.

    `contexts`: what expressions see: `{"secrets.REGISTRY_TOKEN": …}`. `said`: the output of each step that ran.
    """

    origin: Path
    folder: Path
    environment: Mapping[str, str]
    contexts: Mapping[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The job summaries of GitHub."""
        path = self.folder / "summary"
        return path.read_text() if path.exists() else ""

    def clone(self, ref: str) -> Path:
        """A fresh clone, as deep as the services make it."""
        place = Path(tempfile.mkdtemp(dir=self.folder)) / "clone"
        argv = ["git", "clone", "--quiet", "--depth=1", "--branch", ref, f"file://{self.origin}", str(place)]
        subprocess.run(argv, check=True, capture_output=True)
        return place

    # --- GitHub ------------------------------------------------------------------------------------------------------

    def github(self, workflow: str, job: str, ref: str = "main", **matrix: str) -> None:
        """Run a job of a workflow. StepFailed where a step fails; those that always run did so first."""
        clone = self.clone(ref)
        document = yaml.safe_load((clone / f".github/workflows/{workflow}.yml").read_text())
        found = document["jobs"][job]
        contexts = {**self.contexts, **{f"matrix.{name}": value for name, value in matrix.items()}}
        files = {name: self.folder / name.lower() for name in ("GITHUB_PATH", "GITHUB_ENV")}
        for file in files.values():
            file.write_text("")
        temp = Path(tempfile.mkdtemp(dir=self.folder))
        environment = {**self.environment, **{name: str(file) for name, file in files.items()}}
        environment |= {"GITHUB_STEP_SUMMARY": str(self.folder / "summary"), "RUNNER_TEMP": str(temp)}
        environment |= evaluated({**document.get("env", {}), **found.get("env", {})}, contexts)
        where = clone / document.get("defaults", {}).get("run", {}).get("working-directory", ".")
        failed: StepFailed | None = None
        for step in found["steps"]:
            if "uses" in step:
                assert step["uses"].startswith("actions/checkout@")
            elif failed is None or step.get("if") == "${{ always() }}":
                now = {**environment, **given(files["GITHUB_ENV"]), **evaluated(step.get("env", {}), contexts)}
                now["PATH"] = ":".join([*reversed(files["GITHUB_PATH"].read_text().split()), now["PATH"]])
                try:
                    self._run(step["name"], step["run"], where, now)
                except StepFailed as error:
                    failed = error
        if failed is not None:
            raise failed

    # --- GitLab ------------------------------------------------------------------------------------------------------

    def gitlab(self, job: str, ref: str = "main", **variables: str) -> Path:
        """Run a job of .gitlab/layers.yml; the clone, with its artifacts."""
        clone = self.clone(ref)
        document = yaml.safe_load((clone / ".gitlab/layers.yml").read_text())
        found = document[job]
        common = document[found["extends"]]
        own = {name: str(value) for name, value in {**common["variables"], **found.get("variables", {})}.items()}
        # Where the engine is, the machine says here; the packages of the jobs' image are there already.
        environment = {name: value for name, value in own.items() if not name.startswith("DOCKER_")}
        apk = self.folder / "programs/apk"
        apk.parent.mkdir(exist_ok=True)
        apk.write_text("#!/bin/sh\n")
        apk.chmod(0o755)
        environment |= {**self.environment, **variables, "CI_JOB_ID": str(os.getpid())}
        environment["PATH"] = f"{apk.parent}:{environment['PATH']}"
        try:
            self._run(job, "\n".join([*common["before_script"], *found["script"]]), clone, environment)
        finally:
            self._run("after_script", "\n".join(common["after_script"]), clone, environment)
            shutil.rmtree(f"/tmp/layerdoit-{os.getpid()}", ignore_errors=True)
        return clone

    def _run(self, name: str, script: str, where: Path, environment: Mapping[str, str]) -> None:
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=where,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
        )
        self.said[name] = done.stdout
        if done.returncode != 0:
            raise StepFailed(f"{name}: exit code {done.returncode}\n{done.stdout}")


def given(file: Path) -> Mapping[str, str]:
    """What steps wrote for later ones."""
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


def evaluated(values: Mapping[str, Any], contexts: Mapping[str, str]) -> dict[str, str]:
    """Variables, with their expressions replaced by what they give."""
    return {
        name: _EXPRESSION.sub(lambda found: value_of(found[1], contexts), str(value)) for name, value in values.items()
    }


def value_of(expression: str, contexts: Mapping[str, str]) -> str:
    """`a && 'b' || 'c'`, as GitHub gives it; what a context does not have is empty, and so false."""
    found = ""
    for option in expression.split(" || "):
        for term in option.split(" && "):
            found = term[1:-1].replace("''", "'") if term.startswith("'") else _named(term, contexts)
            if not found:
                break
        if found:
            return found
    return found


def _named(term: str, contexts: Mapping[str, str]) -> str:
    assert re.fullmatch(r"(github|secrets|vars|matrix)(\.\w+)+", term), term
    return contexts.get(term, "")


def wheels(folder: Path) -> Path:
    """What `pip install` needs in a job: layerdoit as it is here, and all that it asks for."""
    source = folder / "source"
    for name in ("layerdoit", "dockerfiles"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    argv = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(folder / "wheels"), str(source)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if "Temporary failure in name resolution" in done.stderr or "NewConnectionError" in done.stderr:
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    return folder / "wheels"
