"""A question asked of a tree: what its layers are made from, and so their keys."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from layerdoit import config as configuration
from layerdoit.core.resources import dockerfile_dir
from layerdoit.layers.key import Spec, digest
from layerdoit.layers.specs import app, base, deps
from layerdoit.project import compiled_for, compiled_sources, git_sent, image_values, named_files, packing, started
from layerdoit.project.snapshot import APP_SCRIPTS, DEPS_SCRIPTS, PACK, PAGE, READING_SCRIPTS, Given
from layerdoit.tree.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layerdoit.cargo.entrypoint import Choice
    from layerdoit.cargo.selection import Selection
    from layerdoit.cargo.stub import Stub
    from layerdoit.cargo.stub_closure import Closure
    from layerdoit.layers.specs.donors import Word
    from layerdoit.project.component_inputs import ComponentInputs
    from layerdoit.project.project import Project
    from layerdoit.project.question import Question
    from layerdoit.project.snapshot import Tree
    from layerdoit.tree.reads import Files


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the layers are made from when a question is asked of a tree. Of another reading there are other inputs."""

    tree: Tree
    question: Question

    @property
    def project(self) -> Project:
        """Whose tree it is."""
        return self.tree.project

    @property
    def native(self) -> str:
        """The builder's own platform. What components make is for every platform, and is made on this one."""
        way = self.project.way
        return self.question.platform if way is None else way.native

    @property
    def variant(self) -> str:
        """Question, profile and target: images of different variants are not compared with each other."""
        return self.question.variant(self.project)

    @property
    def app_variant(self) -> str:
        """The same of the app image, of which each service has its own."""
        return self.project.app_variant if self.question.kind == "build" else self.variant

    def variant_of(self, layer: str) -> str:
        """The one of the two that a layer's image is labelled with."""
        return self.app_variant if layer == "app" else self.variant

    @cached_property
    def selection(self) -> Selection:
        """Packages and binaries that the question is about."""
        return self.question.selection(self.project)

    @cached_property
    def bins(self) -> tuple[tuple[str, str], ...]:
        """Those of the binaries that the image holds, as (package, binary)."""
        return self.project.bins if self.question.kind == "build" else self.selection.bins

    # --- files -------------------------------------------------------------------------------------------------------

    @cached_property
    def asset_paths(self) -> tuple[tuple[str, str], ...]:
        """Assets as context path and absolute path in the image; each exists. Of a link, it is what it leads to."""
        return tuple(
            (named_files.context_path(self.tree, path, "image.assets", place), place)
            for path, place in self.question.image.assets.items()
        )

    @cached_property
    def assets(self) -> Sources:
        """Files that are copied into the image after compilation."""
        if not self.asset_paths:
            return self._none
        return self.tree.all_sources.under([path for path, _ in self.asset_paths])

    @cached_property
    def components(self) -> Mapping[str, ComponentInputs]:
        """The components whose output the app image has, by name; of a check, those that crates embed."""
        building = self.question.kind == "build"
        if not self.project.config.components or (building and self.project.services):
            return {}
        from layerdoit.project import component_outputs

        found = component_outputs.used(self.tree, self.native)
        return found if building else {name: one for name, one in found.items() if one.config.embed}

    @property
    def placed(self) -> tuple[tuple[tuple[str, str], ...], Sources]:
        """All that is copied into the image after compilation, outputs of components too, which must be there."""
        if not self.components:
            return self.asset_paths, self.assets
        from layerdoit.project import component_outputs

        paths = component_outputs.asset_paths(self.components, self.project)
        return (*self.asset_paths, *paths), component_outputs.assets(self.components, self.project, self.assets)

    @property
    def compiled(self) -> Sources:
        """The sources with what crates embed of components, as far as it is there."""
        if not self.components:
            return self.sources
        from layerdoit.project import component_outputs

        return component_outputs.embedded(self.components, self.sources)

    def outputs_made(self) -> None:
        """Outputs of components are there now: what the compiler sees is another thing."""
        self.__dict__.pop("readable", None)

    @cached_property
    def sources(self) -> Sources:
        """Files that the compiler may see: those of the project, and what `build.git` tells of its repository.

        Where a program is packed, it is the only one.
        """
        if self.component == "packed":
            return packing.program(self.tree)
        return git_sent.with_git(self.project, compiled_sources.own(self.tree, self.question.kind))

    @cached_property
    def readable(self) -> Files:
        """The sources as compilers and build scripts see them; the same for all who compare what was read."""
        from layerdoit.tree.reads import files_of

        return files_of(self.compiled)

    @property
    def _none(self) -> Sources:
        return Sources(self.project.root, self.tree.all_sources.home, {})

    @cached_property
    def closure(self) -> Closure:
        """The local and locked packages that the selection reaches."""
        from layerdoit.cargo import stub_closure

        given = (self.project.workspace, self.tree.lock, self.selection)
        return self.project.kept.made(f"closure {self.question.kind}", given, lambda: stub_closure.closure(*given))

    @cached_property
    def stub(self) -> Stub:
        """The workspace of stubs that the deps layer is cooked from."""
        from layerdoit.cargo import stub

        return stub.make(self.project.workspace, self.tree.lock, self.selection, self.closure)

    @cached_property
    def kept(self) -> Sources:
        """Local packages that external crates depend on: real, in the deps layer too."""
        from layerdoit.cargo import stub

        copies = stub.copies(self.project.workspace, self.closure)
        if not copies:
            return self._none
        every = self.tree.all_sources
        return every.under([every.context_path(path) for path in copies])

    @cached_property
    def kin(self) -> str:
        """What the images have in common that lend compiled units to one another; '' where none do."""
        from layerdoit.layers.specs import donors

        cooked = next(spec for spec in self.specs if spec.layer == "deps")
        return donors.kin(cooked.inputs, self.given.digest_of("Dockerfile.deps"))

    @property
    def lends(self) -> Word:
        """Which units are taken and lent."""
        chosen = self.project.config.deps.donors
        return "none" if chosen == "false" else "private" if chosen == "private" else "public"

    @property
    def deps_scripts(self) -> tuple[str, ...]:
        """The scripts of the deps build; what is read is recorded only of packages that stay in its image."""
        return (*DEPS_SCRIPTS, *READING_SCRIPTS) if self.kept.entries else DEPS_SCRIPTS

    def scripts(self, *names: str) -> dict[str, bytes]:
        """Scripts that run inside a build, as the question has them; and the files that they read."""
        before = self.question.prelude
        found = {name: before.get(name, b"") + (dockerfile_dir() / name).read_bytes() for name in names}
        return {**found, **(self.question.files if "build.sh" in names else {})}

    def listing(self, found: Sources) -> dict[str, str]:
        """Path as a user knows it, relative to the workspace root -> kind and digest."""
        every = {found.own_path(path): entry.kind + entry.digest for path, entry in found.entries.items()}
        return git_sent.together(every) if found.elsewhere else every

    @cached_property
    def crates_of_others(self) -> frozenset[str]:
        """Names of crates that none of this image's binaries is made of, while those of other services are."""
        if not self.project.shares or self.question.kind != "build":
            return frozenset()
        from layerdoit.cargo import crate_names, stub_closure

        workspace, lock = self.project.workspace, self.tree.lock
        packages = tuple(sorted({package for package, _ in self.bins}))
        own = stub_closure.closure(workspace, lock, self.selection._replace(packages=packages, bins=self.bins))
        return crate_names.foreign(workspace, own.local, {name for _, name in self.bins})

    # --- the image ---------------------------------------------------------------------------------------------------

    @cached_property
    def entrypoint(self) -> str:
        """The binary that the image runs; '' where it has none."""
        if self.component == "packed":
            return packing.entrypoint(self.project, self.question.image, self.script)
        names = [name for _, name in self.bins]
        wanted = self.question.image.entrypoint
        if not names:
            return ""
        if wanted is None and self.project.service:
            return self.project.config.bins[0]
        if self.script is not None:
            return self.runs.name
        if wanted is not None:
            configuration.check_choices(self.project.config, "image.entrypoint", [wanted], names)
            return wanted
        return self.runs.name

    @cached_property
    def script(self) -> str | None:
        """The path in the image of what is started in the place of a binary."""
        return started.script(self.project.root, self.project.config, self.question.image)

    @cached_property
    def runs(self) -> Choice:
        """Which of the binaries the image runs where the configuration names none."""
        from layerdoit.cargo import entrypoint

        project = self.project
        return entrypoint.choose(
            project.workspace, self.selection._replace(bins=self.bins), project.config.project, project.root.name
        )

    @cached_property
    def owned_folders(self) -> tuple[str, ...]:
        """Folders of the image that are made for its user; each can be reached by that user."""
        if self.question.kind != "build":
            return ()
        return image_values.owned_folders(self.question.image, self.project.config)

    @property
    def denies_warnings(self) -> bool:
        """Whether a warning of the compiler fails the build. A check has its own rules, those of clippy."""
        return self.question.kind == "build" and self.project.config.warnings == "deny"

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """What the app image's configuration holds, as text."""
        return image_values.settings(
            self.question.image,
            self.script or self.entrypoint,
            self.owned_folders,
            denies_warnings=self.denies_warnings,
        )

    # --- layers ------------------------------------------------------------------------------------------------------

    @cached_property
    def given(self) -> Given:
        """What the keys follow from besides the contents of the tree."""
        return Given.of(self.tree, self.question.platform)

    @property
    def component(self) -> str:
        """What makes the app image: a name in `components.COMPONENTS`."""
        if self.question.kind != "build":
            return "rust"
        return {"packed": "packed", "served": "page"}.get(self.project.kind, "rust")

    @cached_property
    def specs(self) -> tuple[Spec, ...]:
        """Base, runtime, deps, app, each with its key. Of a project with services, each service has the app.

        Where nothing is compiled, there is nothing to compile with.
        """
        if self.component == "page":
            return self._page_specs()
        if self.component == "packed":
            return (self.runtime, self._packed_spec())
        if self.question.kind == "build" and self.project.services and not self.project.has_rust:
            return ()
        builder = base.builder(self._base_facts, self.project.layers_repository)
        cooked = self._deps_spec(builder.key)
        if self.question.kind == "build" and self.project.services:
            return (builder, self.runtime, cooked)
        return (builder, self.runtime, cooked, self._app_spec(cooked, self.runtime))

    def _page_specs(self) -> tuple[Spec, Spec]:
        from layerdoit.project import page_inputs

        runtime, image, recipe = self.runtime, self.question.image, self.given.digest_of(*PAGE)
        assets = self.assets.digest()
        app_spec = page_inputs.spec(self.served, self.project, image, runtime=runtime, recipe=recipe, assets=assets)
        return runtime, app_spec

    @cached_property
    def runtime(self) -> Spec:
        """The image that the binaries run on."""
        return base.runtime(self._base_facts, self.project.layers_repository)

    @cached_property
    def served(self) -> ComponentInputs:
        """The component whose files a page is."""
        return next(iter(self.components.values()))

    def siblings(self) -> list[Inputs]:
        """What the other compiled services of the project are made from, when the same is asked of them."""
        from layerdoit.project import question

        whole, tree = self.project.whole, self.tree.whole
        if whole is None or tree is None:
            return []
        names = [name for name, one in whole.services.items() if one.kind == "compiled" and one is not self.project]
        trees = [tree.of_service(name) for name in names]
        return [Inputs(one, question.build(one.project, self.question.platform)) for one in trees]

    @cached_property
    def _base_facts(self) -> base.BaseFacts:
        given = self.given
        config, toolchain, way = given.config, given.toolchain, self.project.way
        return base.BaseFacts(
            dockerfile=given.digest_of("Dockerfile.base"),
            suite=config.base.suite,
            platform=given.platform,
            build_platform=given.platform if way is None else way.build_platform,
            toolchain=toolchain.identity if toolchain else "",
            targets=self.tree.targets if toolchain else (),
            packages=compiled_for.packages(config, way).every,
            runtime_packages=config.base.runtime_packages,
            image=config.base.image or "",
            runtime_image=config.base.runtime_image or "",
            user=config.image.user,
            components=toolchain.components if toolchain else (),
            linker=compiled_for.linker(config, way),
        )

    def _deps_spec(self, base_key: str) -> Spec:
        from layerdoit.cargo import cargo_config, deps_inputs

        project, home = self.project, self.tree.all_sources.home
        given = (project.workspace, self.tree.lock, self.selection, project.options, self.closure)
        crates = dict(project.kept.made(f"crates {self.question.kind}", given, lambda: deps_inputs.inputs(*given)))
        if home and cargo_config.depends_on_place(project.workspace.config):
            crates["folder of the workspace"] = home
        recipe = self.given.digest_of("Dockerfile.deps", *self.deps_scripts)
        spec = deps.spec(crates, base_key, recipe, self.kept.digest(), self.project.layers_repository)
        if self.question.kind != "check":
            return spec
        # What dev-dependencies add: their tables, and every locked package.
        stubs = digest(word for path, content in self.stub.files.items() for word in (path, content.decode()))
        locked = {
            f"package {item.name} {item.version}": item.checksum or cargo_config.redact(item.source or "")
            for item in self.tree.lock.external
        }
        more = {**locked, **self._checked, "dev-dependency stubs": stubs}
        return Spec("deps", {**spec.inputs, **more}, spec.repository)

    @property
    def _checked(self) -> dict[str, str]:
        """By what a check differs from a build."""
        before = self.question.prelude["build.sh"]
        return {f"{deps.CHECK}script": hashlib.sha256(before).hexdigest()[:16]}

    def _packed_spec(self) -> Spec:
        facts = app.AppFacts(
            dockerfile=self.given.digest_of(*PACK),
            sources=self.sources.digest(),
            assets=self.assets.digest(),
            bins=self.entrypoint,
            settings=self.settings,
            variables={},
            files=lambda: (self.listing(self.sources), self.listing(self.assets)),
        )
        packing.refuse_compiling(self.project)
        return app.spec(facts, None, self.runtime.key, self.project.repository)

    def _app_spec(self, cooked: Spec, runtime: Spec) -> Spec:
        facts = app.AppFacts(
            dockerfile=self.given.digest_of("Dockerfile.app", *APP_SCRIPTS),
            sources=self.sources.digest(),
            assets=self.assets.digest(),
            bins=" ".join(f"{package}/{name}" for package, name in self.bins),
            settings=self.settings,
            variables=self.project.options.own_inputs(self.tree.lock),
            files=lambda: (self.listing(self.sources), self.listing(self.assets)),
            versions=lambda: {name: self.project.workspace.packages[name].version for name in self.closure.local},
        )
        spec = app.spec(facts, cooked.key, runtime.key, self.project.repository)
        more = dict(self._checked) if self.question.kind == "check" else {}
        if home := self.tree.all_sources.home:
            more["folder of the workspace"] = home
        if self.question.unique:
            more["measured"] = self.question.unique
        if self.components:
            from layerdoit.project import component_outputs

            more |= component_outputs.keys(self.components, self.project)
        if not more:
            return spec
        return Spec("app", {**spec.inputs, **more}, spec.repository, lambda: {**spec.label_inputs, **more})
