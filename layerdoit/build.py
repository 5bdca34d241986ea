"""Carries out a plan: pulls or builds each layer, one function per layer. What to do was decided before."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from layerdoit import planner, renewal, state
from layerdoit.cache import branches
from layerdoit.engine import buildx, mounts
from layerdoit.engine.images import PREFIX
from layerdoit.errors import BuildError, EngineError, LayerdoitError
from layerdoit.history import recording
from layerdoit.invocation import cargo_args, environment
from layerdoit.layers import deps as deps_layer
from layerdoit.layers import dockerfile as dockerfiles
from layerdoit.layers.key import IMAGES, ORDER, Spec
from layerdoit.layers.plan import Outcome, Plan, Step
from layerdoit.project import Project
from layerdoit.secrets import Secrets, gathered
from layerdoit.workspace.sources import Entry
from layerdoit.workspace.staging import stage, tree_text

# A source that is edited while it is sent is read again; after so many times the editing does not seem to end.
TRIES = 6
# The stages of our Dockerfiles that make a layer.
_STAGES = {"base": ("builder",), "runtime": ("runtime",), "deps": ("deps",), "app": ("build",)}
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
                outcomes = _carried_out(project, plan, names)
                moved = give_tags(project, plan) if layer == "app" else False
            except (buildx.ContextDiffers, buildx.Cleared) as error:
                if attempt == TRIES - 1:
                    raise
                if isinstance(error, buildx.ContextDiffers):
                    _resend(project)
                continue
            planner.forget(project)
            state.remember(project.state, project.variant, {name: plan.step(name).spec.key for name in names})
            state.mark_cleared(project.state, done=names)
            built = any(outcome.step.action != "reuse" for outcome in outcomes)
            if moved or built:
                recording.layers(project, plan, outcomes)
            if built and layer == "app" and project.config.retention.after_build:
                from layerdoit.cache import gc

                gc.after_build(project)
            return outcomes
    raise BuildError("the sources keep changing while they are read", hint="run again when the editing has ended")


def _carried_out(project: Project, plan: Plan, names: Sequence[str]) -> list[Outcome]:
    done: list[Outcome] = []
    for name in names:
        begun = time.monotonic()
        try:
            done.append(_ensure(project, plan, plan.step(name)))
        except (buildx.ContextDiffers, buildx.Cleared):
            raise
        except (LayerdoitError, KeyboardInterrupt, SystemExit) as error:
            recording.failure(project, done, plan.step(name), error, time.monotonic() - begun)
            raise
    return done


def _wanted(plan: Plan, layer: str) -> tuple[str, ...]:
    asked = IMAGES[layer]
    below = ORDER[: ORDER.index(asked[0])]
    return (*(name for name in below if plan.step(name).action != "reuse"), *asked)


def _resend(project: Project) -> None:
    shutil.rmtree(project.state / "context", ignore_errors=True)
    (project.state / "index").unlink(missing_ok=True)
    project.reread()


def _ensure(project: Project, plan: Plan, step: Step) -> Outcome:
    if step.action == "reuse":
        return Outcome(step)
    recording.begin(project)
    repository = project.config.registry.repository
    begun = time.monotonic()
    if step.action == "pull":
        from layerdoit.engine import registry

        assert repository is not None  # noqa: S101 - only a registry makes a layer pullable
        registry.pull(step.spec, repository, project.name)
        return Outcome(
            step, time.monotonic() - begun, f"pulled from {repository}", cold=True, size=_size(project, step)
        )
    if step.spec.layer in IMAGES["base"] and "build" not in project.config.base.on_missing:
        raise EngineError(
            f"the base image {step.spec.tag} is not on this machine, and base.on_missing forbids to build it",
            hint="push it from another machine (registry.push: [base]), or set base.on_missing: [pull, build]",
        )
    secrets = gathered(project=project.workspace.config, repositories=_downloaded(project, step))
    with state.open_log(project.state, step.spec.layer) as log:
        make = {"base": _base, "runtime": _base, "deps": _deps, "app": _app}[step.spec.layer]
        made = make(project, plan, step, secrets)
        build, how = _with_secrets(project, made, secrets), made.how
        if step.spec.layer in project.afresh or step.spec.layer in state.cleared(project.state):
            # BuildKit's own cache would bring back what the user cleared.
            build = replace(build, afresh=_STAGES[step.spec.layer])
        renewal.replacing(project, step.spec.tag)
        try:
            built = buildx.run(build, log, made.crates)
        except BuildError as error:
            if isinstance(error, buildx.ContextDiffers) or not _cleared(project, plan, step):
                raise _advised(project, step, error) from None
            raise buildx.Cleared(f"{step.spec.layer}: an image that it stands on was cleared meanwhile") from error
        if project.afresh.pop(step.spec.layer, None) and step.spec.layer == "app":
            renewal.adopt(project, build.labels[PREFIX + "mount"])
    pushed = "base" if step.spec.layer == "runtime" else step.spec.layer
    if repository is not None and pushed in project.config.registry.push:
        from layerdoit.engine import registry

        registry.push(step.spec, repository)
        how = f"{how}, pushed to {repository}"
    report = built.report
    return Outcome(
        step,
        time.monotonic() - begun,
        how,
        report.counts(),
        tuple(report.noted("not-fresh")),
        # The target mount may have been collected or cleared.
        cold=report.ran > 0 and (from_nothing(step) or bool(build.afresh) or report.counts().get("cold") == 1),
        export=report.export,
        sent=report.sent,
        size=_size(project, step),
        crates=tuple(report.noted("crate")),
    )


def _advised(project: Project, step: Step, error: BuildError) -> BuildError:
    """The error, with the setting that cures it where a build lacks a Debian package."""
    from layerdoit import diagnosis

    if not isinstance(error, buildx.StepFailed):
        return error
    advice = diagnosis.advice(error.said, project.config)
    if advice is None:
        return error
    log = (error.hint or "").rpartition("; ")[2]
    return BuildError(f"{step.spec.layer} did not build: {advice.sentence}", hint=f"{advice.setting}; {log}")


def _cleared(project: Project, plan: Plan, step: Step) -> bool:
    """Whether what a layer is built from was there when it was planned, and is no longer.

    Another checkout of the project may clear at any time; what its build took along already stays with it.
    """
    deps_parent = step.parent.tag if step.parent else plan.step("base").spec.tag
    parents = {"deps": [deps_parent], "app": [plan.step("deps").spec.tag, plan.step("runtime").spec.tag]}
    return any(project.images.inspect(tag) is None for tag in parents.get(step.spec.layer, ()))


def from_nothing(step: Step) -> bool:
    """Whether a build has nothing of an earlier one to go on."""
    if step.spec.layer == "app":
        return step.reasons == ("not built before",)
    return step.parent is None


def _size(project: Project, step: Step) -> int | None:
    found = project.images.inspect(step.spec.tag)
    return None if found is None else int(found.get("Size") or 0)


class _Made(NamedTuple):
    """A build before its secrets: the Dockerfile's text, how it comes about, how many crates are compiled."""

    build: buildx.Build
    text: str
    how: str
    crates: int | None = None


def _with_secrets(project: Project, made: _Made, secrets: Secrets) -> buildx.Build:
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


def _downloaded(project: Project, step: Step) -> list[str]:
    takes = step.spec.layer == "deps" and "git" in dockerfiles.secrets(project.dockerfile("deps").read_text("utf-8"))
    return [package.source or "" for package in project.lock.external] if takes else []


def _over_ssh(project: Project, secrets: Secrets) -> bool:
    places = (*(package.source or "" for package in project.lock.external), *secrets.values.values())
    return any("ssh://" in place for place in places)


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


def _base(project: Project, _plan: Plan, step: Step, secrets: Secrets) -> _Made:
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
    return _Made(build, project.dockerfile("base").read_text(encoding="utf-8"), origin.words)


# --- deps ------------------------------------------------------------------------------------------------------------


def _control(project: Project, folder: Path, scripts: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**scripts, "env": environment(project).encode()}.items():
        _write(folder / name, content)


def _write(path: Path, content: bytes) -> None:
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _deps(project: Project, plan: Plan, step: Step, secrets: Secrets) -> _Made:
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
    return _Made(build, text, how, None if parent else len(project.lock.external))


# --- app -------------------------------------------------------------------------------------------------------------


def _app(project: Project, plan: Plan, step: Step, _secrets: Secrets) -> _Made:
    context = project.state / "context" / "app"
    control = context / "control"
    _control(project, control, project.scripts("build.sh", "sync.sh"))
    moved = stage(project.sources, context / "src", tree=control / "tree")
    moved |= stage(project.assets, context / "assets")
    if moved:
        project.reread()
        raise buildx.ContextDiffers("sources changed while they were read")
    _write(control / "smoke", "".join(f"{line}\n" for line in project.config.image.smoke).encode())
    assets = [(path, place, project.assets.host_path(path).is_dir()) for path, place in project.asset_paths.items()]
    ours = project.dockerfile("app").read_text(encoding="utf-8")
    text = dockerfiles.app(ours, project.config.image, assets, project.entrypoint)
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
    return _Made(build, text, "compiled")


def _mount(project: Project, cooked: Spec) -> str:
    plain = mounts.identity(project.name, project.root, project.variant, _cook(project, cooked))
    return renewal.new_mount(project, plain) if "app" in project.afresh else renewal.mount(project, plain)


def _cook(project: Project, cooked: Spec) -> str:
    """The id of the full cook that a deps image comes from."""
    return project.images.labels([cooked.tag]).get(cooked.tag, {}).get(PREFIX + "cook") or cooked.key[:12]


def give_tags(project: Project, plan: Plan) -> bool:
    """Move the friendly tags to the image that the key names; whether any had to be. `Cleared` when it is not there."""
    step, tag = plan.step("app"), plan.step("app").spec.tag
    lacking = project.images.untagged(tag, project.repository, project.tags)
    project.images.tag(tag, project.repository, lacking)
    if lacking and project.images.inspect(tag) is None:
        raise buildx.Cleared("the app image was cleared before it had its tags")
    if lacking and step.action == "reuse":
        branches.note(project, step.spec.key)
    return bool(lacking)
