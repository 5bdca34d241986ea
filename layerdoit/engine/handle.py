"""The engine of a run: its endpoint, builder and platform, and how the builder finds a lower layer."""

from __future__ import annotations

from functools import cache, cached_property
from threading import Timer
from typing import TYPE_CHECKING, Final

from layerdoit.core import command_errors
from layerdoit.core.background import Background, begun
from layerdoit.core.console import say, warn
from layerdoit.core.errors import EngineError, ProcessError
from layerdoit.core.frozen import Frozen
from layerdoit.core.platform import alike, architecture, described_platform, docker_name
from layerdoit.engine import api
from layerdoit.engine.images import Images, labels_of
from layerdoit.engine.platform_way import REGISTER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TextIO

    from layerdoit.engine.api import Api
    from layerdoit.engine.builder_platform import Described
    from layerdoit.engine.buildx import Build, Built, Shared
    from layerdoit.engine.mounts import Mount
    from layerdoit.engine.platform_way import Way
    from layerdoit.engine.progress import Listener
    from layerdoit.engine.registry_answers import Refusal
    from layerdoit.layers.key import Spec

QUIET: Final = 3.0
"""Seconds in which a builder may start without a word."""
LOCAL_DRIVER: Final = "docker"
"""The buildx driver that builds inside the engine itself, and so sees the engine's images."""


@cache
def _told(own: str, name: str, chosen_by: str) -> None:
    warn(
        f"builds run on the builder {name}, as {chosen_by} says; builder: {own} in layerdoit.yaml, or BUILDER={own}, "
        "keeps them in the engine"
    )


@cache
def _way_told(words: str) -> None:
    say(words)


@cache
def _other_told(tag: str, there: str, needed: str) -> None:
    warn(f"{tag} is an image for {there}, not for {needed}: it is not used")


class Engine(Frozen, eq=False):
    """A Docker engine and the buildx builder that builds for it. Nothing is asked until it is needed.

    `configured`: the builder that the configuration names; None for the one that `docker buildx build` takes. `way`:
    how images for a platform come about that was asked for; None for the builder's own.
    """

    configured: str | None = None
    way: Way | None = None

    @cached_property
    def api(self) -> Api:
        """The engine's API."""
        return api.connect()

    @cached_property
    def images(self) -> Images:
        """The engine's images."""
        return Images(self.api)

    @cached_property
    def builder(self) -> str:
        """The name of the builder for `docker buildx`."""
        named = (self.way.builder if self.way is not None else None) or self.configured
        return named or (self._chosen[0] if self._chosen else api.builder_name())

    @cached_property
    def _chosen(self) -> tuple[str, str] | None:
        return api.chosen_builder() if self.configured is None else None

    @cached_property
    def is_local(self) -> bool:
        """Whether builds run inside the engine, so that they see its images by their local tags."""
        return self.builder == api.builder_name() or self._described.driver == LOCAL_DRIVER

    def tell_of_builder(self) -> None:
        """Say, once in a run, that builds leave the engine where the configuration does not say so."""
        if self._chosen is not None and self.builder == self._chosen[0]:
            _told(api.builder_name(), *self._chosen)

    def tell_of_way(self) -> None:
        """Say, once in a run, how the image for another platform comes about."""
        if self.way is not None and self.way.elsewhere:
            _way_told(self.way.words)

    @property
    def place(self) -> str:
        """What the platform follows from, without asking for it: endpoint, builder, and this machine's architecture.

        An engine elsewhere has another endpoint; one of another architecture at the same local endpoint is another
        machine. A builder that is made anew is described in another way.
        """
        described = "" if self.builder == api.builder_name() else api.described_builder(self.builder)
        asked = "" if self.way is None else f"\n{self.way!r}"
        return f"{api.endpoint()}\n{self.builder}\n{architecture()}\n{described}{asked}"

    @property
    def platform(self) -> str:
        """What images are for, such as `linux/arm64`: what was asked for, else the builder's own platform."""
        return self.way.platform if self.way is not None else self.native

    @property
    def build_platform(self) -> str:
        """What compiles runs on."""
        return self.way.build_platform if self.way is not None else self.native

    def flag(self, layer: str) -> str | None:
        """The platform that a build of a layer has to name; None where it is the builder's own, as ever."""
        if self.way is None or not self.way.foreign:
            return None
        return self.build_platform if layer in ("base", "deps") else self.platform

    def platform_of(self, layer: str) -> str:
        """What an image of a layer is for."""
        return self.platform if layer in ("runtime", "app") else self.build_platform

    def labels_of(self, specs: Iterable[Spec]) -> dict[str, Mapping[str, str]]:
        """The labels of the layers that are here, by their tag: one for another platform is not, and is replaced."""
        wanted, found = {spec.tag: spec.layer for spec in specs}, {}
        for tag, described in self.images.described(wanted).items():
            there, needed = described_platform(described), self.platform_of(wanted[tag])
            if alike(there, needed):
                found[tag] = labels_of(described)
            else:
                _other_told(tag, there, needed)
        return found

    def require_runs(self, why: str) -> None:
        """EngineError where programs of the images cannot run in a build. `why`: what needs them."""
        if self.way is not None and not self.way.runs:
            raise EngineError(f"{why}, and builder {self.builder} runs no programs of {self.platform}", hint=REGISTER)

    @property
    def native(self) -> str:
        """The builder's own platform, which need not be that of this machine.

        If no engine answers, nothing can be built; keys are then those of this machine.
        """
        return self.ask_platform().result()

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms whose programs run in builds: the builder's own, and those that it emulates."""
        return self._described.platforms

    def ask_platform(self) -> Background[str]:
        """Ask for the platform in the background, because the engine takes 7 ms to answer."""
        return begun(self, "_platform", self._find_platform)

    def again(self, connection: object | None = None) -> Engine:
        """The same for another reading, asked for its platform again.

        `connection`: one to the engine that stands; None where there is none. What the engine said while the same one
        stood counts, for it is no other engine. It looks for the versions of its programs each time, for 10 ms.
        """
        made = Engine(self.configured, self.way)
        if connection is not None:
            made.__dict__["_connection"] = connection
            same = self.__dict__.get("_connection") is connection
            if same and self._answered_at and self._answered_at == [made.place]:
                made.__dict__.update(_platform=self.ask_platform(), _answered_at_places=self._answered_at)
        made.ask_platform()
        return made

    @property
    def _answered_at(self) -> list[str]:
        """Where it was when it said what its platform is; empty where it did not. No cached property: see `begun`."""
        found: list[str] = self.__dict__.setdefault("_answered_at_places", [])
        return found

    def _find_platform(self) -> str:
        place = self.place
        if self.builder != api.builder_name():
            found = self._described.platform
        else:
            own = docker_name(architecture())
            try:
                version = self.api.get("/version") or {}
            except EngineError:
                return f"linux/{own}"
            found = f"{version.get('Os', 'linux')}/{version.get('Arch', own)}"
        self._answered_at.append(place)
        return found

    @property
    def _described(self) -> Described:
        # Asked once, also where it cannot be used: one whose pod does not come up takes two minutes.
        return begun(self, "_description", self._describe).result()

    def _describe(self) -> Described:
        from layerdoit.engine import builder_platform, builders

        if silent := builder_platform.silent(api.described_builder(self.builder)):
            raise self._unusable(silent)
        waiting = Timer(QUIET, say, [f"builder {self.builder} is being started"])
        waiting.daemon = True
        waiting.start()
        try:
            text = builders.inspect_output(self.builder, start=True)
        except command_errors.TookTooLong as error:
            raise self._unusable(f"it did not start within {builders.STARTS:.0f} s") from error
        except ProcessError as error:
            said = str(error).strip().splitlines()[-1].removeprefix("ERROR: ")
            raise self._unusable(said) from error
        finally:
            waiting.cancel()
        return builder_platform.described(self.builder, text)

    def _unusable(self, said: str) -> EngineError:
        from layerdoit.engine import builder_platform

        by = f", which {self._chosen[1]} chose," if self._chosen and self.builder == self._chosen[0] else ""
        look = builder_platform.pods(api.described_builder(self.builder)) or "docker buildx ls lists the builders"
        return EngineError(
            f"builder {self.builder}{by} cannot be used: {said}",
            hint=f"{look}; name one with BUILDER= or builder: in layerdoit.yaml; "
            f"{api.builder_name()} is the engine's own",
        )

    def build(
        self,
        build: Build,
        log: TextIO,
        expected: int | None = None,
        listener: Listener | None = None,
        shared: Shared | None = None,
    ) -> Built:
        """Build, and have the result in this engine; see `buildx.run`. A builder elsewhere is handed what it lacks.

        `shared`: where layers are that were pushed.
        """
        from layerdoit.engine import buildx

        if self.is_local:
            return buildx.run(build, log, expected, listener)
        from layerdoit.engine import elsewhere

        away = elsewhere.Elsewhere(self.builder, self.images, self._described.near)
        return away.run(build, log, expected, listener, shared or buildx.Shared())

    def pull_parent(self, reference: str) -> Refusal | None:
        """Pull an image that builds start from, if needed. Returns None, or why it is not available."""
        from layerdoit.engine import registry

        return registry.pull_parent(reference, self._silent, self.native)

    def offers(self, reference: str) -> Refusal | None:
        """Whether that image could be pulled, if needed. Returns None, or why it is not available."""
        from layerdoit.engine import registry

        return registry.offered(reference, self.native)

    def offers_for(self, reference: str, platform: str) -> Refusal | None:
        """Whether an image is to be had for another platform than the builder's. Returns None, or why it is not."""
        from layerdoit.engine import registry

        return registry.offered(reference, platform)

    @cached_property
    def _silent(self) -> dict[str, Refusal]:
        """Registry host -> why it did not answer; each is waited for only once."""
        return {}

    def mounts(self, project: str) -> tuple[Mount, ...]:
        """The records of a project's cache mounts on this builder, for all checkouts, largest first."""
        from layerdoit.engine import mounts

        return mounts.of_project(project, self.builder)

    def prune(self, mount: Mount) -> bool:
        """Remove one mount of its builder; False if a build uses it, or it is gone."""
        from layerdoit.engine import mounts

        return mounts.prune(mount, mount.builder or self.builder)
