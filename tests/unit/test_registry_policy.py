"""What a registry's retention lets go: nothing protected or needed by what stays, and nothing more when asked again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.cache.registry_policy import FAMILIES, Family, Holding, Stored, decide, freed
from layerdoit.config import RegistryKeep

NOW = 1_000_000.0
DAY = 86_400.0
Rules = dict[Family, RegistryKeep]


def image(name: str, *tags: str, made: float = 0.0, **more: object) -> Stored:
    families: tuple[Family, ...] = ("app",) if tags else ()
    found = Stored(name, tags, families, group="g", made=made, blobs={name: 10, "common": 100})
    return replace(found, **more)  # type: ignore[arg-type]


def gone(stored: list[Stored], rules: Rules, kept: Mapping[str, str] | None = None) -> list[str]:
    return [one.digest for one in decide(stored, rules, kept or {}, NOW)]


def only(keep_last: int | None = None, max_bytes: int | None = None, min_age: float = 0.0) -> Rules:
    return {"app": RegistryKeep(keep_last=keep_last, max_bytes=max_bytes, min_age=min_age)}


# --- properties ------------------------------------------------------------------------------------------------------


@st.composite
def repositories(draw: st.DrawFn) -> list[Stored]:
    """Images, indexes of what came before, and what is attached to it, with tags or without."""
    found: list[Stored] = []
    for number in range(draw(st.integers(0, 14))):
        kind = draw(st.sampled_from(("image", "image", "index", "attached")))
        before = [one.digest for one in found]
        children = (
            draw(st.lists(st.sampled_from(before), max_size=3, unique=True)) if before and kind == "index" else []
        )
        subject = draw(st.sampled_from([*before, "sha256:gone"])) if kind == "attached" else ""
        tagged = draw(st.booleans())
        families = draw(st.lists(st.sampled_from(FAMILIES), min_size=1, max_size=2, unique=True)) if tagged else []
        found.append(
            Stored(
                f"m{number}",
                (f"t{number}",) if tagged or draw(st.booleans()) else (),
                () if subject else tuple(families),
                strange=draw(st.integers(0, 9)) == 0,
                group=draw(st.sampled_from("ab")),
                made=draw(st.integers(0, int(NOW))),
                children=tuple(children),
                subject=subject,
                blobs={f"b{blob}": 10 for blob in draw(st.lists(st.integers(0, 8), max_size=3))} | {f"m{number}": 1},
                whose=draw(st.sampled_from(("ours", "ours", "ours", "theirs", "nobody"))),
            )
        )
    return found


keeps = st.builds(
    RegistryKeep,
    keep_last=st.none() | st.integers(0, 3),
    max_bytes=st.none() | st.integers(0, 200),
    min_age=st.sampled_from((0.0, DAY)),
)
rules = st.fixed_dictionaries(dict.fromkeys(FAMILIES, keeps))


@given(repositories(), rules, st.data())
def test_nothing_goes_that_is_needed(stored: list[Stored], chosen: Rules, data: st.DataObject) -> None:
    names = [one.digest for one in stored]
    kept = dict.fromkeys(data.draw(st.lists(st.sampled_from(names), max_size=3)), "why") if names else {}
    left = data.draw(st.lists(st.sampled_from(names), max_size=2)) if names else []
    decided = decide(stored, chosen, kept, NOW, left)
    going = {one.digest for one in decided}
    by_digest = {one.digest: one for one in stored}

    stays = [one for one in stored if one.digest not in going]
    assert not going & {child for one in stays for child in one.children}, "a child of what stays"
    assert not [one for one in decided if one.subject in by_digest and one.subject not in going], (
        "attached to what stays"
    )
    assert not going & kept.keys()
    assert not [one for one in decided if one.whose == "theirs" or one.strange]
    for one in decided:
        young = [family for family in one.families if NOW - one.made < chosen[family].min_age]
        assert not young
        assert not [family for family in one.families if chosen[family].idle]
        if not one.families and one.digest not in left:
            assert any(one.digest in by_digest[other].children or one.subject == other for other in going)
    for family in FAMILIES:
        for group in "ab":
            ranked = [one for one in stored if family in one.families and one.group == group and one.whose == "ours"]
            ranked.sort(key=lambda one: (-one.made, one.digest))
            assert not going & {one.digest for one in ranked[: chosen[family].floor]}
    # Who holds others goes first.
    seen: set[str] = set()
    for one in decided:
        seen.add(one.digest)
        assert not {other.digest for other in decided if one.digest in other.children} - seen
        assert one.subject not in going - seen
    assert freed(stored, decided) == Holding(stored).bytes_of(by_digest) - Holding(stays).bytes_of(
        one.digest for one in stays
    )


@given(repositories(), rules)
def test_asked_again_it_names_nothing(stored: list[Stored], chosen: Rules) -> None:
    going = set(gone(stored, chosen))
    assert gone([one for one in stored if one.digest not in going], chosen) == []


# --- cases -----------------------------------------------------------------------------------------------------------


def test_without_a_rule_nothing_goes() -> None:
    stored = [image(f"i{number}", f"app-{number}", made=number) for number in range(5)]
    assert gone(stored, {}) == gone(stored, only()) == []
    assert gone(stored, only(2)) == ["i0", "i1", "i2"]


def test_what_is_young_stays() -> None:
    stored = [image("old", "app-1", made=NOW - 2 * DAY), image("young", "app-2", made=NOW - DAY / 2)]
    assert gone(stored, only(0, min_age=DAY)) == ["old"]


def test_children_go_with_their_index_and_stay_with_another() -> None:
    parts = [image(name) for name in ("amd64", "arm64", "shared")]
    old = image("old", "v1", children=("amd64", "shared"))
    new = image("new", "v2", made=5, children=("arm64", "shared"))
    assert gone([*parts, old, new], only(1)) == ["old", "amd64"]
    assert set(gone([*parts, old, new], only(0))) == {"new", "old", "arm64", "amd64", "shared"}


def test_a_child_with_a_tag_of_its_own_is_asked_for_itself() -> None:
    part = image("part", "app-1")
    index = image("index", "v1", children=("part",), families=("versions",))
    # The index stays, and so does what it lists, whatever the rule says of that.
    assert gone([part, index], only(0)) == []
    versions: Rules = {"versions": RegistryKeep(keep_last=0, min_age=0.0)}
    assert gone([part, index], versions) == ["index"], "apps have no rule"
    assert gone([part, index], {**only(0), **versions}) == ["index", "part"]


def test_what_a_kept_part_is_listed_by_stays() -> None:
    parts = [image("amd64"), image("arm64")]
    index = image("index", "v1", children=("amd64", "arm64"))
    assert gone([*parts, index], only(0), {"arm64": "deployed"}) == []


def test_signatures_go_with_their_image_and_after_it() -> None:
    one = image("one", "app-1")
    signature = image("sig", "sha256-one.sig", subject="one", families=(), whose="nobody")
    sbom = image("sbom", subject="one", whose="nobody")
    signed = image("sig2", subject="sbom", whose="nobody")
    fallback = image("refs", "sha256-one", subject="one", families=(), whose="nobody", children=("sbom",))
    whole = [fallback, signature, one, sbom, signed]
    found = gone(whole, only(0))
    assert found[0] == "one"
    assert set(found) == {"one", "sig", "sbom", "sig2", "refs"}
    assert found.index("sbom") < found.index("sig2")
    assert gone(whole, only(1)) == []


def test_others_and_what_others_tagged_stay() -> None:
    theirs = image("theirs", "app-1", whose="theirs")
    strange = image("strange", "app-2", "mine-by-hand", strange=True)
    child = image("child")
    index = image("index", "app-3", children=("theirs", "child"))
    assert gone([theirs, strange, child, index], only(0)) == ["index", "child"]


@pytest.mark.parametrize(("limit", "expected"), [(130, []), (129, ["i0"]), (119, ["i0", "i1"]), (0, ["i0", "i1"])])
def test_a_limit_of_bytes_takes_the_oldest_until_the_rest_fits(limit: int, expected: list[str]) -> None:
    stored = [image(f"i{number}", f"app-{number}", made=number) for number in range(3)]
    assert gone(stored, only(max_bytes=limit)) == expected


def test_only_what_nothing_else_needs_is_freed() -> None:
    stored = [image(f"i{number}", f"app-{number}", made=number) for number in range(3)]
    assert freed(stored, decide(stored, only(1), {}, NOW)) == 20
    assert freed(stored, decide(stored, only(0), {}, NOW)) == 130
