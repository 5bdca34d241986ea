"""Who a project is: its folder, its configuration, its name; read once, and the same for all of a reading."""

from __future__ import annotations

from dataclasses import field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from layerdoit import config as configuration
from layerdoit.config import service_clashes
from layerdoit.config.service_settings import kind_of
from layerdoit.core.errors import ConfigError
from layerdoit.core.frozen import Frozen
from layerdoit.core.state import State
from layerdoit.project import compiled_for
from layerdoit.project.settings_cache import SettingsCache
from layerdoit.tree import git, links
from layerdoit.tree.kept import Kept
from layerdoit.tree.lister import Lister

if TYPE_CHECKING:
    # A run with nothing to do needs none of these at run time.
    from collections.abc import Mapping, Sequence

    from layerdoit.cargo.manifest import Workspace
    from layerdoit.cargo.options import Options
    from layerdoit.cargo.selection import Selection
    from layerdoit.config.service_settings import Kind as ServiceKind
    from layerdoit.engine.ownership import Owner
    from layerdoit.engine.platform_way import Way

# What says how to build is keyed by what it says; it is no source, so that an edit of it runs no cargo.
_OURS = ("dodo.py", configuration.FILE, "layerdoit.*.yaml")

Kind = Literal["build", "check", "measure"]
"""What can be asked of a project."""


class Project(Frozen, eq=False):
    """One Rust project as it is configured. To read it again is to open a new one.

    `variables`: those of the command line; `state`: the folder `.layerdoit/`; `home`: the folder whose files of this
    machine a deployment uses (volumes, `env_file`, `.env.<name>`), where that is not `root`. `service`: which service
    of the project `whole` it is; '' for a whole project. `call`: what a dodo.py says of it. `kept`: what earlier
    readings in this process left.
    """

    root: Path
    variables: Mapping[str, str]
    config: configuration.Config
    state: State
    home: Path | None = None
    service: str = ""
    whole: Project | None = None
    call: configuration.CallSettings | None = None
    kept: Kept = field(default_factory=Kept, repr=False)

    @classmethod
    def open(
        cls,
        root: Path,
        variables: Mapping[str, str],
        *,
        state: State | None = None,
        notes: State | None = None,
        home: Path | None = None,
        call: configuration.CallSettings | None = None,
        kept: Kept | None = None,
    ) -> Project:
        """Read the configuration: layerdoit.yaml, what a dodo.py says in a `call`, the environment's file, that which
        CONFIG names, and the variables.

        `state`: another state folder than that of `root`; `notes`: another one that only the configuration is noted
        in. ConfigError where a file or variable is wrong.
        """
        root = root.resolve()
        state = state or State.open(root)
        config = _loaded(root, variables, notes or state, call)
        return cls(root, dict(variables), config, state, home, call=call, kept=kept or Kept())

    def again(self) -> Project:
        """The same project, read again."""
        self.kept.look()
        found = Project.open(
            self.root, self.variables, state=self.state, home=self.home, call=self.call, kept=self.kept
        )
        found.lister.begin()
        return found.of_service(self.service) if self.service else found

    # --- services ----------------------------------------------------------------------------------------------------

    @cached_property
    def services(self) -> Mapping[str, Project]:
        """The services, by name: each is a project with settings of its own, of the same tree. None of a service."""
        return {name: self._of_service(name) for name in self.config.services}

    def of_service(self, name: str) -> Project:
        """One of the services. ConfigError where the tree has it no more."""
        if name not in self.services:
            hint = f"services: {', '.join(self.services) or 'none'}"
            raise ConfigError(f'there is no service "{name}"', where=self.config.where.get("services"), hint=hint)
        return self.services[name]

    @property
    def images(self) -> tuple[Project, ...]:
        """Whose repositories have images of the project: its own, with base and deps, and those of the services."""
        return (self, *self.services.values())

    def _of_service(self, name: str) -> Project:
        config = configuration.of_service(self.config, name, self.variables)
        return replace(self, config=config, service=name, whole=self)

    @property
    def kind(self) -> ServiceKind:
        """How the image comes about."""
        if self.whole is None:
            return "packed" if self.config.build.binary else "compiled"
        return kind_of(self.whole.config.services[self.service])

    # --- other calls of the dodo.py for the same folder --------------------------------------------------------------

    @cached_property
    def _peers(self) -> tuple[configuration.Config, ...]:
        """The settings of the other calls."""
        others = self.call.others if self.call is not None else ()
        return tuple(_loaded(self.root, self.variables, self.state, one) for one in others)

    @property
    def shares(self) -> bool:
        """Whether there are other images of the same tree, with binaries of their own."""
        return self.whole is not None or bool(self._peers)

    @property
    def part(self) -> str:
        """Which image of the tree it is: that of a service, or of a call with settings of its own; '' for the only one.

        What is noted about an image is noted apart for each.
        """
        called = self.call.part if self.call is not None else ""
        return "-".join(filter(None, (called, self.service)))

    def refuse_clashes(self) -> None:
        """ConfigError where another call of the dodo.py would deploy or tag under the same name."""
        if self.call is None:
            return
        calls = {self.call: self.config}
        for one, config in zip(self.call.others, self._peers, strict=True):
            # Calls that lay nothing over are one project under several prefixes.
            if one.given or all(other.given for other in calls):
                calls[one] = config
        service_clashes.of_calls(calls)

    @cached_property
    def chosen(self) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
        """Packages and binaries that are named: by this project's settings, and by those of the other calls."""
        if self.whole is not None:
            return self.whole.chosen
        return tuple(
            (tuple(one.packages), _named_bins(one))
            for one in (self.config, *(one for one in self._peers if not one.build.binary))
        )

    @cached_property
    def has_rust(self) -> bool:
        """Whether cargo compiles anything of the tree, for whatever service: only then is there a workspace to read."""
        if self.whole is not None:
            return self.whole.has_rust
        if self.services:
            return any(one.kind == "compiled" for one in self.services.values())
        return self.kind == "compiled"

    @property
    def program(self) -> str | None:
        """The program that was compiled elsewhere, by its path in the project; None where cargo compiles."""
        return self.config.build.binary if self.kind == "packed" else None

    # --- names -------------------------------------------------------------------------------------------------------

    @cached_property
    def name(self) -> str:
        """The project's name: configured, else the root package's, else the only built package's, else the folder's.

        The same for all services.
        """
        if self.whole is not None:
            return self.whole.name
        if self.config.project:
            return self.config.project
        if not self.has_rust:
            has_manifest = (self.root / "Cargo.toml").is_file()
            found = self.workspace.root_package if has_manifest else None
            return configuration.repository_name(found or self.root.name)
        only = self.selection.owners[0] if len(self.selection.owners) == 1 else self.root.name
        return configuration.repository_name(self.workspace.root_package or only)

    @property
    def title(self) -> str:
        """What the image is called where nothing else is configured: the project's name, and the service's."""
        return f"{self.name}-{self.part}" if self.part else self.name

    @property
    def runtime_variant(self) -> str:
        """Which of `variants` the runtime image is; '' for the ordinary one."""
        return self.variables.get("VARIANT", "")

    @property
    def platform(self) -> str | None:
        """The platform that was asked for; None for the engine's."""
        written = self.variables.get("PLATFORM")
        return None if not written else str(configuration.variable_value("PLATFORM", written))

    @cached_property
    def way(self) -> Way | None:
        """How an image for that platform comes about. EngineError where nothing here can build it."""
        if self.whole is not None:
            return self.whole.way
        if self.platform is None:
            return None
        from layerdoit.engine import platform_ways
        from layerdoit.engine.handle import Engine

        engine = Engine(self.config.builder)
        return platform_ways.choose(self.platform, engine, self.config, compiles=self.has_rust)

    @property
    def elsewhere(self) -> str:
        """A word for the platform that was asked for, `arm64`; '' for the engine's."""
        way = self.way
        if way is None or not way.elsewhere:
            return ""
        return way.platform.removeprefix("linux/").replace("/", "-")

    @cached_property
    def target(self) -> str | None:
        """The target triple; None for the builder's own."""
        return compiled_for.target(self.config, self.way)

    @cached_property
    def env(self) -> Mapping[str, str]:
        """Variables of cargo."""
        return compiled_for.env(self.config, self.way)

    def variant(self, kind: Kind = "build") -> str:
        """Question, profile and target: images of different variants are not compared with each other."""
        suffix = "" if kind == "build" else f"+{kind}"
        # What another builder compiles, or an emulated one, has no target.
        return f"{self.config.profile}{suffix}/{self.target or self.elsewhere or 'host'}"

    @property
    def app_variant(self) -> str:
        """The same of app images, of which each service has its own, and each runtime image."""
        own = f"{self.variant()}/{self.part}" if self.part else self.variant()
        return f"{own}+{self.runtime_variant}" if self.runtime_variant else own

    @cached_property
    def repository(self) -> str:
        """The repository of the app image on the engine."""
        return self.config.image.repository or self.title

    @property
    def layers_repository(self) -> str:
        """The repository of base and deps on the engine: that of the whole project, whatever is chosen of it."""
        return self.whole.layers_repository if self.whole is not None else self._common_repository

    @cached_property
    def _common_repository(self) -> str:
        """What layerdoit.yaml says, whatever calls in a dodo.py lay over it; of another project, its own."""
        if self.call is None or not self.call.given:
            return self.repository
        common = _loaded(self.root, self.variables, self.state, None)
        return self.repository if common.project != self.config.project else common.image.repository or self.name

    @cached_property
    def checkout(self) -> git.Checkout | None:
        """The git checkout that the project is, or is a folder of."""
        return self.whole.checkout if self.whole is not None else git.find(self.root)

    @cached_property
    def owner(self) -> Owner:
        """Who the project is besides its name: what tells it from others of that name on an engine."""
        if self.whole is not None:
            return self.whole.owner
        from layerdoit.project import identity

        return identity.of(self.root, self.state)

    @cached_property
    def worktree(self) -> str | None:
        """The name of a linked git worktree, None in a main checkout: two features side by side keep apart."""
        name = self.checkout.name if self.checkout else ""
        return configuration.repository_name(name) if name else None

    @property
    def tags(self) -> tuple[str, ...]:
        """The friendly tags of the image. A named environment is the same one from every worktree."""
        names = tuple(self.config.image.tags)
        if self.worktree and not self.config.named:
            names = (f"{self.worktree}-{self.runtime_variant}" if self.runtime_variant else self.worktree,)
        # An engine has one image for a tag, and that is its own platform's.
        return tuple(f"{name}-{self.elsewhere}" for name in names) if self.elsewhere else names

    @property
    def local_only(self) -> bool:
        """Whether nothing is to be pushed or deployed, whatever the environment says."""
        return configuration.switched_on("LOCAL_ONLY", self.variables)

    @property
    def environment(self) -> str:
        """The environment that the project is configured for."""
        return self.config.environment

    @property
    def references(self) -> tuple[str, ...]:
        """The names of the image: its repository with each of the friendly tags."""
        return tuple(f"{self.repository}:{tag}" for tag in self.tags)

    # --- files -------------------------------------------------------------------------------------------------------

    @cached_property
    def lister(self) -> Lister:
        """What is sent to builds, for those who look for files; listed once."""
        if self.whole is not None:
            return self.whole.lister
        config, assets = self.config, self.assets
        own = (config.dockerfiles.base, config.dockerfiles.deps, config.dockerfiles.app)
        return Lister(
            self.root,
            (*config.sources.exclude, *_OURS, *(path for path in own if path is not None)),
            (*config.sources.include, *assets, *links.followed(str(self.root), assets)),
            where=config.where.get("sources.include"),
            from_top=config.build.git != "none",
            kept=self.kept,
        )

    @cached_property
    def assets(self) -> tuple[str, ...]:
        """The assets of all images of the tree, by their paths in the project: none of them is a source of another."""
        if self.whole is not None:
            return self.whole.assets
        each = (self, *self.services.values())
        paths = [path for one in each for path in one.config.image.assets]
        return tuple(dict.fromkeys((*paths, *(one.program for one in each if one.program is not None))))

    # --- manifests ---------------------------------------------------------------------------------------------------

    @cached_property
    def workspace(self) -> Workspace:
        """Manifests and cargo configuration."""
        if self.whole is not None:
            return self.whole.workspace
        from layerdoit.cargo import manifest

        found = manifest.load(self.root, self.lister)
        # In the order of their files, too. What is made of the same one is kept, and is recognised by that.
        tables = tuple(id(one) for one in (found.manifest, *(each.manifest for each in found.packages.values())))
        return self.kept.made("workspace", (found, tables, repr(found.configuration)), lambda: found)

    @cached_property
    def extra(self) -> tuple[str, ...]:
        """What is sent besides the files of the tree: what its workspace lies in, or depends on."""
        return self.workspace.extra if self.has_rust else ()

    @cached_property
    def options(self) -> Options:
        """How cargo is called. ConfigError where the workspace has no such profile or feature."""
        if self.whole is not None:
            return self.whole.options
        from layerdoit.cargo import choices
        from layerdoit.cargo.options import Options

        config = self.config
        configuration.check_choices(config, "profile", [config.profile], choices.profiles(self.workspace))
        plain = [name for name in config.features if "/" not in name]  # cargo itself judges `package/feature`
        configuration.check_choices(config, "features", plain, choices.features(self.workspace))
        return Options(
            profile=config.profile,
            features=tuple(config.features),
            all_features=config.all_features,
            default_features=config.default_features,
            target=self.target,
            env=tuple(sorted(self.env.items())),
            deps_env=tuple(config.deps.env),
        )

    @cached_property
    def selection(self) -> Selection:
        """Packages and binaries that are compiled: those of all services, so that choosing one changes nothing."""
        if self.whole is not None:
            return self.whole.selection
        from layerdoit.cargo import selection

        return selection.together([self._own_selection, *(self._selected(*one) for one in self.chosen[1:])])

    @cached_property
    def _own_selection(self) -> Selection:
        return self._selected(*self.chosen[0])

    def _selected(self, packages: Sequence[str], bins: Sequence[str]) -> Selection:
        from layerdoit.cargo import selection

        given = (self.workspace, packages, bins, self.options, self._bin_places())
        return self.kept.made(f"selection {packages} {bins}", given, lambda: selection.select(*given))

    def _bin_places(self) -> Mapping[str, str]:
        """Where packages and binaries are named; of a binary that the workspace does not have, where its service is."""
        places = dict(self.config.where)
        if self.services and "bins" not in places:
            known = {name for package in self.workspace.packages.values() for name in package.bins}
            for name, each in self.services.items():
                if each.kind == "compiled" and not known.issuperset(each.config.bins):
                    places["bins"] = self.config.where.get(f"services.{name}.bins", "")
        return places

    @cached_property
    def bins(self) -> tuple[tuple[str, str], ...]:
        """Those of the compiled binaries that the image holds, as (package, binary)."""
        if not self.has_rust:
            return ()
        if self.whole is None:
            return self._own_selection.bins
        return tuple(pair for pair in self.selection.bins if pair[1] in self.config.bins)


def _loaded(
    root: Path, variables: Mapping[str, str], notes: State, call: configuration.CallSettings | None
) -> configuration.Config:
    overlay = variables.get("CONFIG")
    return configuration.load(
        root,
        overlay=Path(overlay) if overlay else None,
        variables=variables,
        cache=SettingsCache(notes),
        call=call,
    )


def _named_bins(config: configuration.Config) -> tuple[str, ...]:
    compiled = [one.bins for one in config.services.values() if kind_of(one) == "compiled"]
    return tuple(dict.fromkeys((*config.bins, *(name for names in compiled for name in names))))
