"""From a project's facts and the engine's images to the plan: the only place where the two meet."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import layerdoit
from layerdoit import known, state
from layerdoit.engine import images
from layerdoit.layers import plan

if TYPE_CHECKING:
    from pathlib import Path

    from layerdoit.layers.key import Spec
    from layerdoit.project import Project
    from layerdoit.workspace.sources import Sources

_SCRIPTS = ("build.sh", "cook.sh", "sync.sh")
_LAYERS = ("base", "deps", "app")


def make(project: Project) -> plan.Plan:
    """What would be done to each layer of a project, and why. Raises EngineError when no engine answers."""
    if project.known is not None:
        specs = project.known.layers()
        labels = project.images.labels([spec.tag for spec in specs])
        if len(labels) == len(specs) and not images.lacking(project.known.locked, _of_deps(specs, labels)):
            return plan.make(specs, plan.Present(frozenset(labels)), 0)
    max_chain = project.config.deps.max_chain if project.config.deps.delta else 0
    made = plan.make(project.specs, _present(project), max_chain)
    if not made.changes:
        _remember(project)
    return made


def _of_deps(specs: tuple[Spec, ...], labels: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    return next((labels[spec.tag] for spec in specs if spec.layer == "deps" and spec.tag in labels), {})


def _present(project: Project) -> plan.Present:
    """What is there of what is wanted. The registry is asked only for what the engine lacks."""
    labels = project.images.labels([spec.tag for spec in project.specs])
    cooked = _of_deps(project.specs, labels)
    lacking = images.lacking(project.locked, cooked) if cooked else ()
    if len(labels) == len(project.specs) and not lacking:
        return plan.Present(frozenset(labels))
    ours = project.images.of_project(project.name)
    return plan.Present(
        frozenset(labels),
        _remote(project, [spec for spec in project.specs if spec.tag not in labels]),
        images.previous(ours, project.variant),
        state.remembered(project.state, project.variant),
        images.cooked(ours),
        lacking,
    )


def _remote(project: Project, missing: list[Spec]) -> frozenset[str]:
    repository = project.config.registry.repository
    if repository is None:
        return frozenset()
    from layerdoit.engine import registry

    of_base = ("base", "runtime")
    may_pull = "pull" in project.config.base.on_missing
    return registry.available([spec for spec in missing if may_pull or spec.layer not in of_base], repository)


# --- what the last run found out --------------------------------------------------------------------------------------


def known_of(project: Project) -> known.Known | None:
    """The last run's knowledge, if tree, configuration and toolchain are still the same. Scans the tree."""
    found = known.read(_file(project))
    if found is None or _signature(project, project.scan(found.ups, found.outside)) != found.signature:
        return None
    return found


def _remember(project: Project) -> None:
    specs = tuple((spec.layer, spec.key, spec.repository) for spec in project.specs)
    workspace = project.workspace
    signature = _signature(project, project.all_sources)
    known.write(_file(project), known.Known(signature, workspace.ups, workspace.outside, specs, project.locked))


def _file(project: Project) -> Path:
    return known.file(project.state, repr(project.config))


def _signature(project: Project, sources: Sources) -> str:
    """Everything that the specs follow from."""
    files = [project.dockerfile(layer).read_bytes() for layer in _LAYERS]
    texts = [hashlib.sha256(content).hexdigest() for content in (*files, *project.scripts(*_SCRIPTS).values())]
    own = (layerdoit.__version__, project.root.name, repr(project.config), project.toolchain.identity)
    return known.signature([*own, sources.digest(), *texts])
