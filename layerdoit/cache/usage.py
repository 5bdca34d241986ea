"""What this project holds on the engine and in its state folder, and what refers to it."""

from __future__ import annotations

import calendar
import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from layerdoit.errors import LayerdoitError
from layerdoit.layers.key import tag as key_tag

if TYPE_CHECKING:
    from layerdoit.engine.images import Image
    from layerdoit.engine.mounts import Mount
    from layerdoit.engine.removal import Holder
    from layerdoit.project import Project

LAYERS: Final = ("base", "runtime", "deps", "app")


@dataclass(frozen=True)
class ImageUse:
    """An image whose labels name this project. `tags`: those that we gave it, keyed ones last; `others`: the rest.

    An image without its keyed tag has no tags of ours: whatever is built FROM one of ours inherits the labels.
    `runtime`: key of the runtime image under an app image. `made`: seconds since 1970. `shared`: bytes of `size`.
    """

    id: str
    layer: str
    key: str
    tags: tuple[str, ...]
    others: tuple[str, ...] = ()
    size: int = 0
    shared: int = 0
    made: int = 0
    rootfs: tuple[str, ...] = ()
    holders: tuple[Holder, ...] = ()
    runtime: str = ""
    current: bool = False


@dataclass(frozen=True)
class Usage:
    """`foreign`: images of others under ours, as layers and size. `current`: keys of the tree as it is, by layer."""

    project: str
    images: tuple[ImageUse, ...] = ()
    mounts: tuple[Mount, ...] = ()
    foreign: tuple[tuple[tuple[str, ...], int], ...] = ()
    state: Mapping[str, int] = field(default_factory=dict)
    current: Mapping[str, str] = field(default_factory=dict)

    @property
    def warm(self) -> Mapping[str, bool]:
        """Whether the image that the tree asks for is there, by layer; empty where the tree cannot be read."""
        there = {(image.layer, image.key) for image in self.images if image.tags}
        return {layer: (layer, key) in there for layer, key in self.current.items()}


# --- gathering -------------------------------------------------------------------------------------------------------


def gather(project: Project) -> Usage:
    """Ask the engine, buildx and the state folder. Reads only."""
    from layerdoit.engine import mounts, removal

    current = _current(project)
    found = [image for image in project.images.of_project(project.name) if image.label("project") == project.name]
    held = removal.holders() if found else {}
    described = {image.id: _rootfs(project, image.id) for image in found}
    foreign = tuple(_foreign(project, found))
    bases = [(described[image.id], image.size) for image in found] + list(foreign)
    friendly = _friendly(project)
    uses = []
    for image in found:
        tags, others = _sorted_out(project, image, friendly)
        rootfs = described[image.id]
        uses.append(
            ImageUse(
                image.id,
                image.label("layer"),
                image.label("key"),
                tags,
                others,
                image.size,
                shared_size(rootfs, bases),
                _made(image),
                rootfs,
                held.get(image.id, ()),
                image.label("runtime"),
                bool(tags) and current.get(image.label("layer")) == image.label("key"),
            )
        )
    uses.sort(key=lambda use: (LAYERS.index(use.layer) if use.layer in LAYERS else len(LAYERS), -use.made, use.id))
    app_mounts = mounts.of_project(project.name, project.config.builder)
    return Usage(project.name, tuple(uses), app_mounts, foreign, _state_sizes(project.state), current)


def shared_size(rootfs: tuple[str, ...], others: Iterable[tuple[tuple[str, ...], int]]) -> int:
    """Bytes that an image has in common with the fullest image it stands on."""
    return max(
        (size for layers, size in others if len(layers) < len(rootfs) and rootfs[: len(layers)] == layers), default=0
    )


def _current(project: Project) -> dict[str, str]:
    """The keys that the tree asks for. Caches are shown, and cleared, where the tree cannot be read, too."""
    _ = project.name
    try:
        return {spec.layer: spec.key for spec in project.specs}
    except LayerdoitError:
        return {}


def _rootfs(project: Project, reference: str) -> tuple[str, ...]:
    described = project.images.inspect(reference) or {}
    return tuple((described.get("RootFS") or {}).get("Layers") or ())


def _foreign(project: Project, found: Iterable[Image]) -> Iterator[tuple[tuple[str, ...], int]]:
    """The images that our base images were made from."""
    for reference in sorted(
        {image.label("parent") for image in found if image.label("layer") in ("base", "runtime")} - {""}
    ):
        described = project.images.inspect(reference)
        if described is not None:
            yield tuple((described.get("RootFS") or {}).get("Layers") or ()), int(described.get("Size") or 0)


def _friendly(project: Project) -> frozenset[str]:
    """Tags besides the keyed ones that builds of this project give: configured ones, and names of git worktrees."""
    names = {*project.config.image.tags, *([project.worktree] if project.worktree else ())}
    for folder in (project.root, *project.root.parents):
        link = folder / ".git"
        if link.is_dir() or link.is_file():
            from layerdoit.config import repository_name

            names |= {repository_name(entry) for entry in _worktrees(link)}
            break
    return frozenset(names)


def _worktrees(link: Path) -> list[str]:
    if link.is_file():
        folder = Path(link.read_text(encoding="utf-8").strip().removeprefix("gitdir:").strip()).parent
    else:
        folder = link / "worktrees"
    with contextlib.suppress(OSError):
        return os.listdir(folder) if folder.name == "worktrees" else []
    return []


def _sorted_out(project: Project, image: Image, friendly: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tags of ours, the keyed ones last, and the others."""
    local = _familiar(project.repository)
    repositories = {local, _familiar(project.config.registry.repository or local)}
    keyed = {key_tag(repository, image.label("layer"), image.label("key")) for repository in repositories}
    own = [tag for tag in image.tags if tag in keyed]
    if not own or not image.label("key") or image.label("layer") not in LAYERS:
        return (), image.tags
    named = (
        []
        if image.label("layer") != "app"
        else [tag for tag in image.tags if tag in {f"{local}:{name}" for name in friendly}]
    )
    ours = (*named, *own)
    return ours, tuple(tag for tag in image.tags if tag not in ours)


def _familiar(repository: str) -> str:
    """As the engine lists it."""
    for prefix in ("docker.io/", "index.docker.io/"):
        repository = repository.removeprefix(prefix)
    return repository.removeprefix("library/")


def _made(image: Image) -> int:
    try:
        return calendar.timegm(time.strptime(image.label("built"), "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return image.created


def _state_sizes(folder: Path) -> dict[str, int]:
    """Bytes of each entry of the state folder."""
    sizes: dict[str, int] = {}
    for parent, _, files in os.walk(folder):
        relative = os.path.relpath(parent, folder)
        for name in files:
            with contextlib.suppress(OSError):
                size = os.lstat(os.path.join(parent, name)).st_size
                first = name if relative == "." else relative.split(os.sep)[0]
                sizes[first] = sizes.get(first, 0) + size
    return dict(sorted(sizes.items()))


# --- showing ---------------------------------------------------------------------------------------------------------


def render(usage: Usage) -> str:
    """A table for people."""
    rows: list[tuple[str, ...]] = [("LAYER", "WHAT", "SIZE", "SHARED", "AGE", "USED BY")]
    now = time.time()
    for image in usage.images:
        what = (image.tags or image.others or (f"<untagged> {image.id.removeprefix('sha256:')[:12]}",))[-1]
        age = age_text(now - image.made)
        rows.append((image.layer or "?", what, size_text(image.size), size_text(image.shared), age, _used_by(image)))
    for mount in usage.mounts:
        used = "a build" if mount.in_use else ""
        what = f"mount of checkout {mount.checkout}, {mount.variant}"
        rows.append(("app", what, size_text(mount.size), "", mount.last_used or "never used", used))
    rows += [("state", name, size_text(size), "", "", "") for name, size in usage.state.items()]
    lines = [f"project {usage.project}", *_aligned(rows)]
    if usage.warm:
        lines.append(
            "for this tree: " + ", ".join(f"{layer} {'warm' if warm else 'cold'}" for layer, warm in usage.warm.items())
        )
    return "\n".join(lines)


def as_json(usage: Usage) -> dict[str, Any]:
    """The documented form: bytes, seconds since 1970."""
    return {
        "project": usage.project,
        "images": [
            {
                "id": image.id,
                "layer": image.layer,
                "key": image.key,
                "tags": list(image.tags),
                "other_tags": list(image.others),
                "size": image.size,
                "shared": image.shared,
                "made": image.made,
                "current": image.current,
                "containers": [{"name": holder.name, "how": holder.how} for holder in image.holders],
            }
            for image in usage.images
        ],
        "mounts": [
            {
                "record": mount.record,
                "id": mount.id,
                "checkout": mount.checkout,
                "variant": mount.variant,
                "size": mount.size,
                "last_used": mount.last_used,
                "in_use": mount.in_use,
            }
            for mount in usage.mounts
        ],
        "state": dict(usage.state),
        "warm": dict(usage.warm),
    }


def size_text(size: float) -> str:
    """Bytes with three digits and a decimal unit, as Docker shows them."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.4g} TB"


def age_text(seconds: float) -> str:
    """A span in its largest whole unit."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def _used_by(image: ImageUse) -> str:
    words = [f"{holder.name} ({holder.how})" for holder in image.holders]
    if image.current:
        words.append("this tree")
    if not image.tags:
        words.append("not tagged by layerdoit")
    elif image.others:
        words.append("also tagged " + ", ".join(image.others))
    return ", ".join(words)


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
