"""Keys, specs, words and the plan: values in, values out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.layers import decision, reasons
from layerdoit.layers.decision import Present, Previous
from layerdoit.layers.key import Spec, digest, key, tag
from layerdoit.layers.plan import Plan
from layerdoit.layers.reasons import Reason
from layerdoit.layers.specs import app, base, deps

TEXTS = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=5)


@given(TEXTS, TEXTS)
def test_keys_are_equal_exactly_for_equal_inputs(one: dict[str, str], other: dict[str, str]) -> None:
    assert (key(one) == key(other)) == (one == other)


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_no_two_listings_collide(one: list[str], other: list[str]) -> None:
    # "ab", "c" and "a", "bc" are different listings.
    assert (digest(one) == digest(other)) == (one == other)


def test_a_key_does_not_depend_on_the_order_of_inputs() -> None:
    assert key({"a": "1", "b": "2"}) == key({"b": "2", "a": "1"})


def test_a_tag_is_repository_layer_and_twelve_digits() -> None:
    spec = Spec("deps", {"a": "1"}, "shop")
    assert spec.tag == f"shop:deps-{spec.key[:12]}" == tag("shop", "deps", spec.key)


BASE = base.BaseFacts("d", "trixie", "linux/amd64", "linux/amd64", "1.95.0", (), ("libz-dev",), (), "", "", "app")


@pytest.mark.parametrize(
    ("change", "builder", "runtime"),
    [
        ({"toolchain": "1.96.0"}, True, False),
        ({"packages": ("libz-dev", "cmake")}, True, False),
        ({"runtime_packages": ("zlib1g",)}, False, True),
        ({"suite": "bookworm"}, True, True),
        ({"dockerfile": "e"}, True, True),
        ({"platform": "linux/arm64"}, False, True),
        ({"build_platform": "linux/arm64"}, True, False),
        ({"image": "rust:x"}, True, False),
        ({"runtime_image": "debian:x"}, False, True),
        ({"user": "web"}, False, True),
        ({"targets": ("x86_64-unknown-linux-musl",)}, True, False),
        ({"packages": ("libz-dev", "libz-dev")}, False, False),
    ],
)
def test_what_changes_the_base_keys(change: Mapping[str, object], builder: bool, runtime: bool) -> None:
    facts = replace(BASE, **change)  # type: ignore[arg-type]
    assert (base.builder(facts, "p").key != base.builder(BASE, "p").key) is builder
    assert (base.runtime(facts, "p").key != base.runtime(BASE, "p").key) is runtime


CRATES = {"package serde": "1.0.1 aa", "package log": "0.4.0 bb", "profile dev": "{}", "option profile": "dev"}


def cooked(inputs: Mapping[str, str], *, name: str = "k", depth: int = 0, created: str = "1") -> deps.Cooked:
    return deps.Cooked(
        name, f"p:deps-{name}", deps.compatibility(inputs), "seed", depth, deps.packages(inputs), created
    )


def spec_of(crates: Mapping[str, str], base_key: str = "base") -> Spec:
    return deps.spec(crates, base_key, "dockerfile", "kept", "p")


def test_a_bumped_package_is_cooked_from_the_image_that_shares_most() -> None:
    wanted = spec_of({**CRATES, "package serde": "1.0.2 cc"}).inputs
    near = cooked(spec_of(CRATES).inputs, name="near")
    far = cooked(spec_of({**CRATES, "package log": "0.3 dd", "package x": "1 ee"}).inputs, name="far", created="2")
    assert deps.parent(wanted, [far, near], 8) == near


@pytest.mark.parametrize("change", [{"profile dev": '{"opt":3}'}, {"option target": "x"}, {"env RUSTFLAGS": "-g"}])
def test_other_flags_make_a_parent_useless(change: Mapping[str, str]) -> None:
    assert deps.parent(spec_of({**CRATES, **change}).inputs, [cooked(spec_of(CRATES).inputs)], 8) is None


def test_a_check_is_cooked_from_a_build_and_never_the_other_way_round() -> None:
    built = spec_of(CRATES).inputs
    check = {**built, "check script": "aa", "dev-dependency stubs": "bb", "package quickcheck": "1.0.0 ee"}
    image = cooked(built, name="build")
    earlier = cooked({**check, "dev-dependency stubs": "cc"}, name="check", created="2")
    assert deps.parent(check, [image], 8) == image
    assert deps.parent(check, [image, earlier], 8) == earlier
    assert deps.parent(built, [earlier], 8) is None
    assert deps.parent(check, [cooked({**check, "check script": "dd"})], 8) is None


def test_another_base_makes_a_parent_useless() -> None:
    assert deps.parent(spec_of(CRATES, "other").inputs, [cooked(spec_of(CRATES).inputs)], 8) is None


def test_a_full_chain_is_cooked_from_scratch() -> None:
    wanted = spec_of({**CRATES, "package serde": "1.0.2 cc"}).inputs
    image = cooked(spec_of(CRATES).inputs, depth=3)
    assert deps.parent(wanted, [image], 4) == image
    assert deps.parent(wanted, [image], 3) is None


def test_a_parent_with_little_in_common_is_left_alone() -> None:
    few = {f"package p{number}": "1 aa" for number in range(10)}
    assert deps.parent(spec_of(few).inputs, [cooked(spec_of({"package p1": "1 aa"}).inputs)], 8) is None


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"package anyhow": "1.0.95 aa"}, {"package anyhow": "1.0.97 bb"}, ["anyhow 1.0.95 → 1.0.97"]),
        ({}, {"package anyhow": "1.0.95 aa"}, ["anyhow 1.0.95 added"]),
        ({"package anyhow": "1.0.95 aa"}, {}, ["anyhow 1.0.95 removed"]),
        ({"package a": "1 aa"}, {"package a": "1 bb"}, ["a 1: different content or source"]),
        ({"base": "x"}, {"base": "y"}, ["the base layer changed"]),
        ({"Dockerfile.app": "x"}, {"Dockerfile.app": "y"}, ["Dockerfile.app changed"]),
        ({"file a.rs": "1"}, {"file a.rs": "2"}, ["1 file changed: a.rs"]),
        ({"file a.rs": "1"}, {"file b.rs": "1"}, ["2 files changed: a.rs, b.rs"]),
        ({"files in src/": "1"}, {"files in src/": "2"}, ["files changed in src/"]),
        ({"files in ./": "1", "files in src/": "1"}, {"files in ./": "2"}, ["files changed in ./, src/"]),
        ({"assets in www/": "1"}, {"assets in www/": "2"}, ["assets changed in www/"]),
        (
            {"files in src/": "1"},
            {"file src/a.rs": "1", "file src/b.rs": "1"},
            ["files changed: which is not known, one image lists them by folder, the other by name"],
        ),
        ({"asset x.css": "1"}, {"asset x.css": "2"}, ["1 asset changed: x.css"]),
        ({"toolchain": "1.95.0"}, {"toolchain": "1.96.0"}, ["toolchain: 1.95.0 → 1.96.0"]),
        ({}, {"env RUSTFLAGS": "-g"}, ["env RUSTFLAGS: now -g"]),
        ({"env RUSTFLAGS": "-g"}, {}, ["env RUSTFLAGS: removed (was -g)"]),
        ({"a": "1"}, {"a": "1"}, []),
    ],
)
def test_differences_in_words(old: Mapping[str, str], new: Mapping[str, str], said: list[str]) -> None:
    assert reasons.sentences(reasons.difference(old, new)) == said


def test_what_a_crate_reads_is_named_as_a_user_would_write_it() -> None:
    read = Reason("rereads", ("app", "src/../CHANGELOG.md"), "reads")
    assert reasons.text([read]) == "app compiles again: it reads CHANGELOG.md"


def test_many_files_are_counted_and_a_few_named() -> None:
    found = reasons.difference({}, {f"file f{number}.rs": "1" for number in range(9)})
    assert reasons.sentences(found) == ["9 files changed: f0.rs, f1.rs, f2.rs, f3.rs, f4.rs and 4 more"]
    assert found == (Reason("changed", tuple(f"file f{number}.rs" for number in range(9)), "file"),)


@given(TEXTS, TEXTS)
def test_words_are_said_exactly_where_something_differs(old: dict[str, str], new: dict[str, str]) -> None:
    found = reasons.difference(old, new)
    assert bool(found) == bool(reasons.text(found)) == (old != new)
    assert {name for reason in found for name in reason.names} == {n for n in {*old, *new} if old.get(n) != new.get(n)}


# --- app and plan ----------------------------------------------------------------------------------------------------


def app_facts(files: Mapping[str, str], assets: Mapping[str, str] | None = None) -> app.AppFacts:
    given_assets = assets or {}
    return app.AppFacts("d", json.dumps(files), json.dumps(given_assets), "b/b", {}, {}, lambda: (files, given_assets))


def test_many_files_are_listed_by_folder() -> None:
    few = app.spec(app_facts({"src/main.rs": "f" + "0" * 64}), "d", "r", "p")
    assert few.label_inputs["file src/main.rs"] == "f0000000"
    hundreds = {f"src/m{number % 3}/f{number}.rs": f"f{number:064}" for number in range(500)}
    assert "file src/m0/f0.rs" in app.spec(app_facts(hundreds), "d", "r", "p").label_inputs, "an edit is named"
    many = {f"src/m{number % 3}/f{number}.rs": f"f{number:064}" for number in range(app.LISTED_BYTES // 24)}
    listed = app.spec(app_facts(many), "d", "r", "p").label_inputs
    assert {name for name in listed if name.startswith("files in")} == {f"files in src/m{n}/" for n in range(3)}


SPECS = (
    base.builder(BASE, "p"),
    base.runtime(BASE, "p"),
    spec_of(CRATES, base.builder(BASE, "p").key),
    app.spec(app_facts({"a.rs": "f1"}), "deps", "runtime", "p"),
)
OTHER_FILE = {**SPECS[3].label_inputs, "file a.rs": "f2"}
ALL = frozenset(spec.tag for spec in SPECS)


def actions(made: Plan) -> list[str]:
    return [step.action for step in made.layers()]


def test_what_is_there_is_reused() -> None:
    made = decision.plan(SPECS, Present(ALL), 8)
    assert actions(made) == ["reuse"] * 3
    assert not made.changes


def test_what_only_the_registry_has_is_pulled() -> None:
    made = decision.plan(SPECS, Present(ALL - {SPECS[2].tag}, frozenset({SPECS[2].tag})), 8)
    assert actions(made) == ["reuse", "pull", "reuse"]


def test_a_missing_runtime_image_is_work_of_the_base_layer() -> None:
    step = decision.plan(SPECS, Present(ALL - {SPECS[1].tag}), 8).layers()[0]
    assert (step.action, step.reasons) == ("build", (Reason("not_built_before", image="runtime"),))
    assert step.why == "runtime image: not built before"


@pytest.mark.parametrize(
    ("present", "reason"),
    [
        (Present(frozenset()), "not built before"),
        (Present(frozenset(), built={"app": SPECS[3].key}), "image was removed"),
        (Present(frozenset(), previous={"app": Previous(SPECS[3].key, {})}), "image was removed"),
        (Present(frozenset(), previous={"app": Previous("x", OTHER_FILE)}), "1 file changed: a.rs"),
        (Present(frozenset(), previous={"app": Previous("x", SPECS[3].label_inputs)}), "its inputs changed"),
    ],
)
def test_every_build_has_its_reason(present: Present, reason: str) -> None:
    step = decision.plan(SPECS, present, 8).step("app")
    assert (step.action, reasons.sentences(step.reasons)) == ("build", [reason])


OLD_DEPS = {**SPECS[2].inputs, "package log": "0.1.0 aa", "base": "old base"}
BENEATH = {("deps", "old deps"): OLD_DEPS, ("base", "old base"): {**SPECS[0].inputs, "toolchain": "1.70.0"}}


def why_app(local: frozenset[str], beneath: Mapping[tuple[str, str], Mapping[str, str]]) -> list[str]:
    """What is said of an app that is built, whose earlier image stood on other layers."""
    specs = (*SPECS[:3], replace(SPECS[3], inputs={**SPECS[3].inputs, "deps": SPECS[2].key}, listed=None))
    old = {**specs[3].label_inputs, "deps": "old deps"}
    found = Present(local, previous={"app": Previous("x", old)}, beneath=beneath)
    return reasons.sentences(decision.plan(specs, found, 8).step("app").reasons)


def test_what_changed_in_a_layer_that_is_there_already_is_said_above_it() -> None:
    """Another checkout built the layers below: nothing is to be done for them, and so they say nothing themselves."""
    there = frozenset(spec.tag for spec in SPECS[:3])
    said = why_app(there, BENEATH)
    assert said[0] == "the deps layer changed"
    assert any(line.startswith("log 0.1.0") for line in said)
    assert said[-2] == "the base layer changed"
    assert "1.70.0" in said[-1]
    assert why_app(there, {}) == ["the deps layer changed"], "the old image is gone"
    assert why_app(there - {SPECS[2].tag}, BENEATH) == ["the deps layer changed"], "deps says it itself"


def test_an_index_that_lacks_packages_is_refreshed_from_the_image_itself() -> None:
    image = replace(cooked(SPECS[2].inputs), key=SPECS[2].key)
    made = decision.plan(SPECS, Present(ALL, cooked=(image,), lacking=("new 1.0",)), 8)
    step = made.step("deps")
    assert (step.action, step.parent) == ("build", image)
    assert step.reasons == (Reason("lacking", ("new 1.0",)),)
    assert step.why == "its registry index lacks packages of Cargo.lock: new 1.0"


def test_the_json_form() -> None:
    found = decision.plan(SPECS, Present(ALL), 8).as_json()
    assert [layer["layer"] for layer in found["layers"]] == ["base", "deps", "app"]
    assert set(found["layers"][0]) == {"layer", "action", "key", "tag", "reasons", "causes"}
    assert (found["layers"][0]["reasons"], found["layers"][0]["causes"]) == (
        ["image is up to date"],
        [{"kind": "up_to_date", "names": [], "count": 0}],
    )


def test_layers_from_scratch_say_who_asked() -> None:
    made = decision.plan(SPECS, Present(ALL), 8).from_scratch({"app": "cycle_clean"})
    step = made.step("app")
    assert (step.action, step.reasons) == ("build", (Reason("from_scratch", ("cycle_clean",)),))
    assert step.why == "cycle_clean builds it from scratch"
    assert made.step("deps").action == "reuse"
