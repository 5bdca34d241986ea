"""Versions, and which tags a publication gives and moves."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.core.release_version import Version
from layerdoit.publish.tag_families import Facts, Tags, wanted

USUAL = ("{version}", "{major}.{minor}", "latest")


def version(text: str) -> Version:
    found = Version.of(text)
    assert found is not None, text
    return found


def tags(text: str, *there: str, templates: tuple[str, ...] = USUAL) -> Tags:
    return wanted(templates, Facts(version(text)), there)


def test_versions_are_ordered_as_semver_says() -> None:
    rising = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1"
    ranks = [version(text).rank for text in rising.split()]
    assert all(one < other for one, other in itertools.pairwise(ranks))
    assert version("1.10.0").rank > version("1.9.9").rank


@pytest.mark.parametrize(
    "text", ["1", "1.2", "01.2.3", "1.2.3-", "1.2.3-01", "v1.2.3", "1.2.3 ", "1.2.3+", "", "\u0661.2.3"]
)
def test_what_is_no_version(text: str) -> None:
    assert Version.of(text) is None


@given(
    st.builds(
        Version, st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.sampled_from(["", "rc.1"]), st.just("")
    )
)
def test_a_version_is_read_as_it_is_written(one: Version) -> None:
    assert Version.of(str(one)) == one


def test_a_release_gets_all_tags() -> None:
    assert tags("1.2.3") == Tags(("1.2.3",), ("1.2", "latest"))
    assert tags("1.2.3", "1.2.2", "1.2.3", "0.9.0", "sha256-1", "latest").moving == ("1.2", "latest")


def test_an_older_version_moves_nothing_back() -> None:
    found = tags("1.2.3", "1.3.0", "1.2.1", "latest")
    assert (found.fixed, found.moving) == (("1.2.3",), ("1.2",))
    assert found.remarks == ("latest stays: 1.3.0 is newer",)
    assert tags("1.2.3", "1.2.10").moving == ()


def test_a_pre_release_moves_nothing_and_counts_for_nothing() -> None:
    found = tags("2.0.0-rc.1", "1.0.0", "latest")
    assert (found.fixed, found.moving) == (("2.0.0-rc.1",), ())
    assert found.remarks[1] == "latest stays: 2.0.0-rc.1 is a pre-release"
    assert tags("1.0.0", "2.0.0-rc.1").moving == ("1.0", "latest")


def test_other_names_always_move() -> None:
    facts = Facts(version("1.0.0-rc.1"), sha="0123456789ab", branch="feature/x y", date="2026-01-31", rust="1.95.0")
    templates = ("{branch}", "{branch}-{sha}", "{date}", "base-rust{rust}", "v{version}", "v{major}")
    found = wanted(templates, facts, ["v2.0.0"])
    assert found.fixed == ("v1.0.0-rc.1",)
    assert found.moving == ("feature-x-y", "feature-x-y-0123456789ab", "2026-01-31", "base-rust1.95.0")


def test_a_major_version_of_zero_is_no_promise() -> None:
    assert tags("0.4.0", templates=("{version}", "{major}")).moving == ()
    assert tags("1.4.0", "2.0.0", templates=("{version}", "{major}")).moving == ("1",)


def test_what_is_not_there_is_left_out_in_words() -> None:
    found = wanted(("{branch}", "latest"), Facts(), ())
    assert found == Tags((), ("latest",), ('"{branch}" is left out: there is no branch here',))


def test_a_tag_takes_no_plus_and_is_read_back() -> None:
    assert tags("1.2.3+build.5").fixed == ("1.2.3_build.5",)
    assert tags("1.2.2", "1.2.3_build.5").moving == ()
