"""Carries out a plan: pulls or builds each layer, one function per layer. What to do was decided before."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from layerdoit import history, planner, state
from layerdoit.engine import buildx
from layerdoit.engine.images import PREFIX
from layerdoit.errors import BuildError, EngineError
from layerdoit.layers import deps as deps_layer
from layerdoit.layers.plan import Outcome, Plan, Step
from layerdoit.project import Project
from layerdoit.secrets import Secrets, gathered
from layerdoit.workspace.sources import Entry
from layerdoit.workspace.staging import stage, tree_text

# A source that is edited while it is sent is read again; after so many times the editing does not seem to end.
TRIES = 6
# The stages of our Dockerfiles that make a layer.
_STAGES = {"base": ("builder",), "runtime": ("runtime",), "deps": ("deps",), "app": ("build",)}
# What a layer's image is made from is had first.
_ORDER = ("base", "runtime", "deps", "app")
# A label travels as one argument of a command: the kernel takes 128 KiB.
MAX_LABEL = 100_000


def ensure(project: Project, layer: str) -> list[Outcome]:
    """Have the images of one layer; `base` stands for builder and runtime. Layers below are there, as a rule.

    They are built too where they are not: after an edit while this run waited, or while sources were sent, they are
    another tree's. Raises BuildError or EngineError; then no tag was made or moved.
    """
    with state.locked(project.state) as waited:
        if waited:
            # The other run may have built a newer tree than the one that was read before the wait.
            project.reread()
        for attempt in range(TRIES):
            planner.forget(project)
            plan = planner.plan_of(project)
            names = _wanted(plan, layer)
            try:
                outcomes = [_ensure(project, plan, plan.step(name)) for name in names]
            except buildx.ContextDiffers:
                if attempt == TRIES - 1:
                    raise
                _resend(project)
                continue
            planner.forget(project)
            state.remember(project.state, project.variant, {name: plan.step(name).spec.key for name in names})
            if layer == "app":
                give_tags(project, plan)
            state.mark_cleared(project.state, done=names)
            for outcome in outcomes:
                history.record(project.state, project.variant, outcome)
            return outcomes
    raise BuildError("the sources keep changing while they are read", hint="run again when the editing has ended")


def _wanted(plan: Plan, layer: str) -> tuple[str, ...]:
    asked = ("base", "runtime") if layer == "base" else (layer,)
    below = _ORDER[: _ORDER.index(asked[0])]
    return (*(name for name in below if plan.step(name).action != "reuse"), *asked)


def _resend(project: Project) -> None:
    shutil.rmtree(project.state / "context", ignore_errors=True)
    (project.state / "index").unlink(missing_ok=True)
    project.reread()


def _ensure(project: Project, plan: Plan, step: Step) -> Outcome:
    if step.action == "reuse":
        return Outcome(step)
    repository = project.config.registry.repository
    begun = time.monotonic()
    if step.action == "pull":
        from layerdoit.engine import registry

        assert repository is not None  # noqa: S101 - only a registry makes a layer pullable
        registry.pull(step.spec, repository, project.name)
        return Outcome(step, time.monotonic() - begun, f"pulled from {repository}")
    if step.spec.layer in ("base", "runtime") and "build" not in project.config.base.on_missing:
        raise EngineError(
            f"the base image {step.spec.tag} is not on this machine, and base.on_missing forbids to build it",
            hint="push it from another machine (registry.push: [base]), or set base.on_missing: [pull, build]",
        )
    secrets = gathered(project=project.workspace.config)
    with state.open_log(project.state, step.spec.layer) as log:
        make = {"base": _base, "runtime": _base, "deps": _deps, "app": _app}[step.spec.layer]
        build, how, expected = make(project, plan, step, secrets)
        if step.spec.layer in state.cleared(project.state):
            # BuildKit's own cache would bring back what the user cleared.
            build = replace(build, afresh=_STAGES[step.spec.layer])
        built = buildx.run(build, log, expected)
    pushed = "base" if step.spec.layer == "runtime" else step.spec.layer
    if repository is not None and pushed in project.config.registry.push:
        from layerdoit.engine import registry

        registry.push(step.spec, repository)
        how = f"{how}, pushed to {repository}"
    report = built.report
    return Outcome(step, time.monotonic() - begun, how, report.counts(), tuple(report.noted("not-fresh")))


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


def _base(project: Project, _plan: Plan, step: Step, secrets: Secrets) -> tuple[buildx.Build, str, None]:
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
        "APP_USER": config.image.user,
        **({"RUST_IMAGE": origin.rust_image} if origin.rust_image else {}),
        **secrets.args,
    }
    build = buildx.Build(
        step.spec.layer,
        project.dockerfile("base"),
        context,
        [step.spec.tag],
        labels(project, step, origin.rust_image or origin.os_image, origin=origin.method),
        args,
        target="builder" if step.spec.layer == "base" else "runtime",
        contexts={"toolchain": str(origin.sysroot)} if origin.sysroot else {},
        secrets=secrets.files,
        values=secrets.values,
        builder=config.builder,
    )
    return build, origin.words, None


# --- deps ------------------------------------------------------------------------------------------------------------


def cargo_args(project: Project, *, bins: bool) -> str:
    """Packages, profile, features and target for cargo, quoted for a shell; equal in both layers but for `bins`."""
    options = project.options
    words = ["--profile", options.profile]
    for package in project.selection.packages:
        words += ["-p", project.workspace.packages[package].name]
    if options.all_features:
        words.append("--all-features")
    if not options.default_features:
        words.append("--no-default-features")
    if options.features:
        words += ["--features", ",".join(options.features)]
    if options.target:
        words += ["--target", options.target]
    for _, name in project.selection.bins if bins else ():
        words += ["--bin", name]
    return shlex.join(words)


def _environment(project: Project) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in project.options.env)


def _control(project: Project, folder: Path, scripts: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**scripts, "env": _environment(project).encode()}.items():
        _write(folder / name, content)


def _write(path: Path, content: bytes) -> None:
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _deps(project: Project, plan: Plan, step: Step, secrets: Secrets) -> tuple[buildx.Build, str, int | None]:
    context = project.state / "context" / "deps"
    shutil.rmtree(context, ignore_errors=True)
    if stage(project.kept, context / "src"):
        raise buildx.ContextDiffers("a package changed while it was read")
    entries = dict(project.kept.entries)
    for path, content in project.stub.files.items():
        _write(context / "src" / path, content)
        entries[path] = Entry("f", hashlib.sha256(content).hexdigest())
    _control(project, context / "control", project.scripts("cook.sh", "sync.sh"))
    _write(context / "control" / "tree", tree_text(entries))
    _write(context / "control" / "kept", tree_text(project.kept.entries))
    base = plan.step("base").spec
    parent = step.parent
    compat = deps_layer.compatibility(step.spec.inputs)
    chain = {
        "compat": compat,
        "seed": parent.seed if parent else step.spec.key,
        "depth": str(0 if parent is None else parent.depth + 1),
        "locked": project.locked,
    }
    build = buildx.Build(
        "deps",
        project.dockerfile("deps"),
        context,
        [step.spec.tag],
        labels(project, step, parent.key if parent else base.key, **chain),
        {
            "PARENT": parent.tag if parent else base.tag,
            "WORKDIR": project.workspace.context_path("."),
            "CARGO_ARGS": cargo_args(project, bins=False),
            **secrets.args,
        },
        secrets=secrets.files,
        values=secrets.values,
        ssh=secrets.ssh,
        builder=project.config.builder,
    )
    how = f"cooked from {parent.tag}" if parent else "cooked"
    return build, how, None if parent else len(project.lock.external)


# --- app -------------------------------------------------------------------------------------------------------------


def mount_id(project: Project) -> str:
    """The id of this checkout's private target mount: project, checkout, profile, target."""
    checkout = hashlib.sha256(str(project.root).encode()).hexdigest()[:8]
    return f"layerdoit/{project.name}/{checkout}/{project.variant}"


def _app(project: Project, plan: Plan, step: Step, secrets: Secrets) -> tuple[buildx.Build, str, None]:
    context = project.state / "context" / "app"
    control = context / "control"
    _control(project, control, project.scripts("build.sh", "sync.sh"))
    moved = stage(project.sources, context / "src", tree=control / "tree")
    moved |= stage(project.assets, context / "assets")
    if moved:
        project.reread()
        raise buildx.ContextDiffers("sources changed while they were read")
    _write(control / "smoke", "".join(f"{line}\n" for line in project.config.image.smoke).encode())
    dockerfile = context / "Dockerfile"
    _write(dockerfile, (project.dockerfile("app").read_text(encoding="utf-8") + image_settings(project)).encode())
    cooked, runtime = plan.step("deps").spec, plan.step("runtime").spec
    seed = _seed(project, cooked.tag)
    build = buildx.Build(
        "app",
        dockerfile,
        context,
        [step.spec.tag],
        labels(project, step, cooked.key, deps=cooked.key, runtime=runtime.key, seed=seed, mount=mount_id(project)),
        {
            "DEPS": cooked.tag,
            "SEED": seed,
            "RUNTIME": runtime.tag,
            "MOUNT": mount_id(project),
            "DEPS_KEY": cooked.key[:12],
            "TREE": hashlib.sha256(tree_text(project.sources.entries)).hexdigest(),
            "WORKDIR": project.workspace.context_path("."),
            "CARGO_ARGS": cargo_args(project, bins=True),
            "BINS": " ".join(name for _, name in project.selection.bins),
            # Only the smoke test asks: without one, another entry point runs no cargo.
            "ENTRYPOINT": project.entrypoint if project.config.image.smoke else "",
        },
        values={name: content for name, content in secrets.values.items() if name == "cargo-config"},
        builder=project.config.builder,
    )
    return build, "compiled", None


def _seed(project: Project, deps_tag: str) -> str:
    """The first image of the deps chain while it is there: the mount that it seeds keeps artefacts over bumps."""
    described = project.images.inspect(deps_tag)
    found = ((described or {}).get("Config") or {}).get("Labels") or {}
    seed_key = found.get(PREFIX + "seed")
    if not seed_key:
        return deps_tag
    seed_tag = f"{deps_tag.rsplit('-', 1)[0]}-{seed_key[:12]}"
    return seed_tag if project.images.inspect(seed_tag) else deps_tag


def image_settings(project: Project) -> str:
    """The end of the app's Dockerfile: what the configuration says of the image."""
    image = project.config.image
    lines = [""]
    lines += [f"WORKDIR {json.dumps(image.workdir)}"]
    for path, place in project.asset_paths.items():
        isdir = (project.assets.host_path(path)).is_dir()
        source = f"assets/{path}/" if isdir else f"assets/{path}"
        lines.append("COPY " + json.dumps([source, place.rstrip("/") + "/" if isdir else place]))
    lines += [f"ENV {name}={_quoted(value)}" for name, value in sorted(image.env.items())]
    lines += [f"LABEL {_quoted(name)}={_quoted(value)}" for name, value in sorted(image.labels.items())]
    lines += [f"EXPOSE {port}" for port in image.expose]
    lines += [f"USER {image.user}"]
    lines += ["ENTRYPOINT " + json.dumps([f"/usr/local/bin/{project.entrypoint}"])]
    lines += ["CMD " + json.dumps(list(image.cmd))]
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\n")
    return f'"{escaped}"'


def give_tags(project: Project, plan: Plan) -> None:
    """Move the friendly tags to the image that the key names."""
    tag = plan.step("app").spec.tag
    project.images.tag(tag, project.repository, project.images.untagged(tag, project.repository, project.tags))
