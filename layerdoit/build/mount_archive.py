"""Save what the target mount of a checkout holds beside the deps image, and fill a new mount with it.

BuildKit exports no cache mount: both are builds of their own (Dockerfile.save, Dockerfile.load). Contents decide in the
next app build what of it is still true, as in any other mount.
"""

from __future__ import annotations

import shutil
import time
import uuid
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.build import leftovers
from layerdoit.build.archive_file import Facts, NotSaved, copied
from layerdoit.components import rust, script_protocol
from layerdoit.core.errors import BuildError, WorkspaceError
from layerdoit.core.files import write_if_changed
from layerdoit.core.resources import dockerfile_dir
from layerdoit.engine import build_records, buildx, mounts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from layerdoit.build.work import Work

_NONCE: Final = "NONCE"
"""In the Dockerfiles: what tells one run from another one."""
_WORTH_IT: Final = 16_000_000
"""Bytes. What is smaller, BuildKit collects in its time."""


class Packed(NamedTuple):
    """What was taken out of a mount: what is known of it, and its files, packed."""

    facts: Facts
    file: Path


def expected(work: Work) -> Facts:
    """What a file has to say that fits the mount of this checkout. WorkspaceError where nothing is compiled here."""
    inputs = work.inputs
    if inputs.component != "rust" or not work.plan.has("deps"):
        what = f"nothing is compiled in {inputs.project.root}, so there are no compiled artefacts"
        raise WorkspaceError(what, hint="save those of the project that the program comes from")
    cooked = work.plan.step("deps").spec
    commit, _ = work.run.head(inputs.project.root).result()
    return Facts(
        project=inputs.project.name,
        variant=inputs.variant,
        platform=inputs.question.platform,
        toolchain=inputs.tree.toolchain.identity,
        cook=rust.cook_of(work.engine, cooked),
        deps=cooked.key,
        packer="",
        digest="",
        files=0,
        unpacked=0,
        commit=commit or "",
        branch=inputs.project.checkout.branch if inputs.project.checkout else "",
        saved=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


def target(work: Work) -> str:
    """The plain id of the mount that this checkout is compiled in."""
    return rust.target_mount(work.inputs, work.engine, work.plan.step("deps").spec)


def save(work: Work, facts: Facts) -> Packed:
    """Pack what the mount holds. The lock is held, and the deps image is there."""
    state = work.inputs.project.state
    plain = target(work)
    folder = state / "context" / "artefacts" / "saved"
    shutil.rmtree(folder, ignore_errors=True)
    notes = _run(work, "save", leftovers.mount(state, plain), folder)
    told = script_protocol.every(script_protocol.Packed, notes)[-1]
    found = facts._replace(packer=told.program, digest=told.digest, files=told.files, unpacked=told.size)
    return Packed(found, folder / "packed")


def load(work: Work, archive: Path, facts: Facts, *, anew: bool = False) -> bool:
    """Fill the mount; False where something was compiled in it before, so that it stays. The lock is held.

    `anew`: take a new mount then, which replaces the present one. `NotSaved` where the file is damaged, or was compiled
    with other files than the deps image has; no mount is changed then.
    """
    state = work.inputs.project.state
    plain = target(work)
    # BuildKit would empty the present mount for the build that comes after a clearing (see `execute`).
    anew = anew or "app" in state.cleared()
    mount = leftovers.mount(state, plain)
    if anew:
        mount = leftovers.new_mount(state, plain, run=f"load {work.run.begun:x}")
    sent = state / "context" / "artefacts" / "archive"
    copied(archive, sent / "archive")
    try:
        args = {"DIGEST": facts.digest, "PACKED": facts.packer, **_runtime(work)}
        notes = _run(work, "load", mount, sent.parent / "done", args, sent)
    except Unfit as error:
        raise _refused(error.word, archive) from error
    finally:
        shutil.rmtree(sent, ignore_errors=True)
    if anew:
        leftovers.adopt(state, mount)
        state.mark_cleared(done=["app"])
    return any(said.word == "loaded" for said in script_protocol.every(script_protocol.OfMount, notes))


def _runtime(work: Work) -> dict[str, str]:
    """The runtime image, where it is there and is of the platform that compiles."""
    if not work.plan.has("runtime") or work.engine.build_platform != work.engine.platform:
        return {}
    tag = work.plan.step("runtime").spec.tag
    return {"RUNTIME": tag} if work.engine.images.inspect(tag) is not None else {}


class Unfit(BuildError):
    """There is nothing to save, or what was to be loaded does not fit. `word`: as the script says it."""

    def __init__(self, word: str) -> None:
        super().__init__(f"the target mount is {word}", hint="doit app compiles the workspace")
        self.word = word


def _refused(word: str, archive: Path) -> NotSaved:
    if word == "differs":
        what = "this was compiled with other files of the dependencies than this deps image has"
        return NotSaved(what, where=str(archive), hint="go on without it; what is built next can be saved again")
    hint = "fetch it again, or save it again: doit cache_save FILE"
    return NotSaved("the file is damaged: its content has another digest than it says", where=str(archive), hint=hint)


def _run(
    work: Work, verb: str, mount: str, output: Path, more: Mapping[str, str] = {}, sent: Path | None = None
) -> list[str]:
    """One of the two builds, in the mount of that plain id; what its script said. `sent`: a folder that it sees."""
    project, nonce = work.inputs.project, f"{verb}-{uuid.uuid4().hex}"
    context = project.state / "context" / "artefacts"
    write_if_changed(context / "control" / f"{verb}.sh", (dockerfile_dir() / f"{verb}.sh").read_bytes())
    text = (dockerfile_dir() / f"Dockerfile.{verb}").read_text(encoding="utf-8")
    write_if_changed(context / "Dockerfile", text.replace(_NONCE, nonce).encode())
    build = buildx.Build(
        f"cache_{verb}",
        context / "Dockerfile",
        context,
        [],
        {},
        {
            "DEPS": work.plan.step("deps").spec.tag,
            "MOUNT": mounts.placed(mount, project.root, project.owner.drawn),
            **more,
        },
        contexts={nonce: str(sent)} if sent else {},
        builder=work.engine.builder,
        platform=work.engine.flag("deps"),
        output=output,
    )
    shared = buildx.Shared(project.config.registry.repository, work.inputs.question.shared)
    try:
        with project.state.open_log(build.layer) as log:
            return work.engine.build(build, log, shared=shared).report.notes
    except buildx.StepFailed as error:
        said = script_protocol.every(script_protocol.OfMount, error.notes)
        if error.code == script_protocol.Exit.NOT_THIS_MOUNT and said:
            raise Unfit(said[-1].word) from error
        raise
    finally:
        written = sent if verb == "load" else output
        if written and sum(one.stat().st_size for one in written.glob("*")) > _WORTH_IT:
            build_records.forget(nonce, work.engine.builder)
