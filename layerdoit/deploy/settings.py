"""What a provider is made from: the `deploy` section of the configuration, and whose deployment it is."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from layerdoit.config import FILE, Config, Deploy, Image, repository_name
from layerdoit.config.environments import DEFAULT, file_of
from layerdoit.engine.ownership import ANYONE, Owner

if TYPE_CHECKING:
    from layerdoit.config.deploy_section import Kubernetes
    from layerdoit.deploy.live import Live
    from layerdoit.deploy.release import Release
    from layerdoit.deploy.release_entry import Entry
    from layerdoit.project.project import Project


_STARTED_WITH: Final = (
    *("args", "bind", "cpus", "gap", "isolated_start", "memory", "network", "port", "publish", "restart"),
    *("stop_grace", "volumes"),
)
"""The settings that a container is started with; how it is judged, and what happens around it, makes no difference."""


class Page(NamedTuple):
    """A folder of the image whose files browsers load. `hashed`: an expression of paths in it, as in `hashed_names`."""

    folder: str
    hashed: str


OF_SERVICE: Final = " services."
NAMED: Final = " ENV="
"""What stands before the service and the environment in the label that says which settings described a deployment."""


@dataclass(frozen=True)
class DeploySettings:
    """`name`: the deployment's; `root`: the project's folder; `elsewhere`: see `home`.

    `owner`: who the project is besides its name; `where`: file and line of each setting, by its path.
    `source`: which file says so, with the environment that is named; `environment`: which one it is.
    `whole`: all settings of the project; `files`: its files, relative to its folder; `serving`: the line of the log of
    releases about what came to serve last; `pages`: what browsers load of it; `part`: which image of the tree it is
    about, '' for the only one.

    Of one service of several: `service`: its name in the table `services`; `apart`: the named environment, or the
    worktree, whose services keep apart from those of others; `foreign`: the image that it runs, where that is not built
    here; `needs`: what it needs, of the table or of a compose file; `table`: all services of the table.

    `live`: the watch that keeps it, for which it is started in another way.
    """

    config: Deploy
    name: str
    project: str
    root: Path
    owner: Owner = ANYONE
    where: Mapping[str, str] = field(default_factory=dict, compare=False)
    source: str = ""
    whole: Config = field(default_factory=Config, compare=False)
    files: Callable[[], Sequence[str]] = field(default=tuple, compare=False)
    serving: Callable[[], Entry | None] = field(default=lambda: None, compare=False)
    environment: str = DEFAULT
    elsewhere: Path | None = None
    pages: tuple[Page, ...] = field(default=(), compare=False)
    service: str = ""
    part: str = ""
    apart: str = ""
    foreign: str = ""
    needs: tuple[str, ...] = ()
    table: Callable[[], Mapping[str, DeploySettings]] = field(default=dict, compare=False)
    live: Live | None = None

    @property
    def home(self) -> Path:
        """Where relative volumes and `.env` files are: the project's folder, though a clone of it is deployed."""
        return self.elsewhere or self.root

    @property
    def image(self) -> Image:
        """How the image is made."""
        return self.whole.image

    @cached_property
    def env(self) -> Mapping[str, str]:
        """The variables of the container. ConfigError where a file cannot be read, or one names an unset one."""
        read: Mapping[str, str] = {}
        if (name := self.config.env_file) is not None:
            from layerdoit.deploy import env_file

            read = env_file.read(self.home, name, self.where.get("deploy.env_file"))
        return {**read, **{name: self._filled(name, value, read) for name, value in self.config.env.items()}}

    def _filled(self, name: str, value: str, read: Mapping[str, str]) -> str:
        if "$" not in value:
            return value
        from layerdoit.deploy import interpolation

        path = f"deploy.env.{name}"
        return interpolation.filled(value, {**read, **os.environ}, path, self.where.get(path))

    @cached_property
    def secrets(self) -> Mapping[str, str]:
        """The values of `deploy.secrets`, redacted from here on. ConfigError where one lacks."""
        if not self.config.secrets:
            return {}
        from layerdoit.deploy import secret_values

        where = self.where.get("deploy.secrets", "")
        return secret_values.read(self.home, self.environment, self.config.secrets, where)

    @cached_property
    def last(self) -> Release | None:
        """What came to serve here last, as the log of releases has it."""
        found = self.serving()
        return found.release if found else None

    @property
    def unchanged(self) -> bool:
        """Whether what came to serve last was started with these settings."""
        found = self.serving()
        return found is not None and found.started_with == self.digest()

    @property
    def volumes(self) -> tuple[str, ...]:
        """The volumes, with sources that are relative to the project made absolute."""
        return tuple(_absolute(volume, self.home) for volume in self.config.volumes)

    @property
    def network(self) -> str:
        """The network that it serves on: services of one environment find one another there by their names."""
        own = f"layerdoit-{self.project}"
        return self.config.network or (f"{own}.{self.apart}" if self.service and self.apart else own)

    @property
    def aliases(self) -> tuple[str, ...]:
        """Its names in that network."""
        return tuple(filter(None, (self.name, self.service)))

    def digest(self) -> str:
        """Names what a service is started with; how its health is judged makes no difference."""
        return hashlib.sha256(json.dumps(self.facts(), sort_keys=True).encode()).hexdigest()[:16]

    def facts(self) -> Mapping[str, Any]:
        """What a service is started with, by the names of the settings."""
        settings = {name: getattr(self.config, name) for name in _STARTED_WITH}
        facts = {**settings, "name": self.name, "env": dict(self.env)}
        if self.needs:
            facts["needs"] = self.needs
        if self.foreign:
            facts |= {"image": self.foreign, "network": self.network}
        if self.live is not None:
            facts["live"] = self.live.watch
        if self.config.provider == "kubernetes":
            # Another manifest is another release, though the image is the same.
            facts["manifests"] = _contents(self.root, self.config.kubernetes)
        if self.secrets:
            from layerdoit.deploy import secret_values

            facts["secrets"] = secret_values.fingerprint(self.secrets)
        return facts


def settings_of(project: Project) -> DeploySettings:
    """The deployment of a project in its environment; of a worktree of it, where ENV names none."""
    config = project.config.deploy
    name = deployment_name(project, project.worktree)
    whole, foreign = project.config, _foreign(project)
    apart = project.environment if project.config.named else project.worktree
    if foreign:
        # Whose user it runs as, and where, is said in an image of somebody else.
        whole = replace(whole, image=Image(user="root", workdir="/"))
    return DeploySettings(
        config,
        name,
        project.name,
        project.root,
        project.owner,
        whole.where,
        _source(project),
        whole,
        tuple if foreign else partial(_files, project),
        environment=project.environment,
        elsewhere=project.home,
        pages=_pages(project),
        service=project.service,
        part=project.part,
        apart=repository_name(apart).replace("/", "-") if apart else "",
        foreign=foreign,
        needs=project.whole.config.services[project.service].needs if project.whole else (),
        table=partial(_table, project),
    )


def _foreign(project: Project) -> str:
    image = project.whole.config.services[project.service].image if project.whole else None
    return image if isinstance(image, str) else ""


def _table(project: Project) -> Mapping[str, DeploySettings]:
    services = (project.whole or project).services
    return {name: settings_of(one) for name, one in services.items()}


def _pages(project: Project) -> tuple[Page, ...]:
    whole = (project.whole or project).config
    if not whole.components:
        return ()
    from layerdoit.config.services_section import Static
    from layerdoit.dockerfile import hashed_names, nginx_conf

    static, folders = Static(), [nginx_conf.ROOT]
    if project.kind == "served":
        static = whole.services[project.service].static
    else:
        having = [one for one in whole.components.values() if project.service in (one.services or (project.service,))]
        folders = [one.into for one in having if one.into and project.kind == "compiled"]
    hashed = hashed_names.expression(static.immutable)
    return tuple(Page(posixpath.normpath(folder), hashed) for folder in folders)


def _source(project: Project) -> str:
    # Several deployments of one folder have a file each (CONFIG=…), or an environment.
    given = project.variables.get("CONFIG")
    file = given or (file_of(project.environment) if project.config.named else FILE)
    if project.call is not None and project.call.given:
        file = f"{given} over {project.call.name}" if given else project.call.name
    of = f"{OF_SERVICE}{project.service}" if project.service else ""
    return f"{file}{of}{NAMED}{project.environment}" if project.config.named else f"{file}{of}"


def _files(project: Project) -> Sequence[str]:
    return project.lister.files


def deployment_name(project: Project, worktree: str | None) -> str:
    """What the deployment of a worktree of the project is called, or without one the project's.

    A named environment is the same one from every worktree.
    """
    apart = project.environment if project.config.named else worktree
    default = f"{project.title}-{apart}" if apart else project.title
    return repository_name(project.config.deploy.name or default).replace("/", "-")


def _contents(root: Path, config: Kubernetes) -> str:
    """Names what manifests say; of a kustomization, what is in its folder."""
    found = hashlib.sha256()
    for name in filter(None, (*config.manifests, config.kustomize)):
        path = root / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                found.update(f"{os.path.relpath(file, root)}\0".encode() + file.read_bytes())
    return found.hexdigest()


def _absolute(volume: str, root: Path) -> str:
    source, colon, rest = volume.partition(":")
    if source.startswith("~"):
        return f"{os.path.expanduser(source)}{colon}{rest}"
    return f"{(root / source).resolve()}{colon}{rest}" if source.startswith(".") else volume
