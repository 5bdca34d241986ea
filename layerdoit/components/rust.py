"""Rust: base, deps and app layers, each as a build with its staged context, arguments, labels and Dockerfile."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from typing import TYPE_CHECKING, Final

from layerdoit.cargo import follow
from layerdoit.cargo.cargo_config import redact
from layerdoit.cargo.selection import bin_arguments, package_ids
from layerdoit.components import cargo_words, crates_given, image_control, layer_labels, script_protocol, tried_on
from layerdoit.components.recipe import Recipe, Request
from layerdoit.core.console import warn
from layerdoit.core.errors import BuildError, ContextDiffers
from layerdoit.core.files import write_if_changed
from layerdoit.core.platform import platform_of
from layerdoit.core.prose import listed
from layerdoit.dockerfile import binaries, folders
from layerdoit.dockerfile import edit as dockerfiles
from layerdoit.engine import buildx, mounts
from layerdoit.engine.images import PREFIX, UNPACKED
from layerdoit.engine.progress import Listener
from layerdoit.layers.specs import deps as deps_layer
from layerdoit.project import branches, compiled_for
from layerdoit.project.snapshot import APP_SCRIPTS
from layerdoit.tree import lfs
from layerdoit.tree.index import Entry
from layerdoit.tree.staging import stage, tree_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from layerdoit.engine.handle import Engine
    from layerdoit.layers.key import Spec
    from layerdoit.project.inputs import Inputs

# File names in a line.
_SHOWN: Final = 5

LISTENER: Final = Listener(follow.Follower, script_protocol.aloud, keeper=cargo_words.Keeper)
"""See `Component.LISTENER`."""


def recipe(request: Request) -> Recipe:
    """See `Component.recipe`."""
    return _RECIPES[request.step.spec.layer](request)


def explain(failed: buildx.StepFailed, inputs: Inputs) -> BuildError:
    """See `Component.explain`."""
    from layerdoit.components import compiler_paths, hidden_files, rust_failures

    error = rust_failures.explain(
        failed,
        inputs.project.config,
        lambda: rust_failures.stale_lock(inputs),
        lambda words: hidden_files.advice(words, inputs),
        rust_failures.asks_git(inputs),
    )
    if isinstance(error, rust_failures.NotBuilt):
        error.place(lambda text: compiler_paths.opened_from_here(text, inputs, failed.layer))
    return error


def labels(request: Request, parent: str, **more: str) -> dict[str, str]:
    """The labels by which an image is known as ours."""
    spec, inputs = request.step.spec, request.inputs
    part = {"service": inputs.project.part} if spec.layer == "app" and inputs.project.part else {}
    return layer_labels.labels(inputs.project, spec, parent, inputs.variant_of(spec.layer), **part, **more)


# --- base ------------------------------------------------------------------------------------------------------------


def _base(request: Request) -> Recipe:
    from layerdoit.engine import broker

    project, tree, step = request.inputs.project, request.inputs.tree, request.step
    config = project.config
    toolchain = tree.toolchain if step.spec.layer == "base" else None
    targets = tree.targets if toolchain else ()
    components = toolchain.components if toolchain else ()
    packages = compiled_for.packages(config, project.way)
    origin = broker.origin(config.base, toolchain, targets, step.spec.layer, project.root, request.engine)
    context = project.state / "context" / "base"
    context.mkdir(parents=True, exist_ok=True)
    args = {
        # Only a builder starts with Rust.
        "METHOD": "bootstrap" if origin.method == UNPACKED else origin.method,
        "OS_IMAGE": origin.os_image,
        "BUILDER_PACKAGES": " ".join(packages.native),
        "FOREIGN": packages.architecture,
        "FOREIGN_PACKAGES": " ".join(packages.foreign),
        "RUNTIME_PACKAGES": " ".join(config.base.runtime_packages),
        "RUST_CHANNEL": origin.channel,
        "RUST_TARGETS": " ".join(targets),
        "RUST_COMPONENTS": " ".join(components),
        "APP_USER": config.image.user,
        **({"RUST_IMAGE": origin.rust_image} if origin.rust_image else {}),
        **request.host_args,
    }
    contexts = {"toolchain": str(origin.sysroot)} if origin.sysroot else {}
    if step.spec.layer == "base" and (linked := compiled_for.linked(config, project.way)):
        from layerdoit.cargo import zig

        there, foreign = zig.installed(config.where.get("cross")), platform_of(request.engine.platform)
        args |= {"LINKER": "zig", "ZIG_TARGET": linked, "ZIG_FOLDER": foreign.folder if foreign else ""}
        contexts |= {"zig": str(there.folder), "zigbuild": str(there.program.parent)}
    target = "builder" if step.spec.layer == "base" else "runtime"
    if origin.method == UNPACKED:
        target = "runtime-unpacked"
        args |= foreign_arguments(request.engine)
    build = buildx.Build(
        step.spec.layer,
        context / "Dockerfile",
        context,
        [step.spec.tag],
        labels(request, origin.rust_image or origin.os_image, origin=origin.method),
        args,
        target=target,
        contexts=contexts,
        builder=request.engine.builder,
        platform=request.engine.flag(step.spec.layer),
    )
    return Recipe(build, tree.dockerfile("base").read_text(encoding="utf-8"), origin.words)


def foreign_arguments(engine: Engine) -> dict[str, str]:
    """What says that a part of a build runs on the builder's own platform, and the image is for another."""
    found = platform_of(engine.platform)
    return {"COMPILER_PLATFORM": engine.native, "ARCHITECTURE": found.debian if found else ""}


# --- deps ------------------------------------------------------------------------------------------------------------


def control_files(inputs: Inputs, folder: Path, scripts: Mapping[str, bytes]) -> None:
    """Write what the scripts of a build read besides the sources."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**scripts, **variables(inputs)}.items():
        write_if_changed(folder / name, content)


def variables(inputs: Inputs) -> dict[str, bytes]:
    """Files of /control: the environment of cargo, and which variables only the app layer is keyed by."""
    options = inputs.project.options
    environment, own = options.environment(inputs.project.workspace.config), options.own_listing(inputs.tree.lock)
    return {"env": environment.encode(), "own": own.encode()}


def _deps(request: Request) -> Recipe:
    inputs, step = request.inputs, request.step
    project = inputs.project
    context = project.state / "context" / "deps"
    shutil.rmtree(context, ignore_errors=True)
    if moved := stage(inputs.kept, context / "src"):
        raise ContextDiffers.of(moved)
    entries = dict(inputs.kept.entries)
    for name, content in inputs.stub.files.items():
        path = inputs.kept.context_path(name)
        write_if_changed(context / "src" / path, content)
        entries[path] = Entry("f", hashlib.sha256(content).hexdigest())
    control_files(inputs, context / "control", inputs.scripts(*inputs.deps_scripts))
    write_if_changed(context / "control" / "tree", tree_text(entries))
    write_if_changed(context / "control" / "kept", tree_text(inputs.kept.entries))
    if (wrapper := _stub_wrapper(inputs)) is not None:
        write_if_changed(context / "control" / "stubs", wrapper.encode())
    base = request.plan.step("base").spec
    parent = step.parent
    crates = crates_given.of(request)
    chain = {
        "compat": deps_layer.compatibility(step.spec.inputs),
        "cook": parent.cook if parent else uuid.uuid4().hex[:12],
        "depth": str(0 if parent is None else parent.depth + 1),
        "locked": inputs.tree.locked,
        "kin": inputs.kin,
        "lends": inputs.lends,
        **crates.labels,
    }
    build = buildx.Build(
        "deps",
        context / "Dockerfile",
        context,
        [step.spec.tag],
        labels(request, parent.key if parent else base.key, **chain),
        {
            "PARENT": parent.tag if parent else base.tag,
            "WORKDIR": inputs.tree.all_sources.context_path("."),
            "CARGO_ARGS": cargo_args(inputs, stubs=True),
            **request.host_args,
        },
        builder=request.engine.builder,
        platform=request.engine.flag("deps"),
    )
    how = f"cooked from {parent.tag}" if parent else "cooked"
    text = inputs.tree.dockerfile("deps").read_text(encoding="utf-8")
    write_if_changed(context / "control" / "locked", _locked(inputs).encode())
    crates_given.stage(request, crates.new, context / "crates")
    if step.donors:
        lenders = [(one.tag, one.lends_to(inputs.lends)) for one in step.donors]
        text = dockerfiles.donors(text, lenders, parent.tag if parent else None)
    return Recipe(build, text, how, None if parent or step.donors else crates.compiled)


def _stub_wrapper(inputs: Inputs) -> str | None:
    """The variable by which cargo is told what to start in the place of rustc for stubs; None where nothing may be."""
    workspace, build = inputs.project.workspace, inputs.project.workspace.config.get("build")
    if not any(workspace.packages[key].member for key in inputs.closure.real):
        return "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER"
    if isinstance(build, dict) and "rustc-wrapper" in build:
        return None
    return "CARGO_BUILD_RUSTC_WRAPPER"


def _locked(inputs: Inputs) -> str:
    """The locked packages, as units.sh and lend.sh read them."""
    locked = inputs.tree.lock.external if inputs.question.kind == "check" else inputs.closure.external
    exact = ((one, redact(one.exact_source or "")) for one in locked)
    return "".join(f"{source}\t{one.name}@{one.version}\n" for one, source in exact if source)


def cargo_args(inputs: Inputs, *, stubs: bool) -> str:
    """Arguments of cargo, equal for the workspace and its stubs but for the binaries, of which stubs have none."""
    project, selection = inputs.project, inputs.selection
    real = set(inputs.stub.copies) if stubs else None
    packages = package_ids(project.workspace, inputs.tree.lock, selection, stubbed=real)
    return project.options.arguments(packages, () if stubs else bin_arguments(project.workspace, selection))


# --- app -------------------------------------------------------------------------------------------------------------


def _app(request: Request) -> Recipe:
    inputs, step, engine = request.inputs, request.step, request.engine
    project, image = inputs.project, inputs.question.image
    context = project.state / "context" / (f"app-{project.part}" if project.part else "app")
    control = context / "control"
    control_files(inputs, control, {**inputs.scripts(*APP_SCRIPTS), **image_control.files(inputs)})
    sources, (asset_paths, staged) = inputs.compiled, inputs.placed
    moved = stage(sources, context / "src", tree=control / "tree")
    moved |= stage(staged, context / "assets")
    moved |= stage(image_control.libraries(inputs), control / "libraries")
    if moved:
        raise ContextDiffers.of(moved)
    if image.smoke and not image_control.runs(inputs):
        warn(f"the smoke test is not run: nothing here runs programs of {inputs.question.platform}")
    _tell_pointers(inputs)
    _tell_lacking_git(inputs)
    assets = [(path, place, staged.host_path(path).is_dir()) for path, place in asset_paths]
    ours = inputs.tree.dockerfile("app").read_text(encoding="utf-8")
    sorted_names = binaries.ordered((name for _, name in inputs.bins), request.linked)
    # A Dockerfile of the project's own does this itself.
    index = project.config.dockerfiles.app is None and image_control.to_index(inputs)
    shutil.rmtree(context / folders.CONTEXT, ignore_errors=True)
    for folder in folders.staged(inputs.owned_folders):
        (context / folder).mkdir(parents=True)
        (context / folder).chmod(0o755)
    owned = inputs.owned_folders
    starts = inputs.script or inputs.entrypoint
    text = dockerfiles.app(ours, image, assets, sorted_names, starts, index=index, owned=owned)
    cooked, runtime = request.plan.step("deps").spec, request.plan.step("runtime").spec
    mount = request.mount(target_mount(inputs, request.engine, cooked))
    tried = tried_on.ordinary(request)
    origin = {"deps": cooked.key, "runtime": runtime.key, "mount": mount, **branches.labels(project)}
    build = buildx.Build(
        "app",
        context / "Dockerfile",
        context,
        [step.spec.tag],
        labels(request, cooked.key, **origin),
        {
            "DEPS": cooked.tag,
            "RUNTIME": runtime.tag,
            **({"TRIED": tried.tag} if tried else {}),
            "MOUNT": mounts.placed(mount, project.root, project.owner.drawn),
            **app_arguments(inputs, cooked.key, tree_text(sources.entries)),
            "CHECKED": " ".join(_checked(inputs, runtime)),
            # Only the smoke test asks: without one, another entry point runs no cargo.
            "ENTRYPOINT": inputs.entrypoint if image.smoke else "",
            **({"COMPILER_PLATFORM": engine.build_platform} if engine.build_platform != engine.platform else {}),
            **dockerfiles.arguments(text),
        },
        builder=engine.builder,
        platform=engine.flag("app"),
    )
    return Recipe(build, text, "compiled")


def app_arguments(inputs: Inputs, deps: str, listing: bytes) -> dict[str, str]:
    """The build arguments that say what cargo compiles, and how.

    `deps`: the key of that layer; `listing`: that of the sources, as `tree_text`.
    """
    return {
        "DEPS_KEY": deps[:12],
        "TREE": hashlib.sha256(listing).hexdigest(),
        "WORKDIR": inputs.tree.all_sources.context_path("."),
        "CARGO_ARGS": cargo_args(inputs, stubs=False),
        "BINS": " ".join(name for _, name in inputs.selection.bins),
    }


def _checked(inputs: Inputs, runtime: Spec) -> list[str]:
    """The binaries that are checked against the runtime image: those of all services that are checked in the same way.

    So their builds compile in the same step, which BuildKit runs once.
    """
    names = {name for _, name in inputs.bins}
    whole = inputs.project.whole
    if whole is None or inputs.question.kind != "build":
        return sorted(names)
    own = image_control.files(inputs)
    for other in inputs.siblings():
        same = other.question.image.smoke == () == inputs.question.image.smoke
        if same and image_control.files(other) == own and other.runtime.key == runtime.key:
            names |= {name for _, name in other.bins}
    return sorted(names)


def _tell_lacking_git(inputs: Inputs) -> None:
    """A build succeeds with "unknown" in the place of a commit."""
    from layerdoit.cargo import git_asked

    config = inputs.project.config
    if config.build.git == "none":
        return
    places = (one for one in git_asked.asked(inputs.project.workspace) if one.package in inputs.closure.local)
    if lacking := git_asked.lacking(places, config):
        warn(
            f"{lacking[0].where} calls git, which the builder lacks, so that it learns nothing; "
            "add to layerdoit.yaml: base: {packages: [git]}"
        )


def _tell_pointers(inputs: Inputs) -> None:
    """A build succeeds with the pointers of git LFS in the place of files."""
    every = inputs.tree.all_sources
    names = (every.own_path(path) for path, entry in every.entries.items() if entry.kind != "l")
    if found := list(lfs.pointers(inputs.project.root, names)):
        warn(f"only the pointers of git LFS are here: {listed(found, _SHOWN)}; next: {lfs.ADVICE}")


def target_mount(inputs: Inputs, engine: Engine, cooked: Spec) -> str:
    """The plain id of the mount that the workspace is compiled in, on that deps image."""
    return mounts.identity(inputs.project.name, inputs.project.root, inputs.variant, cook_of(engine, cooked))


def cook_of(engine: Engine, cooked: Spec) -> str:
    """The id of the full cook that a deps image comes from."""
    found = engine.images.labels([cooked.tag]).get(cooked.tag, {})
    return found.get(PREFIX + "cook") or cooked.key[:12]


_RECIPES: Final[Mapping[str, Callable[[Request], Recipe]]] = {
    "base": _base,
    "runtime": _base,
    "deps": _deps,
    "app": _app,
}
