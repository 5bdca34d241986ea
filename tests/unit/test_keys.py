"""The keys of all layers at once: any change of any input renames its layer and those above it, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from layerdoit.layers.key import ORDER, Spec
from layerdoit.layers.specs import app, base, deps

ABOVE: Mapping[str, frozenset[str]] = {
    "base": frozenset({"base", "deps", "app"}),
    "runtime": frozenset({"runtime", "app"}),
    "deps": frozenset({"deps", "app"}),
    "app": frozenset({"app"}),
}
"""A layer and those that are made from it."""

BASE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "dockerfile": ("base", "runtime"),
    "suite": ("base", "runtime"),
    "platform": ("runtime",),
    "build_platform": ("base",),
    "toolchain": ("base",),
    "targets": ("base",),
    "packages": ("base",),
    "components": ("base",),
    "linker": ("base",),
    "image": ("base",),
    "runtime_packages": ("runtime",),
    "runtime_image": ("runtime",),
    "user": ("runtime",),
}
"""What each fact of the base layer names."""
APP_FIELDS = ("dockerfile", "sources", "assets", "bins", "settings", "variables")
DEPS_FIELDS = ("crates", "dockerfile", "kept")
SETS = ("targets", "packages", "components", "runtime_packages")
"""Lists whose order and repetitions say nothing."""

WORD = st.text(alphabet="abc-. 0\n=é", min_size=1, max_size=4)
WORDS = st.lists(st.text(alphabet="abc", min_size=1, max_size=2), max_size=3).map(tuple)
TABLE = st.dictionaries(WORD, WORD, max_size=4)


@dataclass(frozen=True)
class Facts:
    """Everything that an image is made of."""

    base: base.BaseFacts
    crates: Mapping[str, str]
    dockerfile: str
    kept: str
    app: app.AppFacts

    def specs(self) -> tuple[Spec, ...]:
        """All layers, each over the keys of those below it."""
        builder, runtime = base.builder(self.base, "p"), base.runtime(self.base, "p")
        cooked = deps.spec(self.crates, builder.key, self.dockerfile, self.kept, "p")
        return builder, runtime, cooked, app.spec(self.app, cooked.key, runtime.key, "p")

    def keys(self) -> dict[str, str]:
        return {spec.layer: spec.key for spec in self.specs()}


BASES = st.builds(base.BaseFacts, *[WORD] * 5, *[WORDS] * 3, WORD | st.just(""), WORD | st.just(""), WORD, WORDS, WORD)
VARIABLES = st.dictionaries(WORD.map(lambda word: f"env {word}"), WORD, max_size=4)
APPS = st.builds(app.AppFacts, WORD, WORD, WORD, WORD, TABLE, VARIABLES, st.just(lambda: ({}, {})))
CRATES = st.dictionaries(WORD.map(lambda word: f"package {word}"), WORD, max_size=4)
FACTS = st.builds(Facts, BASES, CRATES, WORD, WORD, APPS)


def changed(old: Facts, new: Facts) -> set[str]:
    """The layers with another key."""
    before, after = old.keys(), new.keys()
    return {layer for layer in ORDER if before[layer] != after[layer]}


def above(layers: tuple[str, ...]) -> set[str]:
    return set().union(*(ABOVE[layer] for layer in layers))


def matters(facts: base.BaseFacts, name: str, layer: str) -> bool:
    """Does this fact name this layer? The suite does not where an image of one's own stands for it."""
    instead = {"base": facts.image, "runtime": facts.runtime_image}[layer]
    return not (name == "suite" and instead)


def test_every_fact_has_its_expectation() -> None:
    """A new fact is in this table, or nobody has said what it changes."""
    assert set(BASE_FIELDS) == {field.name for field in fields(base.BaseFacts)}
    assert set(APP_FIELDS) == {field.name for field in fields(app.AppFacts)} - {"files", "versions"}
    assert set(ABOVE) == set(ORDER)


@given(FACTS, BASES, st.sampled_from(sorted(BASE_FIELDS)))
def test_a_fact_of_the_base(facts: Facts, other: base.BaseFacts, name: str) -> None:
    old, new = getattr(facts.base, name), getattr(other, name)
    assume((set(old) != set(new)) if name in SETS else old != new)
    # The default system and an image of the same name would be one and the same `os`.
    assume(name not in ("image", "runtime_image") or f"debian {facts.base.suite}" not in (old, new))
    layers = tuple(layer for layer in BASE_FIELDS[name] if matters(facts.base, name, layer))
    assert changed(facts, replace(facts, base=replace(facts.base, **{name: new}))) == above(layers)


@given(FACTS, FACTS, st.sampled_from(DEPS_FIELDS))
def test_a_fact_of_the_dependencies(facts: Facts, other: Facts, name: str) -> None:
    new = getattr(other, name)
    assume(getattr(facts, name) != new)
    assert changed(facts, replace(facts, **{name: new})) == ABOVE["deps"]


@given(FACTS, APPS, st.sampled_from(APP_FIELDS))
def test_a_fact_of_the_app(facts: Facts, other: app.AppFacts, name: str) -> None:
    new = getattr(other, name)
    assume(getattr(facts.app, name) != new)
    assert changed(facts, replace(facts, app=replace(facts.app, **{name: new}))) == ABOVE["app"]


@given(FACTS, st.data())
def test_any_input_of_any_layer(facts: Facts, data: st.DataObject) -> None:
    """What is written into a spec by whatever way counts: each input by its name and by its value."""
    spec = data.draw(st.sampled_from(facts.specs()))
    name = data.draw(st.sampled_from(sorted(spec.inputs)))
    value = data.draw(WORD)
    without = {key: text for key, text in spec.inputs.items() if key != name}
    other = {
        "changed": {**spec.inputs, name: value},
        "renamed": {**without, f"{name} ": spec.inputs[name]},
        "gone": without,
        "added": {**spec.inputs, f"{name} ": value},
    }
    assume(value != spec.inputs[name] and f"{name} " not in spec.inputs)
    keys = {replace(spec, inputs=inputs).key for inputs in other.values()}
    assert spec.key not in keys
    assert len(keys) == len(other)


@given(FACTS, st.randoms(use_true_random=False))
def test_order_says_nothing(facts: Facts, random: Any) -> None:
    def shuffled(table: Mapping[str, str]) -> dict[str, str]:
        names = sorted(table)
        random.shuffle(names)
        return {name: table[name] for name in names}

    def repeated(words: tuple[str, ...]) -> tuple[str, ...]:
        found = [*words, *words[:1]]
        random.shuffle(found)
        return tuple(found)

    sets: dict[str, Any] = {name: repeated(getattr(facts.base, name)) for name in SETS}
    again = replace(
        facts,
        base=replace(facts.base, **sets),
        crates=shuffled(facts.crates),
        app=replace(facts.app, settings=shuffled(facts.app.settings)),
    )
    assert again.keys() == facts.keys()
    for spec in facts.specs():
        assert replace(spec, inputs=shuffled(spec.inputs)).key == spec.key


@given(FACTS)
def test_no_two_layers_share_a_key(facts: Facts) -> None:
    assert len(set(facts.keys().values())) == len(ORDER)
