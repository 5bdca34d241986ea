"""The facts of a project, each read once per run: configuration, workspace, toolchain, sources; and its specs."""

from __future__ import annotations

import hashlib
import json
import posixpath
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit import config as configuration
from layerdoit.cargo.toolchain import Toolchain, detect
from layerdoit.core.errors import WorkspaceError
from layerdoit.core.platform import architecture, docker_name
from layerdoit.core.resources import dockerfile_dir
from layerdoit.core.state import State
from layerdoit.core.version import __version__
from layerdoit.engine.api import connect
from layerdoit.engine.images import Images, locked_text
from layerdoit.project import fast_path as known
from layerdoit.project.settings_cache import SettingsCache
from layerdoit.tree import git
from layerdoit.tree.sources import Sources, scan

if TYPE_CHECKING:
    # What a run with nothing to do does not need is imported where it is used.
    from layerdoit.cargo.lock import Lock
    from layerdoit.cargo.manifest import Workspace
    from layerdoit.cargo.selection import BuildOptions, Selection
    from layerdoit.cargo.stub import Stub
    from layerdoit.layers.key import Spec

_SCRIPTS = ("build.sh", "cook.sh", "sync.sh")
# What says how to build is keyed by what it says; it is no source, so that an edit of it runs no cargo.
_OURS = ("dodo.py", configuration.FILE)
# Facts that an edit can change.
_OF_THE_TREE = (
    *("workspace", "lock", "selection", "all_sources", "assets", "asset_paths", "sources"),
    *("stub", "kept", "specs", "known", "locked"),
)


class Project:
    """One Rust project. Every fact is read when it is first asked for, and then kept: `reread` forgets them."""

    def __init__(self, root: Path, variables: Mapping[str, str]) -> None:
        self.root = root.resolve()
        self.variables = dict(variables)
        self.told: set[str] = set()
        """Layers of which this run has said what it did."""
        self.begun = time.time_ns()
        """When this run began, in ns since 1970; names the run in the history."""
        self.asked = ""
        """The task that was asked for."""
        self.prefix = ""
        """What stands before the names of this project's tasks."""
        self.spent: dict[str, float] = {}
        """Seconds of this run's phases that no layer counts."""
        self.afresh: dict[str, str] = {}
        """Layers to build from nothing in this run although their images are there, with the reason."""
        self._scanned: tuple[tuple[int, Sequence[str]], Sources] | None = None

    def __reduce__(self) -> tuple[type[Project], tuple[Path, Mapping[str, str]]]:
        """`doit -n` on a system that does not fork its processes: the other one reads for itself."""
        return Project, (self.root, self.variables)

    # --- configuration -----------------------------------------------------------------------------------------------

    @cached_property
    def state(self) -> State:
        """The folder `.layerdoit/`."""
        return State.open(self.root)

    @cached_property
    def config(self) -> configuration.Config:
        """layerdoit.yaml, the file that CONFIG names, and the variables."""
        overlay = self.variables.get("CONFIG")
        return configuration.load(
            self.root,
            overlay=Path(overlay) if overlay else None,
            variables=self.variables,
            cache=SettingsCache(self.state),
        )

    @cached_property
    def name(self) -> str:
        """The project's name: configured, else the root package's, else the only built package's, else the folder's."""
        if self.config.project:
            return self.config.project
        only = self.selection.packages[0] if len(self.selection.packages) == 1 else self.root.name
        return configuration.repository_name(self.workspace.root_package or only)

    @cached_property
    def checkout(self) -> git.Checkout | None:
        """The git checkout that the project is, or is a folder of."""
        return git.find(self.root)

    @cached_property
    def worktree(self) -> str | None:
        """The name of a linked git worktree, None in a main checkout: two features side by side keep apart."""
        name = self.checkout.name if self.checkout else ""
        return configuration.repository_name(name) if name else None

    @cached_property
    def repository(self) -> str:
        """The repository of this project's images on the engine."""
        return self.config.image.repository or self.name

    @property
    def tags(self) -> tuple[str, ...]:
        """The friendly tags of the image."""
        return (self.worktree,) if self.worktree else tuple(self.config.image.tags)

    @cached_property
    def variant(self) -> str:
        """Profile and target: images of different variants are not compared with each other."""
        return f"{self.config.profile}/{self.config.target or 'host'}"

    # --- the tree ----------------------------------------------------------------------------------------------------

    @cached_property
    def workspace(self) -> Workspace:
        """Manifests and cargo configuration."""
        from layerdoit.cargo import manifest

        return manifest.load(self.root)

    @cached_property
    def lock(self) -> Lock:
        """Cargo.lock."""
        from layerdoit.cargo import lock

        return lock.load(self.root)

    @cached_property
    def options(self) -> BuildOptions:
        """How cargo is called."""
        from layerdoit.cargo import choices, selection

        config = self.config
        configuration.check_choices(config, "profile", [config.profile], choices.profiles(self.workspace))
        plain = [name for name in config.features if "/" not in name]  # cargo itself judges `package/feature`
        configuration.check_choices(config, "features", plain, choices.features(self.workspace))
        return selection.BuildOptions(
            profile=config.profile,
            features=tuple(config.features),
            all_features=config.all_features,
            default_features=config.default_features,
            target=config.target,
            env=tuple(sorted(config.env.items())),
        )

    @cached_property
    def selection(self) -> Selection:
        """Packages and binaries that are built."""
        from layerdoit.cargo import selection

        return selection.select(self.workspace, self.config.packages, self.config.bins, self.options)

    @cached_property
    def toolchain(self) -> Toolchain:
        """The compiler."""
        return detect(self.root, self.config.toolchain, self.state.folder)

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """Target triples that the builder must be able to compile for, besides its own."""
        return tuple(sorted({*self.toolchain.targets, *([self.config.target] if self.config.target else [])}))

    @cached_property
    def all_sources(self) -> Sources:
        """Every file that git, or the configuration, counts to the project."""
        if self.known is not None:
            ups, outside = self.known.ups, self.known.outside
        else:
            ups, outside = self.workspace.ups, self.workspace.outside
        return self.scan(ups, outside)

    def scan(self, ups: int, outside: Sequence[str]) -> Sources:
        """Hash the tree, `ups` and `outside` being those of the workspace; once for the same question."""
        if self._scanned is not None and self._scanned[0] == (ups, outside):
            return self._scanned[1]
        config = self.config
        found = scan(
            self.root,
            ups=ups,
            outside=outside,
            exclude=(*config.sources.exclude, *_OURS, *self._own_dockerfiles()),
            include=(*config.sources.include, *config.image.assets),
            index_file=self.state / "index",
        )
        self._scanned = ((ups, outside), found)
        return found

    def _own_dockerfiles(self) -> list[str]:
        own = self.config.dockerfiles
        return [path for path in (own.base, own.deps, own.app) if path is not None]

    @cached_property
    def asset_paths(self) -> Mapping[str, str]:
        """Assets as context path -> absolute path in the image; each exists."""
        found = {}
        for path, place in self.config.image.assets.items():
            if not (self.root / path).exists():
                raise WorkspaceError(
                    f'image.assets: there is no "{path}"',
                    where=self.config.where.get("image.assets"),
                    hint="give paths relative to the project's root",
                )
            found[self.workspace.context_path(path)] = place
        return found

    @cached_property
    def assets(self) -> Sources:
        """Files that are copied into the image after compilation."""
        if not self.asset_paths:
            return Sources(self.root, self.workspace.ups, {})
        return self.all_sources.under(tuple(self.asset_paths))

    @cached_property
    def sources(self) -> Sources:
        """Files that the compiler may see: assets are none of them, unless `sources.include` says so."""
        if not self.asset_paths:
            return self.all_sources
        again = self.all_sources.under([self.workspace.context_path(path) for path in self.config.sources.include])
        dropped = set(self.assets.entries) - (set(again.entries) if self.config.sources.include else set())
        kept = {path: entry for path, entry in self.all_sources.entries.items() if path not in dropped}
        return Sources(self.root, self.workspace.ups, kept)

    def reread(self) -> None:
        """Forget what was read of the tree, for it moved."""
        self._scanned = None
        for name in _OF_THE_TREE:
            self.__dict__.pop(name, None)

    # --- layers ------------------------------------------------------------------------------------------------------

    @cached_property
    def stub(self) -> Stub:
        """The workspace of stubs that the deps layer is cooked from."""
        from layerdoit.cargo import stub

        return stub.make(self.workspace, self.lock, self.selection)

    @cached_property
    def kept(self) -> Sources:
        """Local packages that external crates depend on: real, in the deps layer too."""
        from layerdoit.cargo import stub, stub_closure

        copies = stub.copies(self.workspace, stub_closure.closure(self.workspace, self.lock, self.selection))
        if not copies:
            return Sources(self.root, self.workspace.ups, {})
        return self.all_sources.under([destination for _, destination in copies])

    def dockerfile(self, layer: str) -> Path:
        """The project's own Dockerfile of a layer, else ours."""
        own = getattr(self.config.dockerfiles, layer)
        return self.root / own if own else dockerfile_dir() / f"Dockerfile.{layer}"

    def scripts(self, *names: str) -> dict[str, bytes]:
        """Scripts that run inside a build."""
        return {name: (dockerfile_dir() / name).read_bytes() for name in names}

    def _digest_of(self, layer: str, *scripts: str) -> str:
        from layerdoit.layers.key import digest

        parts = [self.dockerfile(layer).read_bytes(), *self.scripts(*scripts).values()]
        return digest(hashlib.sha256(part).hexdigest() for part in parts)[:16]

    @cached_property
    def specs(self) -> tuple[Spec, ...]:
        """Base, runtime, deps, app, each with its key."""
        from layerdoit.cargo import deps_inputs
        from layerdoit.layers.specs import app, base, deps

        config, repository = self.config, self.repository
        facts = base.BaseFacts(
            dockerfile=self._digest_of("base"),
            suite=config.base.suite,
            platform=f"linux/{docker_name(architecture())}",
            toolchain=self.toolchain.identity,
            targets=self.targets,
            packages=config.base.packages,
            runtime_packages=config.base.runtime_packages,
            image=config.base.image or "",
            runtime_image=config.base.runtime_image or "",
            user=config.image.user,
            components=self.toolchain.components,
        )
        builder, runtime = base.builder(facts, repository), base.runtime(facts, repository)
        crates = deps_inputs.inputs(self.workspace, self.lock, self.selection, self.options)
        cooked = deps.spec(
            crates, builder.key, self._digest_of("deps", "cook.sh", "sync.sh"), self.kept.digest(), repository
        )
        contents = app.AppFacts(
            dockerfile=self._digest_of("app", "build.sh", "sync.sh"),
            sources=self.sources.digest(),
            assets=self.assets.digest(),
            bins=" ".join(f"{package}/{name}" for package, name in self.selection.bins),
            settings=self.settings,
            files=lambda: (self.listing(self.sources), self.listing(self.assets)),
        )
        return (builder, runtime, cooked, app.spec(contents, cooked.key, runtime.key, repository))

    def listing(self, found: Sources) -> dict[str, str]:
        """Path as a user knows it, relative to the workspace root -> kind and digest."""
        top = self.workspace.context_path(".")
        return {posixpath.relpath(path, top): entry.kind + entry.digest for path, entry in found.entries.items()}

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """What the app image's configuration holds, as text."""
        image = self.config.image
        values = {
            "entrypoint": self.entrypoint,
            "cmd": list(image.cmd),
            "env": dict(sorted(image.env.items())),
            "labels": dict(sorted(image.labels.items())),
            "user": image.user,
            "workdir": image.workdir,
            "expose": list(image.expose),
            "assets": dict(sorted(image.assets.items())),
            "smoke": list(image.smoke),
        }
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}

    @cached_property
    def entrypoint(self) -> str:
        """The binary that the image runs."""
        names = [name for _, name in self.selection.bins]
        wanted = self.config.image.entrypoint
        if wanted is not None:
            configuration.check_choices(self.config, "image.entrypoint", [wanted], names)
            return wanted
        return self.name if self.name in names else names[0]

    @cached_property
    def locked(self) -> str:
        """`name version` of every external package of Cargo.lock, as a deps image's label holds it."""
        return locked_text(f"{package.name} {package.version}" for package in self.lock.external)

    @cached_property
    def images(self) -> Images:
        """The engine's images."""
        return Images(connect())

    # --- what the last run found out ---------------------------------------------------------------------------------

    @cached_property
    def known(self) -> known.Known | None:
        """The last run's knowledge, if tree, configuration and toolchain are still the same. Scans the tree."""
        found = known.read(self._known_file)
        if found is None or self._signature(self.scan(found.ups, found.outside)) != found.signature:
            return None
        return found

    def remember(self) -> None:
        """Keep what was found out for the next run."""
        specs = tuple((spec.layer, spec.key, spec.repository) for spec in self.specs)
        signature = self._signature(self.all_sources)
        fresh = known.Known(signature, self.workspace.ups, self.workspace.outside, specs, self.locked)
        known.write(self._known_file, fresh)

    @property
    def _known_file(self) -> Path:
        return known.file(self.state.folder, repr(self.config))

    def _signature(self, found: Sources) -> str:
        """Everything that the specs follow from."""
        files = [self.dockerfile(layer).read_bytes() for layer in configuration.LAYERS]
        texts = [hashlib.sha256(content).hexdigest() for content in (*files, *self.scripts(*_SCRIPTS).values())]
        own = (__version__, self.root.name, repr(self.config), self.toolchain.identity)
        return known.signature([*own, found.digest(), *texts])
