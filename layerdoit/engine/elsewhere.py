"""Build on a builder that does not see the engine's images: those below are handed over, the result comes back.

An image that the Dockerfile names is handed over as a named context: from the registry, by its digest, where it is
there too, else as a folder (`layouts`). What the engine has of the result is not sent again: only the new layers are.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TextIO

from layerdoit.core.background import Background
from layerdoit.core.console import warn
from layerdoit.core.errors import BuildError, EngineError
from layerdoit.dockerfile.named_images import named
from layerdoit.engine import buildx, layouts, registry, registry_answers
from layerdoit.engine.images import fits, label, labels_of
from layerdoit.layers.key import tag

if TYPE_CHECKING:
    from pathlib import Path

    from layerdoit.engine.buildx import Build, Built, Shared
    from layerdoit.engine.images import Images
    from layerdoit.engine.progress import Listener

_UNREAD: Final = re.compile(r"failed to (?:resolve|do request|copy|authorize|fetch)|pull access denied|not found")


class Below(NamedTuple):
    """An image that the engine has and a build stands on: as the engine describes it. `remote`: by digest; or ''."""

    described: Mapping[str, Any]
    remote: str = ""

    @property
    def id(self) -> str:
        """Its id on the engine."""
        return str(self.described["Id"])

    @property
    def layers(self) -> tuple[str, ...]:
        """The digests of its layers, unpacked."""
        return tuple((self.described.get("RootFS") or {}).get("Layers") or ())


@dataclass(frozen=True)
class Elsewhere:
    """A builder that is not the engine's own. `near`: on this machine, where packing costs more than it saves."""

    name: str
    images: Images
    near: bool

    def run(self, build: Build, log: TextIO, expected: int | None, listener: Listener | None, shared: Shared) -> Built:
        """As `buildx.run`. A registry that the builder does not reach is done without, and that is said."""
        below = self._below(build, shared)
        try:
            return self._built(build, log, expected, listener, below)
        except BuildError as error:
            refused = _refused(error, [one.remote for one in below.values() if one.remote])
            if not refused:
                raise
            warn(
                f"builder {self.name} does not get an image from the registry: {refused}\n"
                "this machine sends it the images that the build stands on"
            )
        return self._built(build, log, expected, listener, {name: Below(one.described) for name, one in below.items()})

    def _below(self, build: Build, shared: Shared) -> dict[str, Below]:
        """By reference."""
        names = [one for one in named(build.dockerfile.read_text(encoding="utf-8"), build.args) if "@" not in one]
        there = {name: self.images.inspect(name) for name in names if _context(name) not in build.contexts}
        found = {name: described for name, described in there.items() if described is not None}
        # A registry far away takes its time.
        asked = {name: Background(partial(_remote, name, one, shared)) for name, one in found.items()}
        return {name: Below(described, asked[name].result()) for name, described in found.items()}

    def _built(
        self, build: Build, log: TextIO, expected: int | None, listener: Listener | None, below: Mapping[str, Below]
    ) -> Built:
        begun, contexts = time.monotonic(), dict(build.contexts)
        for name, one in below.items():
            at = f"docker-image://{one.remote}" if one.remote else layouts.ensure(one.described, name).context
            contexts[_context(name)] = at
        build = replace(build, contexts=contexts)
        if build.output is not None:
            return buildx.run(build, log, expected, listener)
        compression = "uncompressed" if self.near else "zstd"
        with layouts.fresh(one.id for one in below.values()) as folder:
            done = buildx.run(replace(build, layout=folder, compression=compression), log, expected, listener)
            self._load(build, folder, below.values())
        return done._replace(seconds=time.monotonic() - begun)

    def _load(self, build: Build, folder: Path, below: Collection[Below]) -> None:
        made = layouts.parts(folder)
        under = [one for one in below if one.layers and made.diffs[: len(one.layers)] == one.layers]
        parent = max(under, key=lambda one: len(one.layers), default=None)
        layouts.load(folder, build.tags, len(parent.layers) if parent else 0)
        loaded = self.images.inspect(build.tags[0])
        if loaded is None:
            raise EngineError(f"the engine lacks {build.tags[0]}, which it has just loaded", hint="run again")
        if parent is not None:
            layouts.lend(folder, parent.described, made.layers[: len(parent.layers)])
        if build.layer != "app":
            layouts.keep(folder, loaded)
            layouts.sweep(self.images, label(labels_of(loaded), "project"))


def _context(reference: str) -> str:
    """As BuildKit looks for a named context."""
    return reference.removeprefix("docker.io/").removeprefix("library/").removesuffix(":latest")


def _remote(reference: str, described: Mapping[str, Any], shared: Shared) -> str:
    """Where a registry has an image, by its digest; ''."""
    labels = labels_of(described)
    layer, key = label(labels, "layer"), label(labels, "key")
    pushed = "base" if layer == "runtime" else layer
    if shared.repository and key and pushed in shared.layers and fits(reference, labels):
        at = tag(shared.repository, layer, key)
        digest = registry.digest(at)
        return f"{at.rpartition(':')[0]}@{digest}" if digest else ""
    repository = reference.rpartition(":")[0] if ":" in reference.rpartition("/")[2] else reference
    digests = [str(one) for one in described.get("RepoDigests") or () if one.rpartition("@")[0] == repository]
    # In containerd's store an image that was built here has one too: its id.
    return next((one for one in digests if one.rpartition("@")[2] != described["Id"]), "")


def _refused(error: BuildError, remote: Collection[str]) -> registry_answers.Refusal | None:
    """What a registry answered to the builder, if that is why a build failed."""
    said = str(error)
    if not any(one in said or one.partition("@")[0] in said for one in remote) or not _UNREAD.search(said):
        return None
    return registry_answers.refusal(said)
