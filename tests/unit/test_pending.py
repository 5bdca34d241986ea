"""What the next run pushes: one list, whoever shows it."""

from __future__ import annotations

from pathlib import Path

from layerdoit.layers.key import Spec
from layerdoit.layers.plan import Plan, up_to_date
from layerdoit.project import pending
from layerdoit.project.project import Project
from tests.support.files import write

REPOSITORY = "registry.example.com/team"
SERVICES = "services: {api: {bins: [api]}, worker: {bins: [worker]}}\n"


def opened(root: Path, push: str, more: str = "") -> Project:
    write(root, {"layerdoit.yaml": f"project: a\nregistry: {{repository: {REPOSITORY}, push: [{push}]}}\n{more}"})
    return Project.open(root, {})


def plan(project: Project) -> Plan:
    base, runtime = Spec.of_key("base", "b" * 64, "a"), Spec.of_key("runtime", "c" * 64, "a")
    deps, app = Spec.of_key("deps", "d" * 64, "a"), Spec.of_key("app", "e" * 64, project.repository)
    return up_to_date([base, runtime, deps, app])


def names(project: Project) -> list[str]:
    parts = [(one, plan(one)) for one in (project.services.values() if project.services else [project])]
    return [one.name for one in pending.every(parts, compiled=pending.is_compiled(project))]


def test_layers_and_what_was_compiled_are_pending_until_they_are_pushed(tmp_path: Path) -> None:
    project = opened(tmp_path, "base, deps, artefacts")
    assert names(project) == ["base", "runtime", "deps"]
    pending.note_compiled(project, REPOSITORY)
    assert names(project) == ["base", "runtime", "deps", "artefacts"]
    assert names(opened(tmp_path, "base, deps")) == ["base", "runtime", "deps"], "nobody wants it"
    for step in plan(project).steps:
        project.state.mark_shared(step.spec.tag, REPOSITORY)
    assert names(project) == ["artefacts"]
    pending.note_compiled(project, None)
    assert names(project) == []


def test_what_services_share_is_named_once_and_apps_by_their_service(tmp_path: Path) -> None:
    project = opened(tmp_path, "base, deps, app, artefacts", SERVICES)
    # Each service notes it: it is one compilation.
    for one in project.services.values():
        pending.note_compiled(one, REPOSITORY)
    assert names(project) == ["base", "runtime", "deps", "api", "worker", "artefacts"]
