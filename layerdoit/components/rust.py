"""What the build of each layer consists of: its staged context, arguments, labels and Dockerfile."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from layerdoit.build import leftovers
from layerdoit.build.host_secrets import Secrets
from layerdoit.cargo.invocation import cargo_args, environment
from layerdoit.core import state
from layerdoit.core.errors import ContextDiffers
from layerdoit.dockerfile import binaries
from layerdoit.dockerfile import edit as dockerfiles
from layerdoit.engine import buildx, mounts
from layerdoit.engine.images import PREFIX
from layerdoit.layers.key import Spec
from layerdoit.layers.plan import Plan, Step
from layerdoit.layers.specs import deps as deps_layer
from layerdoit.project import branches
from layerdoit.project.project import Project
from layerdoit.tree.sources import Entry
from layerdoit.tree.staging import stage, tree_text

# A label travels as one argument of a command: the kernel takes 128 KiB.
MAX_LABEL = 100_000


class Recipe(NamedTuple):
    """A build before its secrets: the Dockerfile's text, how it comes about, how many crates are compiled."""

    build: buildx.Build
    text: str
    how: str
    crates: int | None = None


def with_secrets(project: Project, made: Recipe, secrets: Secrets) -> buildx.Build:
    """The build with those secrets that its Dockerfile mounts; the Dockerfile is written."""
    build = made.build
    public = secrets.open(dockerfiles.secrets(made.text))
    for name, content in public.items():
        _write(build.context / "control" / name, content)
    hidden = secrets.without(public)
    ssh = secrets.ssh and dockerfiles.wants_ssh(made.text) and _over_ssh(project, secrets)
    text = dockerfiles.mounts(made.text, hidden.files.keys() | hidden.values.keys(), public, ssh=ssh)
    _write(build.dockerfile, text.encode())
    return replace(build, secrets=hidden.files, values=hidden.values, ssh=ssh)


def downloaded(project: Project, step: Step) -> list[str]:
    takes = step.spec.layer == "deps" and "git" in dockerfiles.secrets(project.dockerfile("deps").read_text("utf-8"))
    return [package.source or "" for package in project.lock.external] if takes else []


def _over_ssh(project: Project, secrets: Secrets) -> bool:
    from layerdoit.build import git_logins

    others = secrets.without(["git"]).values.values()
    places = (*(package.source or "" for package in project.lock.external), *others)
    return any("ssh://" in place for place in places) or git_logins.over_ssh(secrets.values.get("git", ""))


def labels(project: Project, step: Step, parent: str, **more: str) -> dict[str, str]:
    """The labels by which an image is known as ours."""
    spec = step.spec
    inputs = json.dumps(spec.label_inputs, sort_keys=True, separators=(",", ":"))
    if len(inputs.encode()) > MAX_LABEL:
        brief = {name: value[:40] for name, value in spec.label_inputs.items() if name.startswith("package ")}
        inputs = json.dumps(brief, sort_keys=True, separators=(",", ":"))[:MAX_LABEL]
    values = {
        "project": project.name,
        "layer": spec.layer,
        "key": spec.key,
        "inputs": inputs,
        "parent": parent,
        "variant": project.variant,
        "built": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **more,
    }
    return {PREFIX + name: value for name, value in values.items()}


# --- base ------------------------------------------------------------------------------------------------------------


def _base(project: Project, _plan: Plan, step: Step, secrets: Secrets) -> Recipe:
    from layerdoit.engine import broker

    config = project.config
    origin = broker.origin(config.base, project.toolchain, project.targets, step.spec.layer, project.root)
    context = project.state / "context" / "base"
    context.mkdir(parents=True, exist_ok=True)
    args = {
        "METHOD": origin.method,
        "OS_IMAGE": origin.os_image,
        "BUILDER_PACKAGES": " ".join(config.base.packages),
        "RUNTIME_PACKAGES": " ".join(config.base.runtime_packages),
        "RUST_CHANNEL": origin.channel,
        "RUST_TARGETS": " ".join(project.targets),
        "RUST_COMPONENTS": " ".join(project.toolchain.components),
        "APP_USER": config.image.user,
        **({"RUST_IMAGE": origin.rust_image} if origin.rust_image else {}),
        **secrets.args,
    }
    build = buildx.Build(
        step.spec.layer,
        context / "Dockerfile",
        context,
        [step.spec.tag],
        labels(project, step, origin.rust_image or origin.os_image, origin=origin.method),
        args,
        target="builder" if step.spec.layer == "base" else "runtime",
        contexts={"toolchain": str(origin.sysroot)} if origin.sysroot else {},
        builder=config.builder,
    )
    return Recipe(build, project.dockerfile("base").read_text(encoding="utf-8"), origin.words)


# --- deps ------------------------------------------------------------------------------------------------------------


def control_files(project: Project, folder: Path, scripts: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**scripts, "env": environment(project).encode()}.items():
        _write(folder / name, content)


def _write(path: Path, content: bytes) -> None:
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _deps(project: Project, plan: Plan, step: Step, secrets: Secrets) -> Recipe:
    context = project.state / "context" / "deps"
    shutil.rmtree(context, ignore_errors=True)
    if stage(project.kept, context / "src"):
        raise ContextDiffers("a package changed while it was read")
    entries = dict(project.kept.entries)
    for path, content in project.stub.files.items():
        _write(context / "src" / path, content)
        entries[path] = Entry("f", hashlib.sha256(content).hexdigest())
    control_files(project, context / "control", project.scripts("cook.sh", "sync.sh"))
    _write(context / "control" / "tree", tree_text(entries))
    _write(context / "control" / "kept", tree_text(project.kept.entries))
    base = plan.step("base").spec
    parent = step.parent
    compat = deps_layer.compatibility(step.spec.inputs)
    chain = {
        "compat": compat,
        "cook": parent.cook if parent else uuid.uuid4().hex[:12],
        "depth": str(0 if parent is None else parent.depth + 1),
        "locked": project.locked,
    }
    build = buildx.Build(
        "deps",
        context / "Dockerfile",
        context,
        [step.spec.tag],
        labels(project, step, parent.key if parent else base.key, **chain),
        {
            "PARENT": parent.tag if parent else base.tag,
            "WORKDIR": project.workspace.context_path("."),
            "CARGO_ARGS": cargo_args(project, bins=False),
            **secrets.args,
        },
        builder=project.config.builder,
    )
    how = f"cooked from {parent.tag}" if parent else "cooked"
    text = project.dockerfile("deps").read_text(encoding="utf-8")
    return Recipe(build, text, how, None if parent else _crates(project))


def _crates(project: Project) -> int:
    """How many external crates a full cook compiles, as far as Cargo.lock tells."""
    from layerdoit.cargo import compiled_crates, native

    elsewhere = native.table().elsewhere
    return len(compiled_crates.built(project.workspace, project.lock, project.selection, project.options, elsewhere))


# --- app -------------------------------------------------------------------------------------------------------------


def _app(project: Project, plan: Plan, step: Step, _secrets: Secrets) -> Recipe:
    context = project.state / "context" / "app"
    control = context / "control"
    control_files(project, control, project.scripts("build.sh", "sync.sh"))
    moved = stage(project.sources, context / "src", tree=control / "tree")
    moved |= stage(project.assets, context / "assets")
    if moved:
        project.reread()
        raise ContextDiffers("sources changed while they were read")
    _write(control / "smoke", "".join(f"{line}\n" for line in project.config.image.smoke).encode())
    assets = [(path, place, project.assets.host_path(path).is_dir()) for path, place in project.asset_paths.items()]
    ours = project.dockerfile("app").read_text(encoding="utf-8")
    bins = binaries.ordered((name for _, name in project.selection.bins), state.linked(project.state))
    text = dockerfiles.app(ours, project.config.image, assets, bins, project.entrypoint)
    cooked, runtime = plan.step("deps").spec, plan.step("runtime").spec
    mount = _mount(project, cooked)
    build = buildx.Build(
        "app",
        context / "Dockerfile",
        context,
        [step.spec.tag],
        labels(
            project, step, cooked.key, deps=cooked.key, runtime=runtime.key, mount=mount, **branches.labels(project)
        ),
        {
            "DEPS": cooked.tag,
            "RUNTIME": runtime.tag,
            "MOUNT": mounts.placed(mount, project.root),
            "DEPS_KEY": cooked.key[:12],
            "TREE": hashlib.sha256(tree_text(project.sources.entries)).hexdigest(),
            "WORKDIR": project.workspace.context_path("."),
            "CARGO_ARGS": cargo_args(project, bins=True),
            "BINS": " ".join(name for _, name in project.selection.bins),
            # Only the smoke test asks: without one, another entry point runs no cargo.
            "ENTRYPOINT": project.entrypoint if project.config.image.smoke else "",
        },
        builder=project.config.builder,
    )
    return Recipe(build, text, "compiled")


def _mount(project: Project, cooked: Spec) -> str:
    plain = mounts.identity(project.name, project.root, project.variant, _cook(project, cooked))
    return leftovers.new_mount(project, plain) if "app" in project.afresh else leftovers.mount(project, plain)


def _cook(project: Project, cooked: Spec) -> str:
    """The id of the full cook that a deps image comes from."""
    return project.images.labels([cooked.tag]).get(cooked.tag, {}).get(PREFIX + "cook") or cooked.key[:12]


OF: Final[Mapping[str, Callable[[Project, Plan, Step, Secrets], Recipe]]] = {
    "base": _base,
    "runtime": _base,
    "deps": _deps,
    "app": _app,
}
"""By layer. ContextDiffers where sources changed while they were staged."""
