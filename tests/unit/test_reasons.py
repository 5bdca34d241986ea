"""Reasons: what changed becomes data, data goes through JSON, and sentences are made of it at the end."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.build.execute import from_nothing
from layerdoit.layers.key import Spec
from layerdoit.layers.plan import Step
from layerdoit.layers.reasons import (
    LONGEST_VALUE,
    MOST_NAMES,
    NAMED_PACKAGES,
    SINGLE,
    Reason,
    as_json,
    difference,
    from_json,
    sentences,
    text,
)

FIXED = ("base", "toolchain", "packages", "env RUSTFLAGS", "option features", "config profile dev", "image cmd")
INPUTS = st.one_of(
    st.sampled_from(FIXED),
    st.builds("{} {}".format, st.sampled_from(["package", "file", "asset", "files in"]), st.text(max_size=4)),
    st.builds("dependency {}: {}".format, st.sampled_from("abc"), st.sampled_from("xyz")),
)
LISTINGS = st.dictionaries(INPUTS, st.text(max_size=8), max_size=40)


@given(LISTINGS, LISTINGS)
def test_json_has_all_of_a_difference(old: dict[str, str], new: dict[str, str]) -> None:
    found = difference(old, new)
    assert from_json(json.loads(json.dumps(as_json(found)))) == found
    assert sentences(found) == sentences(from_json(as_json(found)))


def turned(name: str) -> str:
    """The other kind of file: a source as an asset, an asset as a source."""
    kind, space, path = name.partition(" ")
    other = {"file": "asset", "asset": "file", "files": "assets", "assets": "files"}.get(kind)
    return f"{other}{space}{path}" if other else name


@given(LISTINGS, LISTINGS)
def test_each_changed_input_is_named_once(old: dict[str, str], new: dict[str, str]) -> None:
    """A source that is an asset now, or the other way round, by what it is now."""
    named = [name for reason in difference(old, new) for name in reason.names]
    moved = {name for name in old if name not in new and turned(name) in new and turned(name) not in old}
    assert sorted(named) == sorted(name for name in {*old, *new} - moved if old.get(name) != new.get(name))


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Reason("up_to_date"), "image is up to date"),
        (Reason("not_built_before"), "not built before"),
        (Reason("not_built_before", image="runtime"), "runtime image: not built before"),
        (Reason("removed"), "image was removed"),
        (Reason("in_registry"), "the registry has it"),
        (Reason("inputs_changed"), "its inputs changed"),
        (Reason("from_scratch", ("cycle_clean",)), "cycle_clean builds it from scratch"),
        (Reason("lacking", ("a 1", "b 1", "c 1")), "its registry index lacks packages of Cargo.lock: a 1, b 1, c 1"),
        (
            Reason("lacking", ("a 1", "b 1", "c 1", "d 1")),
            "its registry index lacks packages of Cargo.lock: a 1, b 1, c 1 and 1 more",
        ),
        (Reason("changed", ("file a.rs",), "file"), "1 file changed: a.rs"),
        (Reason("changed", ("file a.rs",), "file", left_out=7), "8 files changed: a.rs and 7 more"),
        (Reason("changed", ("env CC",), "environment", None, "clang"), "env CC: now clang"),
        (Reason("others_changed", ("image a", "image b"), "setting"), "and 2 more inputs"),
        (Reason("noted", ("Rust 1.80 → 1.81",)), "Rust 1.80 → 1.81"),
    ],
)
def test_words(reason: Reason, said: str) -> None:
    assert text([reason]) == said


def test_many_packages_are_counted_in_words_and_named_in_data() -> None:
    names = [f"package p{number:02}" for number in range(SINGLE + 9)]
    found = difference(dict.fromkeys(names, "1.0 aa"), dict.fromkeys(names, "2.0 bb"))
    assert sentences(found) == [
        *(f"p{number:02} 1.0 → 2.0" for number in range(NAMED_PACKAGES)),
        f"and {len(names) - NAMED_PACKAGES} more packages",
    ]
    assert found[-1] == Reason("others_changed", tuple(names[SINGLE:]), "package")
    assert [name for reason in found for name in reason.names] == names


def test_one_package_more_than_are_named_is_one() -> None:
    found = difference({}, {f"package p{number}": "1.0 aa" for number in range(NAMED_PACKAGES + 1)})
    assert sentences(found)[-1] == "and 1 more package"


def test_long_values_are_left_out_of_json() -> None:
    short, long = "x" * LONGEST_VALUE, "x" * (LONGEST_VALUE + 1)
    (kept,), (cut,) = (from_json(as_json(difference({"image env": "{}"}, {"image env": new}))) for new in (short, long))
    assert (kept.old, kept.new) == ("{}", short)
    assert (cut.old, cut.new) == (None, None)
    assert text([cut]) == "image env changed"


def test_names_beyond_the_limit_are_counted_in_json() -> None:
    found = difference({}, {f"file {number}.rs": "1" for number in range(MOST_NAMES + 5)})
    (read,) = from_json(as_json(found))
    assert (len(read.names), read.left_out, read.count) == (MOST_NAMES, 5, MOST_NAMES + 5)
    assert text([read]) == text(found)
    assert as_json([read]) == as_json(found)


@pytest.mark.parametrize(
    ("reasons", "cold"),
    [
        ((Reason("not_built_before"),), True),
        ((Reason("removed"),), False),
        ((Reason("changed", ("file not built before",), "file"),), False),
        ((Reason("noted", ("not built before",)),), False),
    ],
)
def test_an_app_is_built_from_nothing_where_none_was_built_before(reasons: tuple[Reason, ...], cold: bool) -> None:
    assert from_nothing(Step(Spec("app", {}, "shop"), "build", reasons)) is cold


def test_sources_that_become_assets_are_told_once() -> None:
    """And the other way round; what changes besides is told as ever."""
    from layerdoit.layers import words

    source, asset = {"file a/x": "1", "file b": "2"}, {"asset a/x": "1", "file b": "2"}
    (there,) = words.changes(source, asset)
    assert (there.kind, there.names, there.text) == ("asset", ("asset a/x",), "a/x (no longer a source)")
    (back,) = words.changes(asset, source)
    assert (back.kind, back.text) == ("file", "a/x (no longer an asset)")
    folders = words.changes({"files in a/": "1"}, {"assets in a/": "1"})
    assert [change.names for change in folders] == [("assets in a/",)]
    edited = words.changes(source, {"asset a/x": "9", "file b": "2"})
    assert [change.text for change in edited] == ["a/x (changed, no longer a source)"]
    both = words.changes(source, {**source, "asset a/x": "1"})
    assert [change.text for change in both] == ["a/x added"], "an asset besides"
