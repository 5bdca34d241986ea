"""A program that was compiled elsewhere: checked against the runtime image that it will run on, and packed into it."""

from __future__ import annotations

import os
import posixpath
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from layerdoit.components import elf, image_control, missing_libraries, rust, rust_failures, script_protocol
from layerdoit.components.recipe import Recipe
from layerdoit.components.script_protocol import Exit, Missing, TooNew, every
from layerdoit.core.console import warn
from layerdoit.core.errors import BuildError, ContextDiffers, WorkspaceError
from layerdoit.core.files import write_if_changed
from layerdoit.core.resources import dockerfile_dir
from layerdoit.dockerfile import edit as dockerfiles
from layerdoit.dockerfile import folders
from layerdoit.engine import buildx
from layerdoit.engine.progress import Listener
from layerdoit.project import branches
from layerdoit.project.snapshot import PACK
from layerdoit.tree.staging import stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from layerdoit.components.elf import Elf
    from layerdoit.components.recipe import Request
    from layerdoit.project.inputs import Inputs

LISTENER: Final = Listener(aloud=script_protocol.aloud)
"""See `Component.LISTENER`."""

_MUSL: Final = "/lib/ld-musl-"


def recipe(request: Request) -> Recipe:
    """See `Component.recipe`."""
    return _pack(request) if request.step.spec.layer == "app" else rust.recipe(request)


def _pack(request: Request) -> Recipe:
    inputs, step = request.inputs, request.step
    project, image = inputs.project, inputs.question.image
    context = project.state / "context" / (f"app-{project.part}" if project.part else "app")
    control = context / "control"
    control.mkdir(parents=True, exist_ok=True)
    files = {**inputs.scripts(*PACK[1:]), **image_control.files(inputs), "headers": _headers(checked(inputs))}
    for name, content in files.items():
        write_if_changed(control / name, content)
    moved = stage(inputs.sources, context / "program") | stage(inputs.assets, context / "assets")
    moved |= stage(image_control.libraries(inputs), control / "libraries")
    if moved:
        raise ContextDiffers.of(moved)
    owned = inputs.owned_folders
    shutil.rmtree(context / folders.CONTEXT, ignore_errors=True)
    for folder in folders.staged(owned):
        (context / folder).mkdir(parents=True)
        (context / folder).chmod(0o755)
    assets = [(path, place, inputs.assets.host_path(path).is_dir()) for path, place in inputs.asset_paths]
    name = inputs.entrypoint
    text = dockerfiles.app(
        (dockerfile_dir() / PACK[0]).read_text(encoding="utf-8"),
        image,
        assets,
        [name],
        inputs.script or name,
        index=image_control.to_index(inputs),
        owned=owned,
    )
    if not image_control.runs(inputs):
        platform = inputs.question.platform
        warn(f"whether {project.program} starts on its image is not tried: nothing here runs programs of {platform}")
    runtime = request.plan.step("runtime").spec
    build = buildx.Build(
        "app",
        context / "Dockerfile",
        context,
        [step.spec.tag],
        rust.labels(request, runtime.key, runtime=runtime.key, **branches.labels(project)),
        {
            "RUNTIME": runtime.tag,
            "PROGRAM": next(iter(inputs.sources.entries)),
            "ENTRYPOINT": name,
            **dockerfiles.arguments(text),
            **({} if image_control.runs(inputs) else {"LOOKED_AT": "nowhere"}),
        },
        builder=request.engine.builder,
        platform=request.engine.flag("app"),
    )
    return Recipe(build, text, "packed")


# --- before the build ------------------------------------------------------------------------------------------------


def checked(inputs: Inputs) -> Elf:
    """What the program says of itself. WorkspaceError where it cannot run in the image, whatever else is there."""
    path = inputs.project.program or ""
    file = Path(os.path.realpath(inputs.project.root / path))

    def refused(problem: str, hint: str) -> WorkspaceError:
        where = inputs.project.config.where.get("build.binary")
        return WorkspaceError(f'build.binary: "{path}" {problem}', where=where, hint=hint)

    try:
        found = elf.read(file)
    except elf.NotElf as error:
        hint = "name a program that was compiled for Linux"
        if str(error) == "a script":
            started = f"image: {{assets: {{{path}: /start}}, entrypoint: /start}}"
            hint = f"name the program that it starts; to start the script: {started}"
        raise refused(f"is {error}", hint) from None
    if found.kind != "program":
        raise refused(f"is {_words(found)}, which nothing can start", "name a program")
    platform = inputs.question.platform
    if found.machine != platform.split("/")[1]:
        hint = f"compile it for {platform}, or have an image for its own platform: PLATFORM=linux/{found.machine}"
        raise refused(f"is for linux/{found.machine}, and the image is for {platform}", hint)
    if not os.access(file, os.X_OK):
        raise refused("is not executable, so no container could start it", f"chmod +x {path}")
    return found


def _words(found: Elf) -> str:
    return "an object file" if found.kind == "object" else "a shared library"


def _headers(found: Elf) -> bytes:
    """What runtime.sh reads of a program, in the words of readelf."""
    lines = [f"      [Requesting program interpreter: {found.interpreter}]"] if found.interpreter else []
    for name, value in (("RPATH", found.rpath), ("RUNPATH", found.runpath)):
        lines += [f" 0x0 ({name}) Library {name.lower()}: [{value}]"] if value else []
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


# --- when it failed --------------------------------------------------------------------------------------------------


def explain(failed: buildx.StepFailed, inputs: Inputs) -> BuildError:
    """See `Component.explain`."""
    config = inputs.project.config
    if failed.code != Exit.RUNTIME_MISMATCH:
        return rust_failures.explain(failed, config, lambda: None)
    missing = [_named(note, inputs) for note in every(Missing, failed.notes)]
    what, hint = missing_libraries.of_packed(missing, every(TooNew, failed.notes), config)
    where = config.where.get("build.binary")
    return rust_failures.NotBuilt(what, failed, where=where, hint=hint)


def _named(note: Missing, inputs: Inputs) -> Missing:
    """A missing library with the package that has it, as far as its name tells, or where it lies beside the program."""
    if note.found is not None:
        return note
    if note.library.startswith("/"):
        return note._replace(package="musl") if note.library.startswith(_MUSL) else note
    from layerdoit.cargo import library_packages

    beside = next(_beside(note.library, inputs), None)
    if beside is not None:
        return note._replace(package=None, found="source", path=beside)
    return note._replace(package=library_packages.package(note.library, inputs.project.config))


def _beside(library: str, inputs: Inputs) -> Iterator[str]:
    folder = posixpath.dirname(inputs.project.program or "")
    for place in (folder, posixpath.join(folder, "lib"), posixpath.join(folder, "../lib")):
        path = posixpath.normpath(posixpath.join(place, library))
        if not path.startswith("..") and (inputs.project.root / path).is_file():
            yield path
