"""What a component is made of: its installation, its sources, and the keys of both. Computable without an engine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from layerdoit.core.errors import ConfigError
from layerdoit.core.resources import dockerfile_dir
from layerdoit.layers.key import TAG_DIGITS, digest
from layerdoit.layers.specs import node as node_specs
from layerdoit.node import install_root, node_version, npmrc
from layerdoit.node.folder_names import joined, normal
from layerdoit.node.install_root import SETTINGS
from layerdoit.tree.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from layerdoit.config.components_section import Component
    from layerdoit.layers.key import Spec
    from layerdoit.node.install_root import Root
    from layerdoit.node.node_version import Installed, Wanted
    from layerdoit.project.project import Project
    from layerdoit.project.snapshot import Tree

OUTPUT: Final = "output-"
DEBIAN: Final = "of Debian"
"""The version of a Node of which only the distribution knows it."""
_RECIPES: Final[Mapping[str, tuple[str, ...]]] = {
    "base": ("Dockerfile.node-base",),
    "deps": ("Dockerfile.node", "node-install.sh"),
    "output": ("Dockerfile.node", "node-build.sh"),
}
# Where a component's folder is the project's own, what cargo reads is none of its sources.
_OF_CARGO: Final = ("Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml", "clippy.toml", "rustfmt.toml")


@dataclass(frozen=True, eq=False)
class ComponentInputs:
    """One component of a tree. `platform`: what images are built for."""

    tree: Tree
    name: str
    platform: str

    @property
    def project(self) -> Project:
        """The project that it is a part of."""
        return self.tree.project

    @property
    def setting(self) -> str:
        """Its settings, as messages call them."""
        return f"components.{self.name}"

    @property
    def config(self) -> Component:
        """Its settings."""
        return self.project.config.components[self.name]

    @property
    def variant(self) -> str:
        """What its images and its rows in the history are compared with."""
        return f"node/{self.name}"

    @property
    def repository(self) -> str:
        """The repository of its images on the engine."""
        return f"{self.project.name}-{self.name}"

    @property
    def folder(self) -> Path:
        """What this checkout keeps of it."""
        return self.project.state / "components" / self.name

    @property
    def output(self) -> Path:
        """The folder of its output on this machine, whole or not there; another key has another one."""
        return self.folder / f"{OUTPUT}{self.key[:TAG_DIGITS]}"

    @cached_property
    def path(self) -> str:
        """Its folder, within the project; '' for the project's own."""
        found = folder_of(self.name, self.config)
        if found.startswith(".."):
            raise ConfigError(f"{self.setting}.path leads out of the project", where=self._where("path"))
        return found

    def _where(self, key: str) -> str | None:
        where = self.project.config.where
        return where.get(f"{self.setting}.{key}", where.get(self.setting))

    # --- installation ------------------------------------------------------------------------------------------------

    @cached_property
    def root(self) -> Root:
        """The folder that is installed. WorkspaceError where there is none."""
        every = self.tree.all_sources
        home = every.home
        names = [name[len(home) :] for name in every.entries if name.startswith(home)] if home else every.entries
        return install_root.find(
            self.path, self.config.manager, self.setting, names, self.project.root.__truediv__, lambda path: path or "."
        )

    @cached_property
    def settings_files(self) -> Mapping[str, str]:
        """The project's own settings of registries, by path."""
        folders = dict.fromkeys((self.root.folder, self.path))
        paths = [joined(folder, name) for folder in folders for name in SETTINGS]
        entries = self.tree.all_sources
        found = {}
        for path in paths:
            if entries.context_path(path) in entries.entries:
                found[path] = (self.project.root / path).read_text(encoding="utf-8", errors="replace")
        return found

    @cached_property
    def made(self) -> Mapping[str, bytes]:
        """Files of the installation that are written for it: package.json in short, settings without logins."""
        public = {path: npmrc.public(path, text).encode() for path, text in self.settings_files.items()}
        return {**self.root.manifests, **{path: text for path, text in public.items() if text}}

    @cached_property
    def kept(self) -> Sources:
        """Files of the installation that are sent as they are."""
        return self._chosen(self.root.files)

    def _chosen(self, paths: tuple[str, ...] | list[str]) -> Sources:
        every = self.tree.all_sources
        wanted = {every.context_path(path) for path in paths}
        return Sources(every.root, every.home, {name: every.entries[name] for name in sorted(wanted)})

    # --- sources -----------------------------------------------------------------------------------------------------

    @cached_property
    def sources(self) -> Sources:
        """All that the build reads, besides the installed packages. Its output and what git ignores are none of it."""
        every = self.tree.all_sources
        folders = [every.context_path(folder) if folder else every.context_path(".") for folder in self.root.used]
        included = [normal(path) for path in self.config.include]
        chosen = every.under([*folders, *(every.context_path(path) for path in included)])
        entries = dict(chosen.entries)
        for path in self.root.shared:
            entries[every.context_path(path)] = every.entries[every.context_path(path)]
        self._included(every, included)
        kept = {name: entry for name, entry in entries.items() if self._is_source(every.own_path(name), included)}
        return Sources(every.root, every.home, kept)

    def _included(self, every: Sources, included: list[str]) -> None:
        for path in included:
            name = every.context_path(path)
            if name not in every.entries and not any(one.startswith(f"{name}/") for one in every.entries):
                raise ConfigError(
                    f"{self.setting}.include: there is no {path} among the sources of the project",
                    where=self._where("include"),
                    hint="correct the path, or add what git ignores (sources.include)",
                )

    def _is_source(self, path: str, included: list[str]) -> bool:
        parts = path.split("/")
        if "node_modules" in parts or _below(path, self.output_path):
            return False
        if parts[-1] in SETTINGS and joined(*parts[:-1]) in (self.root.folder, self.path):
            return False
        if self.path or any(_below(path, one) for one in included):
            return True
        ours = path.startswith("layerdoit.") or parts[0] in ("dodo.py", ".layerdoit", ".cargo")
        return not (ours or path.endswith(".rs") or parts[-1] in _OF_CARGO)

    @property
    def output_path(self) -> str:
        """The folder of its output, within the project."""
        return output_of(self.name, self.config)

    # --- keys --------------------------------------------------------------------------------------------------------

    @cached_property
    def asked_node(self) -> Wanted:
        """The version of Node that the project names."""
        entries = self.tree.all_sources
        names = {entries.own_path(name) for name in entries.entries}
        folders = list(dict.fromkeys((self.path, self.root.folder, "")))
        return node_version.wanted(folders, names, self.project.root.__truediv__)

    @cached_property
    def host_node(self) -> Installed | None:
        """This machine's Node."""
        return node_version.installed(self.project.root / self.path, self.project.state / "node.json")

    @property
    def node(self) -> str:
        """The version of Node, as the base image is keyed by it."""
        if self.config.image:
            return ""
        if self.asked_node.version:
            return self.asked_node.version
        return self.host_node.version if self.host_node is not None else DEBIAN

    def recipe(self, name: str) -> bytes:
        """A Dockerfile or script that builds it."""
        return (dockerfile_dir() / name).read_bytes()

    @cached_property
    def facts(self) -> node_specs.NodeFacts:
        """What its keys are made of."""
        config, root = self.config, self.root
        made = {path: hashlib.sha256(content).hexdigest() for path, content in self.made.items()}
        kept = {self.kept.own_path(path): entry.kind + entry.digest for path, entry in self.kept.entries.items()}
        return node_specs.NodeFacts(
            recipes={layer: self._digest(names) for layer, names in _RECIPES.items()},
            suite=self.project.config.base.suite,
            image=config.image or "",
            platform=self.platform,
            node=self.node,
            manager=root.manager.text,
            packages=config.packages,
            installs={**made, **kept},
            scripts=config.scripts,
            env=config.env,
            folder=self.tree.all_sources.context_path(root.folder or "."),
            path=self.tree.all_sources.context_path(self.path or "."),
            command=config.build,
            output=config.output,
            sources=self.sources.digest(),
            files=lambda: {path: entry.kind + entry.digest for path, entry in self.sources.entries.items()},
        )

    def _digest(self, names: tuple[str, ...]) -> str:
        return digest(hashlib.sha256(self.recipe(name)).hexdigest() for name in names)[:16]

    @cached_property
    def specs(self) -> tuple[Spec, Spec, Spec]:
        """Base, deps and output."""
        base = node_specs.base(self.facts, self.repository)
        deps = node_specs.deps(self.facts, base.key, self.repository)
        return base, deps, node_specs.output(self.facts, deps.key, self.repository)

    @property
    def key(self) -> str:
        """The key of its output: what an image that has it is keyed by."""
        return self.specs[2].key


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def folder_of(name: str, component: Component) -> str:
    """A component's folder, within the project; '' for the project's own."""
    return normal(name if component.path is None else component.path)


def output_of(name: str, component: Component) -> str:
    """The folder that its build writes, within the project."""
    return normal(joined(folder_of(name, component), component.output))


def of(tree: Tree, name: str, platform: str) -> ComponentInputs:
    """A component of a tree; the same value for all services of one reading."""
    whole = tree.whole or tree
    known: dict[tuple[str, str], ComponentInputs] = whole.__dict__.setdefault("_components", {})
    if (name, platform) not in known:
        known[name, platform] = ComponentInputs(whole, name, platform)
    return known[name, platform]
