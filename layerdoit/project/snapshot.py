"""What one reading of a tree found. To read it again is to make a new one."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from layerdoit import config as configuration
from layerdoit.cargo.toolchain import Toolchain, detect
from layerdoit.core.frozen import Frozen
from layerdoit.core.resources import dockerfile_dir
from layerdoit.project import fast_path, git_sent
from layerdoit.tree.sources import Sources, scan

if TYPE_CHECKING:
    # What a run with nothing to do does not need is imported where it is used.
    from collections.abc import Sequence
    from pathlib import Path

    from layerdoit.cargo.lock import Lock
    from layerdoit.project.fast_path import Answer
    from layerdoit.project.project import Project

READING_SCRIPTS = ("reads.sh", "trace.c", "calls.h", "mark.h", "hook.c", "reads.c", "texts.h")
"""What records which files are read, and its sources."""
PACK = ("Dockerfile.pack", "pack.sh", "runtime.sh")
"""What the image of a program is made with that was compiled elsewhere."""
APP_SCRIPTS = ("build.sh", "compile.sh", "runtime.sh", "sync.sh", "variables.sh", *READING_SCRIPTS)
"""The scripts of the app build."""
PAGE = ("Dockerfile.page", "page.sh", "serve-page")
"""What the image of a page is made with."""
DEPS_SCRIPTS = ("cook.sh", "lend.sh", "shared.sh", "stubs.sh", "sync.sh", "units.sh", "variables.sh")
"""The scripts of the deps build. What local packages below external crates read is recorded there too."""

NODE_RECIPES = ("Dockerfile.node-base", "Dockerfile.node", "node-install.sh", "node-build.sh")
"""What components are built by."""


class Tree(Frozen, eq=False):
    """A project's files as they were when they were read, each fact when it is first asked for.

    `lent`: the toolchain, where it is known already; `whole`: the same reading, of the project that a service is of.
    """

    project: Project
    lent: Toolchain | None = None
    whole: Tree | None = None

    def again(self) -> Tree:
        """A new reading, of the configuration too: a branch switch changes all of it."""
        return Tree(self.project.again())

    def of_service(self, name: str) -> Tree:
        """The same reading, for one of the services: what is read once is shared."""
        return Tree(self.project.of_service(name), self.lent, self)

    @cached_property
    def lock(self) -> Lock:
        """Cargo.lock."""
        if self.whole is not None:
            return self.whole.lock
        from layerdoit.cargo import lock

        return lock.load(self.project.root, self.project.kept)

    @cached_property
    def locked(self) -> str:
        """`name version` of every external package of Cargo.lock, as a deps image's label holds it."""
        if self.whole is not None:
            return self.whole.locked
        if not self.project.has_rust:
            return ""
        from layerdoit.engine.image_labels import locked_text

        return locked_text(f"{package.name} {package.version}" for package in self.lock.external)

    @cached_property
    def toolchain(self) -> Toolchain:
        """The Rust toolchain that builds and keys use."""
        if self.whole is not None:
            return self.whole.toolchain
        return self.lent or detect(self.project.root, self.project.config.toolchain, self.project.state.folder)

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """Target triples that the builder must be able to compile for, besides its own."""
        from layerdoit.cargo import compile_targets

        project = self.project
        return compile_targets.wanted(project.workspace, project.target, project.env, project.config.base.targets)

    # --- files -------------------------------------------------------------------------------------------------------

    @cached_property
    def all_sources(self) -> Sources:
        """Every file that git, or the configuration, counts to the project."""
        if self._answer is not None:
            return self.scan(self._answer.extra)
        return self.scan(self.project.extra)

    def scan(self, extra: tuple[str, ...]) -> Sources:
        """Hash the tree, `extra` being that of the workspace; once for the same question."""
        if self.whole is not None:
            return self.whole.scan(extra)
        scans = self._scans
        if extra not in scans:
            project = self.project
            scans[extra] = scan(project.lister, extra, index_file=project.state / "index", kept=project.kept)
        return scans[extra]

    @cached_property
    def _scans(self) -> dict[tuple[str, ...], Sources]:
        return {}

    def dockerfile(self, layer: str) -> Path:
        """The project's own Dockerfile of a layer, else ours."""
        own = getattr(self.project.config.dockerfiles, layer)
        return self.project.root / own if own else dockerfile_dir() / f"Dockerfile.{layer}"

    @cached_property
    def recipe_files(self) -> dict[str, bytes]:
        """Dockerfiles, by `Dockerfile.<layer>`, and the scripts that run in builds: what says how to build."""
        found = {f"Dockerfile.{layer}": self.dockerfile(layer).read_bytes() for layer in configuration.LAYERS}
        more = {"served": PAGE, "packed": PACK}.get(self.project.kind, ())
        return found | {name: (dockerfile_dir() / name).read_bytes() for name in {*APP_SCRIPTS, *DEPS_SCRIPTS, *more}}

    # --- what the last run found out ---------------------------------------------------------------------------------

    def remembered(self, place: str) -> Answer | None:
        """What the last run found out with an engine, if everything that it follows from is still the same.

        `place`: `Engine.place`, which stands for the engine's platform.
        """
        return self._answer if self._answer is not None and self._answer.place == place else None

    @cached_property
    def _answer(self) -> Answer | None:
        found = fast_path.read(self._answer_file)
        if found is None or self._signature(self.scan(found.extra)) != found.signature:
            return None
        return found

    def remember(self, place: str, layers: Sequence[tuple[str, str, str]]) -> None:
        """Keep what was found out for the next run. `layers`: layer, key and repository of each image."""
        extra = self.project.extra
        signature = self._signature(self.scan(extra))
        answer = fast_path.Answer(signature, place, extra, tuple(layers), self.locked)
        fast_path.write(self._answer_file, answer)

    @property
    def _answer_file(self) -> Path:
        project = self.project
        settings = " ".join((project.part, project.platform or "", repr(project.config)))
        return fast_path.file(project.state.folder, settings)

    def _signature(self, found: Sources) -> str:
        # An engine would have to be asked for its platform: the place stands for it.
        given = Given.of(self, "")
        said = git_sent.signature(self.project)
        # What is chosen for other images of the tree decides on the deps that all stand on.
        chosen = repr(self.project.chosen)
        more = [self.node_facts] if self.project.config.components else []
        if self.project.config.cross == "zig" and self.project.platform:
            from layerdoit.cargo import zig

            more.append(zig.versions())
        return fast_path.signature([repr(given), chosen, self.project.root.name, found.digest(), said, *more])

    @cached_property
    def node_facts(self) -> str:
        """What keys of components follow from besides configuration and sources."""
        from layerdoit.node import node_version

        if self.whole is not None:
            return self.whole.node_facts
        recipes = [(dockerfile_dir() / name).read_text(encoding="utf-8") for name in NODE_RECIPES]
        here = node_version.installed(self.project.root, self.project.state / "node.json")
        return fast_path.signature([*recipes, here.version if here is not None else ""])


class Given(NamedTuple):
    """All that keys follow from besides the contents of the tree: specs are made from it, and the fast path signs it.

    `recipes`: sha256 of each Dockerfile and script, by name; `toolchain`: None where nothing is compiled.
    """

    config: configuration.Config
    toolchain: Toolchain | None
    platform: str
    recipes: tuple[tuple[str, str], ...]
    version: str

    @classmethod
    def of(cls, tree: Tree, platform: str) -> Given:
        """Read what a tree's keys follow from."""
        from layerdoit.core.version import __version__

        recipes = sorted((name, hashlib.sha256(content).hexdigest()) for name, content in tree.recipe_files.items())
        toolchain = tree.toolchain if tree.project.has_rust else None
        return cls(tree.project.config, toolchain, platform, tuple(recipes), __version__)

    def digest_of(self, *names: str) -> str:
        """16 hexadecimal digits for Dockerfiles and scripts together."""
        from layerdoit.layers.key import digest

        recipes = dict(self.recipes)
        return digest(recipes[name] for name in names)[:16]
