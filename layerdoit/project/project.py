"""Who a project is: its folder, its configuration, its name; read once, and the same for all of a reading."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from layerdoit import config as configuration
from layerdoit.core.state import State
from layerdoit.project.settings_cache import SettingsCache
from layerdoit.tree import git, links
from layerdoit.tree.lister import Lister

if TYPE_CHECKING:
    # A run with nothing to do needs none of these at run time.
    from collections.abc import Mapping

    from layerdoit.cargo.manifest import Workspace
    from layerdoit.cargo.options import Options
    from layerdoit.cargo.selection import Selection
    from layerdoit.engine.ownership import Owner

# What says how to build is keyed by what it says; it is no source, so that an edit of it runs no cargo.
_OURS = ("dodo.py", configuration.FILE, "layerdoit.*.yaml")

Kind = Literal["build", "check", "measure"]
"""What can be asked of a project."""


@dataclass(frozen=True, eq=False)
class Project:
    """One Rust project as it is configured. To read it again is to open a new one.

    `variables`: those of the command line; `state`: the folder `.layerdoit/`; `home`: the folder whose files of this
    machine a deployment uses (volumes, `env_file`, `.env.<name>`), where that is not `root`.
    """

    root: Path
    variables: Mapping[str, str]
    config: configuration.Config
    state: State
    home: Path | None = None

    @classmethod
    def open(
        cls,
        root: Path,
        variables: Mapping[str, str],
        *,
        state: State | None = None,
        notes: State | None = None,
        home: Path | None = None,
    ) -> Project:
        """Read the configuration: layerdoit.yaml, the environment's file, that which CONFIG names, and the variables.

        `state`: another state folder than that of `root`; `notes`: another one that only the configuration is noted
        in. ConfigError where a file or variable is wrong.
        """
        root = root.resolve()
        state = state or State.open(root)
        overlay = variables.get("CONFIG")
        config = configuration.load(
            root,
            overlay=Path(overlay) if overlay else None,
            variables=variables,
            cache=SettingsCache(notes or state),
        )
        return cls(root, dict(variables), config, state, home)

    def again(self) -> Project:
        """The same project, read again."""
        return Project.open(self.root, self.variables, state=self.state, home=self.home)

    # --- names -------------------------------------------------------------------------------------------------------

    @cached_property
    def name(self) -> str:
        """The project's name: configured, else the root package's, else the only built package's, else the folder's."""
        if self.config.project:
            return self.config.project
        only = self.selection.owners[0] if len(self.selection.owners) == 1 else self.root.name
        return configuration.repository_name(self.workspace.root_package or only)

    def variant(self, kind: Kind = "build") -> str:
        """Question, profile and target: images of different variants are not compared with each other."""
        suffix = "" if kind == "build" else f"+{kind}"
        return f"{self.config.profile}{suffix}/{self.config.target or 'host'}"

    @cached_property
    def repository(self) -> str:
        """The repository of this project's images on the engine."""
        return self.config.image.repository or self.name

    @cached_property
    def checkout(self) -> git.Checkout | None:
        """The git checkout that the project is, or is a folder of."""
        return git.find(self.root)

    @cached_property
    def owner(self) -> Owner:
        """Who the project is besides its name: what tells it from others of that name on an engine."""
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
        return (self.worktree,) if self.worktree and not self.config.named else tuple(self.config.image.tags)

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
        config = self.config
        own, assets = (config.dockerfiles.base, config.dockerfiles.deps, config.dockerfiles.app), config.image.assets
        return Lister(
            self.root,
            (*config.sources.exclude, *_OURS, *(path for path in own if path is not None)),
            (*config.sources.include, *assets, *links.followed(str(self.root), assets)),
            where=config.where.get("sources.include"),
            from_top=config.build.git != "none",
        )

    # --- manifests ---------------------------------------------------------------------------------------------------

    @cached_property
    def workspace(self) -> Workspace:
        """Manifests and cargo configuration."""
        from layerdoit.cargo import manifest

        return manifest.load(self.root, self.lister)

    @cached_property
    def options(self) -> Options:
        """How cargo is called. ConfigError where the workspace has no such profile or feature."""
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
            target=config.target,
            env=tuple(sorted(config.env.items())),
            deps_env=tuple(config.deps.env),
        )

    @cached_property
    def selection(self) -> Selection:
        """Packages and binaries that are built."""
        from layerdoit.cargo import selection

        return selection.select(self.workspace, self.config.packages, self.config.bins, self.options, self.config.where)
