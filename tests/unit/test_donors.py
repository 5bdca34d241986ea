"""Which deps images lend to a cook: those of the same kin, first what most is taken from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from layerdoit.build import execute
from layerdoit.components.script_protocol import Taken
from layerdoit.dockerfile import edit
from layerdoit.engine import image_labels
from layerdoit.engine.images import PREFIX, Image
from layerdoit.layers import decision
from layerdoit.layers.decision import Present
from layerdoit.layers.key import Spec, digest
from layerdoit.layers.plan import Step
from layerdoit.layers.specs import donors
from layerdoit.layers.specs.deps import Cooked
from layerdoit.layers.specs.donors import MOST, Donor

SUM = "0123456789ab"
HOW = {"base": "b", "option profile": "dev", "env RUSTFLAGS": "-g", "config target.x.linker": '"lld"'}


def inputs(*names: str, **more: str) -> dict[str, str]:
    """Inputs of a deps layer with some packages of crates.io."""
    return {**HOW, **{f"package {name}": f"1.0.0 {SUM}" for name in names}, **more}


def donor(project: str, *names: str, created: str = "1") -> Donor:
    """An image that lends these packages."""
    return Donor(f"{project}-key", f"{project}:deps-1", project, donors.packages(inputs(*names)), False, created)


def chosen(wanted: Iterable[str], *there: Donor, parent: Cooked | None = None, word: Any = "public") -> list[str]:
    return [one.project for one in donors.choose(inputs(*wanted), there, parent, word)]


def test_the_first_has_most_and_the_next_most_of_what_it_lacks() -> None:
    most, same, other = donor("most", "a", "b", "c"), donor("same", "a", "b"), donor("other", "d")
    assert chosen("abcde", same, other, most) == ["most", "other", "same"]
    assert chosen("abc", donor("old", "a", created="1"), donor("new", "a", created="2")) == ["new", "old"]


def test_nobody_lends_what_is_not_wanted_or_there_already() -> None:
    parent = Cooked("p-key", "p:deps-1", "", "", 0, frozenset({f"package a 1.0.0 {SUM}"}), "1")
    has, lacks = donor("has", "a", "x"), donor("lacks", "b")
    assert chosen("ab", has, lacks, parent=parent) == ["lacks"]
    assert chosen("a", has, lacks, parent=parent) == ["has"], "its features may be others"
    assert chosen("ab", donor("none", "x")) == []
    assert chosen("ab", has, word="none") == []
    assert chosen("b", lacks, parent=Cooked("lacks-key", "", "", "", 0, frozenset(), "1")) == []


def test_a_few_lend_at_most() -> None:
    assert len(chosen("ab", *(donor(f"p{n}", "a") for n in range(9)))) == MOST


def test_versions_and_checksums_count() -> None:
    listed = {"package a": f"1.0.0 {SUM}; 2.0.0 {SUM} -> b 1.0.0", "package c 3.0.0": SUM + "cdef"}
    assert donors.packages(listed) == {f"a 1.0.0 {SUM}", f"a 2.0.0 {SUM}", f"c 3.0.0 {SUM}"}


def test_private_packages_count_between_those_who_say_so() -> None:
    listed = {
        "package g": "1.0.0 git+https://git.example/g#abc",
        "package r": f"1.0.0 {SUM} from registry+https://r.example",
    }
    assert donors.packages(listed) == frozenset()
    assert len(donors.packages(listed, private=True)) == 2
    public = donor("shop", "a")
    private = public._replace(private=True)
    words: tuple[donors.Word, ...] = ("public", "private")
    assert [one.lends_to(word) for one in (public, private) for word in words] == [*["public"] * 3, "private"]


@pytest.mark.parametrize(
    "more",
    [
        {"package x": f"1.0.0 {SUM}"},
        {"profile dev": '{"debug":0}'},
        {"patch crates-io: x": "{}"},
        {"resolver": "1"},
        {"config source.crates-io": "{}"},
        {"check script": "1"},
        {"config target.x86_64-pc-windows-msvc": '{"rustflags":["-C","target-feature=+crt-static"]}'},
    ],
)
def test_what_cargo_compares_may_differ(more: Mapping[str, str]) -> None:
    assert donors.kin({**HOW, **more}, "d") == donors.kin(HOW, "d")


@pytest.mark.parametrize(
    "more",
    [
        {"base": "c"},
        {"option profile": "release"},
        {"option target": "t"},
        {"env CC": "x"},
        {"config env.A": "1"},
        {"config target.x86_64-unknown-linux-gnu": "{}"},
        {"config target.cfg(all())": "{}"},
    ],
)
def test_what_cargo_does_not_see_must_be_equal(more: Mapping[str, str]) -> None:
    assert donors.kin({**HOW, **more}, "d") != donors.kin(HOW, "d")
    assert donors.kin(HOW, "e") != donors.kin(HOW, "d")


def test_images_whose_units_are_listed_in_an_older_form_are_not_of_the_same_kin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = donors.kin(HOW, "d")
    assert now != digest(("d", *(word for name in sorted(HOW) for word in (name, HOW[name])))), "of before it counted"
    monkeypatch.setattr(donors, "UNITS_FORM", donors.UNITS_FORM - 1)
    assert now != donors.kin(HOW, "d")


def test_tables_of_a_target_that_is_compiled_for_must_be_equal() -> None:
    for chosen in ({"option target": "wasm32-wasip1"}, {"config build.target": '"wasm32-wasip1"'}):
        with_flags = {**HOW, **chosen, "config target.wasm32-wasip1": '{"rustflags":["-Ca"]}'}
        assert donors.kin(with_flags, "d") != donors.kin({**HOW, **chosen}, "d")


@pytest.mark.parametrize("name", ["env RUSTFLAGS", "env CFLAGS", "config build.rustflags"])
def test_code_for_this_very_machine_is_never_lent(name: str) -> None:
    assert donors.kin({**HOW, name: "-C target-cpu=native"}, "d") == ""
    assert donors.kin({**HOW, "env WORD": "native"}, "d")


def image(lends: str | None, layer: str = "deps", tag: str = "shop:deps-k") -> Image:
    labels = {"layer": layer, "key": "k", "project": "shop", "inputs": json.dumps(inputs("a"))}
    labels |= {} if lends is None else {"lends": lends}
    return Image("id", (tag,), {PREFIX + name: text for name, text in labels.items()}, 0, 0)


def test_only_a_deps_image_that_says_so_lends() -> None:
    there = [image("public"), image("none"), image(None), image("public", "app"), image("private", tag="other:latest")]
    (found,) = image_labels.donors(there, private=False)
    assert (found.tag, found.project, found.packages) == ("shop:deps-k", "shop", frozenset({f"a 1.0.0 {SUM}"}))


@pytest.mark.parametrize("taker", ["public", "private"])
@pytest.mark.parametrize("lender", ["public", "private"])
def test_an_image_lends_private_crates_where_both_say_so(taker: donors.Word, lender: str) -> None:
    (found,) = image_labels.donors([image(lender)], private=taker == "private")
    assert found.lends_to(taker) == ("private" if taker == lender == "private" else "public")


def test_a_plan_names_who_lends_and_a_build_from_scratch_takes_nothing() -> None:
    spec = Spec("deps", inputs("a"), "billing")
    made = decision.plan((spec,), Present(frozenset(), donors=(donor("shop", "a"),), lends="public"), 8)
    assert [one.project for one in made.step("deps").donors] == ["shop"]
    assert made.from_scratch({"deps": "cache_rebuild"}).step("deps").donors == ()
    assert (
        decision.plan((spec,), Present(frozenset({spec.tag}), donors=(donor("shop", "a"),)), 8).step("deps").donors
        == ()
    )


def test_the_outcome_says_from_whom() -> None:
    step = Step(Spec("deps", {}, "billing"), "build", (), donors=(donor("shop"), donor("billing"), donor("shop")))
    said = execute.units_taken(Taken(283, 212, {1: 100, 2: 62, 3: 50}), step, "billing")
    assert said == "212 of 283 units taken from shop, its own earlier images"
    pulled = step._replace(donors=(donor("shop")._replace(afar="registry.example/shop"), donor("billing")))
    said = execute.units_taken(Taken(283, 212, {1: 150, 2: 62}), pulled, "billing")
    assert said == "212 of 283 units taken from shop (pulled from registry.example/shop), its own earlier images"


DOCKERFILE = """\
ARG PARENT
FROM ${PARENT} AS deps
RUN --mount=type=bind,source=.,target=/ctx \\
    sh /ctx/control/cook.sh
"""


def test_each_donor_lends_in_a_stage_of_its_own() -> None:
    text = edit.donors(DOCKERFILE, [("a:deps-1", "public"), ("b:deps-2", "private")], "p:deps-3")
    first, second = text.index("FROM a:deps-1 AS donor-1"), text.index("FROM b:deps-2 AS donor-2")
    assert text.index("ARG PARENT") < first < second < text.index("FROM ${PARENT}")
    stages = {"public": text[first:second], "private": text[second : text.index("FROM ${PARENT}")]}
    for word, stage in stages.items():
        assert "--mount=type=bind,from=p:deps-3,source=/cooked/units,target=/there/0 " in stage
        assert f"sh /ctx/control/lend.sh {word}\n" in stage
    assert "RUN --mount=type=bind,from=donor-1,source=/lent,target=/donors/1 --mount=type=bind,from=donor-2," in text


@pytest.mark.parametrize(
    "text", ["FROM x\nRUN cargo build\n", "FROM x\nRUN --mount=type=bind,source=.,target=/ctx/more y\n"]
)
def test_a_dockerfile_that_mounts_no_context_takes_nothing(text: str) -> None:
    assert edit.donors(text, [("a:deps-1", "public")], None) == text
