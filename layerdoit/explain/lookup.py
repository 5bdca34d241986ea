"""Reads what `explain` needs: sides by their words, and the facts that are in no key."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.core.background import Background
from layerdoit.core.errors import ConfigError, EngineError, LayerdoitError
from layerdoit.engine import build_log, image_labels
from layerdoit.engine import images as engine_images
from layerdoit.explain import naming, outside, sides
from layerdoit.layers.key import LAYERS, ORDER, TAG_DIGITS
from layerdoit.layers.key import tag as keyed
from layerdoit.project import commits

if TYPE_CHECKING:
    from layerdoit.cargo.toolchain import Toolchain
    from layerdoit.engine.handle import Engine
    from layerdoit.engine.images import Image
    from layerdoit.explain.naming import Gone
    from layerdoit.explain.sides import Side
    from layerdoit.layers.plan import Plan, Step
    from layerdoit.project.commits import Commit
    from layerdoit.project.inputs import Inputs
    from layerdoit.project.project import Project


def _mount_ids(name: str, builder: str) -> frozenset[str]:
    """The ids of the mounts that the builder holds for a project: of each, what is in labels."""
    from layerdoit.engine import mounts

    return frozenset(
        f"layerdoit/{name}/{mount.checkout}/{mount.variant}/{mount.cook}" for mount in mounts.of_project(name, builder)
    )


class Reading:
    """What one call reads of a project, each thing once."""

    def __init__(self, inputs: Inputs, engine: Engine, layer: str | None) -> None:
        self.inputs = inputs
        self.project = inputs.project
        self.engine = engine
        self.layer = layer
        self._asked: Background[frozenset[str]] | None = None

    @cached_property
    def images(self) -> list[Image]:
        """This project's images, newest first. EngineError without an engine."""
        return self.engine.images.of_project(self.project.name)

    @cached_property
    def ours(self) -> list[Image]:
        """Those of them that no other project of this name made, newest first."""
        return [image for image in self.images if self.project.owner.owns(image.labels)]

    @cached_property
    def keys(self) -> dict[str, str]:
        """Keys that this checkout built or found last, by layer."""
        return self.project.state.remembered(self.inputs.app_variant)

    @cached_property
    def known(self) -> dict[tuple[str, str], Image]:
        """Layers that are here, by layer and key."""
        return sides.by_key(self.images)

    # --- sides -------------------------------------------------------------------------------------------------------

    @cached_property
    def tree(self) -> Side:
        """The tree as it stands."""
        return sides.of_inputs(self.inputs, "tree", "the current tree")

    @cached_property
    def last(self) -> Side:
        """What this checkout built or found last."""
        before = image_labels.previous(self.ours, self.inputs.variant, self.inputs.app_variant, self.keys)
        newest = {layer: image.key for layer, image in before.items()}
        return sides.of_last(self.keys, self.images, newest, self.inputs.variant)

    @cached_property
    def before(self) -> Side:
        """What this checkout built or found before that; kind `nothing` where it does not know."""
        keys = self.project.state.before(self.inputs.app_variant)
        found = sides.of_last(keys, self.images, {}, self.inputs.variant)
        return replace(found, words="what this checkout built or found before that") if keys else found

    def side(self, option: str, word: str) -> Side:
        """The side that a word names. ConfigError when it names none, or several."""
        if word == naming.TREE:
            return self.tree
        if word == naming.LAST:
            return self.last
        if word == naming.BEFORE:
            return self.before
        commit = commits.find(self.project.root, word)
        try:
            images = self._images(word)
        except EngineError:
            # Two commits can be compared where no engine is.
            if commit is None:
                raise
            images = []
        return self._side(option, word, naming.one(option, word, [*images, *([commit] if commit else [])]))

    def _images(self, word: str) -> list[Image | Gone]:
        repository = self.project.repository
        found: list[Image | Gone] = []
        found += naming.of_images(word, self.images, repository, self.layer)
        found += naming.of_keys(word, self.keys, self.images, self.layer)
        return found

    def _side(self, option: str, word: str, meaning: Image | Gone | Commit | None) -> Side:
        if meaning is None:
            image = self._elsewhere(word)
            if image is None:
                raise naming.unknown(option, word, self.images, commits.names(self.project.root))
            return self._checked(option, sides.of_image(image, self._around(image), naming.image_words(image)))
        if isinstance(meaning, commits.Commit):
            return self._committed(meaning)
        if isinstance(meaning, naming.Gone):
            listing = sides.Listing(meaning.key, None)
            return sides.Side("image", naming.described(meaning), {meaning.layer: listing})  # type: ignore[dict-item]
        return self._checked(option, sides.of_image(meaning, self.known, naming.image_words(meaning)))

    def _checked(self, option: str, side: Side) -> Side:
        wanted = "base" if self.layer == "runtime" else self.layer
        if wanted is not None and wanted not in side.layers:
            there = ", ".join(side.layers)
            raise ConfigError(f"{option}: {side.words} has no information on {wanted}", hint=f"it has {there}")
        return side

    def _committed(self, commit: Commit) -> Side:
        from layerdoit.project.inputs import Inputs
        from layerdoit.project.project import Project
        from layerdoit.project.snapshot import Tree

        with commits.laid_out(self.project.root, commit) as laid:
            try:
                # What this checkout has noted of its configuration is not parsed again where it is the same.
                here = self.project
                call = here.call.in_folder(here.root, laid.root) if here.call else None
                project = Project.open(laid.root, here.variables, notes=here.state, call=call)
                tree = Tree(project, lent=self._lent(project))
                return sides.of_inputs(Inputs(tree, self.inputs.question), "commit", commit.words, laid.notes)
            except LayerdoitError as error:
                where = error.where.replace(f"{laid.root}/", "") if error.where else None
                raise type(error)(f"{commit.words}: {error.what}", where=where, hint=error.hint) from None

    def _lent(self, committed: Project) -> Toolchain | None:
        """The toolchain of this checkout, where the commit asks for the same one: no compiler is asked again."""
        named = commits.toolchain_file(committed.root)
        same = named == commits.toolchain_file(self.project.root.resolve())
        configured = committed.config.toolchain == self.project.config.toolchain
        # A toolchain that is named by its path lies elsewhere for each of them.
        by_path = b"path" in (named or ("", b""))[1]
        return self.inputs.tree.toolchain if same and configured and not by_path else None

    def _elsewhere(self, word: str) -> Image | None:
        """An image of another project, or one that only the registry has."""
        if not _REFERENCE.fullmatch(word):
            return None
        described = self.engine.images.inspect(word)
        if described is not None:
            labels = (described.get("Config") or {}).get("Labels") or {}
            found = engine_images.Image(described["Id"], tuple(described.get("RepoTags") or ()), labels, 0, 0)
            return found if found.label("key") else None
        repository = self.project.config.registry.repository
        if repository is None:
            return None
        reference = word if ":" in word.rpartition("/")[2] else f"{repository}:{word}"
        return self._remote(reference)

    def _remote(self, reference: str) -> Image | None:
        from layerdoit.engine import imagetools

        labels = imagetools.labels(reference)
        if not labels:
            return None
        image = engine_images.Image(reference, (reference,), labels, 0, 0)
        return image if image.label("key") else None

    def _around(self, image: Image) -> dict[tuple[str, str], Image]:
        """Layers that an image from elsewhere may stand on: this project's, its own project's, the registry's."""
        known = dict(self.known)
        if image.label("project") != self.project.name:
            known |= sides.by_key(self.engine.images.of_project(image.label("project")))
        repository = self.project.config.registry.repository
        if repository is None:
            return known
        todo = [image]
        while todo:
            upper = todo.pop()
            for layer, listing in sides.below(upper, {}).items():
                if (layer, listing.key) in known or listing.inputs is not None:
                    continue
                found = self._remote(keyed(repository, layer, listing.key))
                if found is not None:
                    known[layer, listing.key] = found
                    todo.append(found)
        return known

    # --- what is in no key -------------------------------------------------------------------------------------------

    def ask_builder(self, plan: Plan) -> None:
        """Have the builder list its mounts, if an app build will look for one: that takes 0.1 s, so it begins early."""
        compiled = plan.has("deps") and plan.has("app")
        if compiled and plan.step("app").action == "build" and self.layer in (None, "app") and not _new_chain(plan):
            self._asked = Background(partial(_mount_ids, self.project.name, self.engine.builder))

    def facts(self, plan: Plan) -> outside.Facts:
        """What engine, builder, labels and state folder say besides the keys."""
        from layerdoit.engine import mounts

        project = self.project
        before = image_labels.previous(self.ours, self.inputs.variant, self.inputs.app_variant, self.keys)
        known: dict[str, frozenset[str]] = {
            layer: frozenset(filter(None, (self.keys.get(layer), before[layer].key if layer in before else None)))
            for layer in ORDER
        }
        app_key = self.keys.get("app") or (before["app"].key if "app" in before else "")
        app = self.known.get(("app", app_key))
        made_with = app.label("mount") if app is not None else ""
        config = project.config
        cook = self._cook(plan.step("deps")) if plan.has("deps") else ""
        return outside.Facts(
            known=known,
            cleared=project.state.cleared(),
            cooked=image_labels.cooked(self.images),
            max_chain=config.deps.max_chain,
            delta=config.deps.delta,
            builder=self.engine.builder,
            last={layer: build_log.command(text) for layer, text in self._heads()},
            # The answer is waited for only where it will be looked at.
            mounts=self._asked.result() if self._asked is not None and cook and made_with else None,
            mount=mounts.identity(project.name, project.root, self.inputs.variant, cook) if cook else "",
            made_with=made_with,
            new_chain=_new_chain(plan),
            unpacked=frozenset(
                key for (_, key), image in self.known.items() if engine_images.is_unpacked(image.labels)
            ),
        )

    def _cook(self, deps: Step) -> str:
        """The full cook that the next deps image comes from; '' when it is not known yet."""
        if deps.action == "build":
            return deps.parent.cook if deps.parent else ""
        image = self.known.get(("deps", deps.spec.key))
        return (image.label("cook") or deps.spec.key[:TAG_DIGITS]) if image is not None else ""

    def _logs(self, layer: str) -> Iterator[Path]:
        part = self.project.part
        return reversed(self.project.state.logs(f"{part}-{layer}" if part and layer == "app" else layer))

    def _heads(self) -> Iterator[tuple[str, str]]:
        for layer in ORDER:
            for path in self._logs(layer):
                with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as stream:
                    yield layer, stream.readline()
                break

    def app_log(self, keys: set[str]) -> tuple[str, str] | None:
        """Name and text of the newest log of an app build with one of the keys."""
        for path in self._logs("app"):
            with contextlib.suppress(OSError):
                text = path.read_text(encoding="utf-8", errors="replace")
                if build_log.command(text).key in keys:
                    return path.name, text
        return None


def _new_chain(plan: Plan) -> bool:
    """Whether the dependencies will be cooked in full."""
    return plan.has("deps") and plan.step("deps").action == "build" and plan.step("deps").parent is None


class Asked(NamedTuple):
    """What the command line asks for: a layer, None for all, and the words of both sides."""

    layer: str | None
    old: str
    new: str


def asked(words: Sequence[str], old: str, new: str) -> Asked:
    """A LAYER, and the sides: as options, or as git has them, `a..b` or `a b`. '' for one that is not named."""
    layer = words[0] if words and words[0] in LAYERS else None
    sides_given = list(words[1:] if layer else words)
    if not sides_given and not new and _RANGE.fullmatch(old):
        sides_given, old = [old], ""
    if not sides_given:
        return Asked(layer, old, new)
    found = _RANGE.fullmatch(sides_given[0]) if len(sides_given) == 1 else None
    pair = found.groups() if found else tuple(sides_given)
    if old or new or len(pair) != 2 or set(pair) & set(LAYERS):
        named = f"choose one of {', '.join(LAYERS)}; two sides are named so: {_EXAMPLE}"
        raise ConfigError(f'there is no layer "{" ".join(words)}"', hint=named)
    return Asked(layer, *pair)


_EXAMPLE: Final = "doit layers explain v1..tree, or --from v1 --to tree"
_RANGE: Final = re.compile(r"((?:(?!\.\.).)*)\.\.(?!\.)((?:(?!\.\.).)*)")
# How an engine lets images be named: what is not of this form it refuses, as an error of its own.
_REFERENCE: Final = re.compile(
    r"(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::\d+)?/)?[a-z0-9]+(?:(?:[._/]|__|-+)[a-z0-9]+)*"
    r"(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?|sha256:[0-9a-f]{64}"
)
