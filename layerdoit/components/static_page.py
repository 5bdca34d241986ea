"""A page: the files that a component made, served by nginx, as a build. It has no base and no deps of its own."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.components import rust
from layerdoit.components.recipe import Recipe, Request
from layerdoit.core.errors import BuildError, ContextDiffers
from layerdoit.core.files import write_if_changed
from layerdoit.core.prose import listed
from layerdoit.core.resources import dockerfile_dir
from layerdoit.dockerfile import edit as dockerfiles
from layerdoit.engine import buildx
from layerdoit.engine.progress import Listener
from layerdoit.project import branches, page_inputs
from layerdoit.project.snapshot import PAGE
from layerdoit.tree.index import Entry
from layerdoit.tree.sources import Sources
from layerdoit.tree.staging import stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from layerdoit.config import Image
    from layerdoit.project.inputs import Inputs
    from layerdoit.project.project import Project

_SHOWN: Final = 5
_STARTS: Final = "/usr/local/bin/serve-page"
_CONF: Final = "/etc/nginx/page.conf"


class Page(NamedTuple):
    """What an image is made from. `conf`: that of nginx; `assets`: as in `edit.app`, staged by the caller."""

    files: Sources
    conf: str
    image: Image
    compress: bool
    assets: Iterable[tuple[str, str, bool]] = ()


def files_of(folder: Path) -> Sources:
    """The files of a folder, whoever made them."""
    entries = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if path.is_symlink():
                entry = Entry("l", hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest())
            else:
                kind = "x" if os.access(path, os.X_OK) else "f"
                entry = Entry(kind, hashlib.sha256(path.read_bytes()).hexdigest())
            entries[os.path.relpath(path, folder)] = entry
    return Sources(folder, "", entries)


def build(
    page: Page, context: Path, runtime: str, tag: str, labels: Mapping[str, str], builder: str | None = None
) -> tuple[buildx.Build, str]:
    """The build, with its context staged; and its Dockerfile's text, which the caller writes. `runtime`: an image."""
    if moved := stage(page.files, context / "page"):
        raise ContextDiffers.of(moved)
    control = context / "control"
    control.mkdir(parents=True, exist_ok=True)
    for name in PAGE[1:]:
        write_if_changed(control / name, (dockerfile_dir() / name).read_bytes())
    write_if_changed(control / "nginx.conf", page.conf.encode())
    image = replace(page.image, cmd=("-c", _CONF), stop_signal=page.image.stop_signal or "SIGQUIT")
    ours = (dockerfile_dir() / PAGE[0]).read_text(encoding="utf-8")
    text = dockerfiles.app(ours, image, page.assets, (), _STARTS)
    args = {"RUNTIME": runtime, "COMPRESS": "yes" if page.compress else "", **dockerfiles.arguments(text)}
    return buildx.Build("app", context / "Dockerfile", context, [tag], labels, args, builder=builder), text


def recipe(request: Request) -> Recipe:
    """See `Component.recipe`."""
    if request.step.spec.layer == "runtime":
        return rust.recipe(request)
    inputs, step = request.inputs, request.step
    project, image = inputs.project, inputs.question.image
    context = project.state / "context" / f"app-{project.service}"
    if moved := stage(inputs.assets, context / "assets"):
        raise ContextDiffers.of(moved)
    assets = [(path, place, inputs.assets.host_path(path).is_dir()) for path, place in inputs.asset_paths]
    runtime = request.plan.step("runtime").spec
    labels = rust.labels(request, runtime.key, runtime=runtime.key, **branches.labels(project))
    static, files = page_inputs.static(project), files_of(inputs.served.output)
    if static.fallback is not None and static.fallback not in files.entries:
        raise _without_fallback(project, static.fallback, inputs.served.setting, files)
    page = Page(files, page_inputs.conf(project), image, static.compress, assets)
    engine = request.engine
    engine.require_runs(f"the page of {project.service} is compressed with programs of its image")
    made, text = build(page, context, runtime.tag, step.spec.tag, labels, engine.builder)
    return Recipe(replace(made, platform=engine.flag("app")), text, "assembled")


def _without_fallback(project: Project, name: str, component: str, files: Sources) -> BuildError:
    setting = f"services.{project.service}.static.fallback"
    where = project.config.where
    return BuildError(
        f"{setting}: the output of {component} has no {name}, only {listed(sorted(files.entries), _SHOWN)}",
        where=where.get(setting, where.get(f"services.{project.service}")),
        hint=f"correct {component}.output, or name another file; fallback: null: the page has no routes",
    )


LISTENER: Final = Listener()
"""See `Component.LISTENER`."""


def explain(failed: buildx.StepFailed, inputs: Inputs) -> BuildError:
    """See `Component.explain`."""
    return rust.explain(failed, inputs) if failed.layer == "runtime" else failed
