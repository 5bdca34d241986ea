"""What is compiled of the workspace, in the registry: pushed after app builds, the first thing in a new target mount.

Under `artefacts-<cook>-<branch>` stands what was pushed last for a chain of deps images and a branch: the file of
`doit cache_save`, as an artefact of one layer. It costs a build time at most, never truth; so a failure is a warning.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from layerdoit.build import archive_file, mount_archive
from layerdoit.build.archive_file import Facts
from layerdoit.core.console import say, warn
from layerdoit.core.errors import Interrupted, LayerdoitError
from layerdoit.core.state import latest
from layerdoit.core.units import duration_text, size_text
from layerdoit.engine.images import PREFIX
from layerdoit.engine.ownership import LABEL
from layerdoit.layers.key import ARTEFACTS
from layerdoit.project import pending
from layerdoit.project.ci_branch import branch_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from layerdoit.build.work import Work
    from layerdoit.core.state import State
    from layerdoit.engine.registry_api import Manifest, RegistryApi
    from layerdoit.project.project import Project

TYPE: Final = "application/vnd.layerdoit.artefacts.v1"
_LAYER: Final = f"{TYPE}+tar"
_EMPTY: Final = "application/vnd.oci.empty.v1+json"
_FACTS: Final = f"{PREFIX}facts"
_LONGEST: Final = 80
_DEFAULTS: Final = ("main", "master")

# A note of the state folder: mounts that something was compiled in, with the time.
_USED: Final = "mounts.json"
_BELIEVED: Final = 86_400
"""Seconds. BuildKit may collect a mount that was not used for two days."""
_KEPT: Final = 20
# The apps of several services are built side by side, in one mount.
_one_at_a_time: Final = threading.Lock()
# Where it was said in this process that nothing is pushed: several services are one compilation.
_told: Final = set[Path]()


# --- names -----------------------------------------------------------------------------------------------------------


def tag(cook: str, branch: str) -> str:
    """Under which tag the artefacts of a branch are."""
    return f"{ARTEFACTS}-{cook}-{_slug(branch)}"


def _slug(branch: str) -> str:
    """A branch as a part of a tag. What had to be changed has a digest, so that no two branches are one."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "-", branch)[:_LONGEST]
    return plain if plain == branch else f"{plain}-{hashlib.sha256(branch.encode()).hexdigest()[:8]}"


def _branches(project: Project) -> Iterator[str]:
    """Whose artefacts are looked for: those of the branch, else of the default branch."""
    found = [branch_of(project)]
    if project.checkout:
        try:
            head = (project.checkout.common / "refs/remotes/origin/HEAD").read_text(encoding="utf-8")
            found.append(head.strip().rpartition("refs/remotes/origin/")[2])
        except (OSError, ValueError):
            pass
    yield from dict.fromkeys(filter(None, (*found, *_DEFAULTS)))


# --- before an app build ---------------------------------------------------------------------------------------------


def begin(work: Work, mount: str) -> None:
    """Where nothing was compiled in this mount yet, fill it with what was pushed last and fits."""
    project = work.inputs.project
    repository = project.config.registry.repository
    if repository is None or not _pulls(work) or "app" in project.state.cleared():
        return
    with _one_at_a_time:
        try:
            told = "" if _is_used(work, mount) else _loaded(work, repository)
        except Interrupted:
            raise
        except (LayerdoitError, OSError) as error:
            warn(f"the compiled artefacts in the registry are not used: {_first_line(error)}")
            return
        if told:
            _note_used(project.state, mount)
            say(told)


def _pulls(work: Work) -> bool:
    return work.inputs.question.kind == "build" and ARTEFACTS in work.inputs.project.config.registry.pulled


def _is_used(work: Work, mount: str) -> bool:
    noted = work.inputs.project.state.note(_USED).get(mount, "")
    if noted.isdecimal() and time.time() - int(noted) < _BELIEVED:
        return True
    return any(one.id.partition("@")[0] == mount for one in work.engine.mounts(work.inputs.project.name))


def _note_used(state: State, mount: str) -> None:
    """Something is compiled in this mount now."""
    state.change_note(_USED, lambda known: latest(known, mount, f"{time.time():.0f}", _KEPT))


def _loaded(work: Work, repository: str) -> str:
    """Fill the mount; words for it, or '' where the registry has nothing that fits."""
    from layerdoit.engine.registry_api import RegistryApi

    begun, project = time.monotonic(), work.inputs.project
    wanted = mount_archive.expected(work)
    registry = RegistryApi.of(repository)
    for branch in _branches(project):
        found = registry.manifest(tag(wanted.cook, branch))
        if found is None or not _fits(found, wanted):
            continue
        size = _pulled(work, registry, found)
        if not size:
            return ""
        took = duration_text(time.monotonic() - begun)
        return f"app     begins with what was compiled on {branch} ({size_text(size)} in {took})"
    return ""


def _fits(found: Manifest, wanted: Facts) -> bool:
    """Whether artefacts were compiled with this chain of deps images, for the same. Others are not pulled."""
    told = _annotated(found)
    names = ("project", "variant", "platform", "toolchain", "cook")
    return all(told.get(name) == getattr(wanted, name) for name in names)


def _annotated(found: Manifest) -> dict[str, Any]:
    try:
        told = json.loads((found.json.get("annotations") or {}).get(_FACTS) or "{}")
    except (ValueError, AttributeError):
        return {}
    return told if isinstance(told, dict) else {}


def _pulled(work: Work, registry: RegistryApi, found: Manifest) -> int:
    """Pull and unpack; bytes. 0 where something is compiled there already."""
    layer = next((one for one in found.blobs if one.media_type == _LAYER), None)
    if layer is None:
        raise LayerdoitError(f"{registry.repository} has something else there", hint="remove that tag")
    folder = _folder(work)
    file = folder / "pulled"
    try:
        registry.fetch(layer.digest, file)
        return layer.size if mount_archive.load(work, file, archive_file.read(file)) else 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _folder(work: Work) -> Path:
    folder = work.inputs.project.state / "context" / "artefacts" / "shared"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# --- after it --------------------------------------------------------------------------------------------------------


def built(work: Work, mount: str, compiled: int) -> None:
    """An app was built in that mount: what was compiled is to be pushed, if that is wanted."""
    project = work.inputs.project
    registry = project.config.registry
    if work.inputs.question.kind != "build" or registry.repository is None:
        return
    if _pulls(work):
        _note_used(project.state, mount)
    if not compiled or ARTEFACTS not in registry.push:
        return
    if branch_of(project):
        pending.note_compiled(project, registry.repository)
    elif project.home is None and not os.environ.get("CI") and project.root not in _told:
        # Nobody is surprised at a commit of `from_source`, or at a CI job of a tag.
        _told.add(project.root)
        warn("what is compiled here is not pushed: no branch is checked out\nnext: git switch -c NAME")


def push(work: Work) -> None:
    """Push what the mount holds. The lock is held. What cannot be pushed stays pending, with a warning."""
    project, begun = work.inputs.project, time.monotonic()
    repository, branch = project.config.registry.repository, branch_of(project)
    if repository is None or not pending.is_compiled(project):
        return
    if not branch:
        # A commit or a tag is checked out since: nobody could find it.
        pending.note_compiled(project, None)
        return
    try:
        name, size = _pushed(work, repository, branch)
    except Interrupted:
        raise
    except mount_archive.Unfit:
        # The mount was collected or cleared since: there is nothing that could be pushed.
        pending.note_compiled(project, None)
        return
    except (LayerdoitError, OSError) as error:
        warn(f"what was compiled is not in the registry, and the next run pushes it: {_first_line(error)}")
        return
    pending.note_compiled(project, None)
    say(f"push    {name} to {repository} ({size_text(size)} in {duration_text(time.monotonic() - begun)})")


def _pushed(work: Work, repository: str, branch: str) -> tuple[str, int]:
    from layerdoit.engine.registry_api import IMAGE, RegistryApi

    project = work.inputs.project
    registry, folder = RegistryApi.of(repository), _folder(work)
    packed = mount_archive.save(work, mount_archive.expected(work))
    try:
        file = folder / "pushed"
        size = archive_file.write(file, packed.facts, packed.file)
        packed.file.unlink(missing_ok=True)
        layer = {"mediaType": _LAYER, "digest": registry.put_file(file), "size": size}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        packed.file.unlink(missing_ok=True)
    config = {"mediaType": _EMPTY, "digest": registry.put_blob(b"{}"), "size": 2}
    manifest = {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "artifactType": TYPE,
        "config": config,
        "layers": [layer],
        "annotations": {
            "org.opencontainers.image.created": packed.facts.saved,
            "org.opencontainers.image.revision": packed.facts.commit,
            # By these, retention knows whose they are.
            PREFIX + "layer": ARTEFACTS,
            PREFIX + "project": project.name,
            PREFIX + LABEL: project.owner.text,
            PREFIX + "variant": packed.facts.variant,
            PREFIX + "branch": branch,
            _FACTS: json.dumps(packed.facts._asdict(), sort_keys=True),
        },
    }
    name = tag(packed.facts.cook, branch)
    registry.put_manifest(name, IMAGE, json.dumps(manifest, sort_keys=True).encode())
    return name, size


def _first_line(error: LayerdoitError | OSError) -> str:
    return str(error).splitlines()[0]
