"""What an image was made from, as a statement of SLSA 1.0 in the frame of in-toto."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from layerdoit.core.version import __version__

if TYPE_CHECKING:
    from layerdoit.layers.plan import Plan
    from layerdoit.project.project import Project
    from layerdoit.publish.bom import Subject

MEDIA_TYPE: Final = "application/vnd.in-toto+json"
PREDICATE: Final = "https://slsa.dev/provenance/v1"
_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_BUILD: Final = "urn:layerdoit:image:v1"
_BUILDER: Final = "urn:layerdoit:builder"


def statement(subject: Subject, predicate: Mapping[str, Any]) -> Mapping[str, Any]:
    """The frame, which says what it is about."""
    algorithm, _, value = subject.digest.partition(":")
    about = [{"name": subject.repository, "digest": {algorithm: value}}]
    return {"_type": _STATEMENT, "subject": about, "predicateType": PREDICATE, "predicate": predicate}


def predicate(
    project: Project,
    plan: Plan,
    subject: Subject,
    commit: str,
    builder: str,
    environment: Mapping[str, str],
    *,
    dirty: bool,
) -> Mapping[str, Any]:
    """What went in: settings, keys of the layers with what the lowest were made of, the commit, the lockfile."""
    config = project.config
    asked = {
        "version": subject.version,
        "platform": subject.platform,
        "profile": config.profile,
        "features": list(config.features),
        "packages": list(config.packages),
        "binaries": [name for _, name in project.bins],
        "service": project.service,
        "differsFromCommit": dirty,
    }
    lowest = {step.spec.layer: dict(step.spec.inputs) for step in plan.steps if step.spec.layer in ("base", "runtime")}
    keys = {step.spec.layer: step.spec.key for step in plan.steps}
    definition = {
        "buildType": _BUILD,
        "externalParameters": {name: value for name, value in asked.items() if value not in ("", [])},
        "internalParameters": {"keys": keys, "inputs": lowest},
        "resolvedDependencies": _materials(project, commit),
    }
    run: dict[str, Any] = {
        "builder": {"id": f"{_BUILDER}:{builder}", "version": {"layerdoit": __version__}},
        "metadata": {},
    }
    if call := _call(environment):
        run["metadata"]["invocationId"] = call
    if subject.made:
        run["metadata"]["finishedOn"] = subject.made
    return {"buildDefinition": definition, "runDetails": run}


def _materials(project: Project, commit: str) -> list[dict[str, Any]]:
    found = []
    if commit:
        remote = next((mark for mark in project.owner.marks if mark.startswith("remote:")), "")
        where = remote.removeprefix("remote:").partition("//")[0]
        found.append({"uri": f"git+{where or project.name}@{commit}", "digest": {"gitCommit": commit}})
    for name in ("Cargo.lock", "layerdoit.yaml"):
        file = project.root / name
        if file.is_file():
            found.append({"uri": name, "digest": {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}})
    return found


def _call(environment: Mapping[str, str]) -> str:
    """The job of a CI service, by its address."""
    if url := environment.get("CI_JOB_URL"):
        return url
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, run = (environment.get(name, "") for name in names)
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""
