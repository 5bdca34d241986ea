"""Compiled artefacts in the registry: under which tag, of which branch, and which fit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.build import shared_artefacts
from layerdoit.engine.registry_api import IMAGE, Manifest
from layerdoit.project.project import Project
from tests.support.git import commit_all, git
from tests.unit.test_archive_file import FACTS


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200))
def test_each_branch_has_a_tag_of_its_own(one: str, other: str) -> None:
    tags = [shared_artefacts.tag("0123456789ab", branch) for branch in (one, other)]
    assert all(re.fullmatch(r"artefacts-0123456789ab-[A-Za-z0-9_.-]+", tag) and len(tag) <= 128 for tag in tags)
    assert (tags[0] == tags[1]) == (one == other)


def test_a_plain_branch_is_read_in_its_tag() -> None:
    assert shared_artefacts.tag("0123456789ab", "release-1.2") == "artefacts-0123456789ab-release-1.2"
    assert shared_artefacts.tag("0123456789ab", "feature/x").startswith("artefacts-0123456789ab-feature-x-")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "a"\nversion = "0.1.0"\n')
    commit_all(tmp_path)
    return Project.open(tmp_path, {})


def test_the_default_branch_is_looked_for_after_the_own_one(project: Project) -> None:
    git(project.root, "switch", "-q", "-c", "feature/x")
    assert list(shared_artefacts._branches(project)) == ["feature/x", "main", "master"]
    git(project.root, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk/x")
    assert list(shared_artefacts._branches(project)) == ["feature/x", "trunk/x", "main", "master"]


def manifest(annotations: object) -> Manifest:
    return Manifest("sha256:0", IMAGE, json.dumps({"annotations": annotations}).encode())


def test_only_what_says_that_it_fits_is_pulled() -> None:
    def told(text: str) -> Manifest:
        return manifest({"io.layerdoit.facts": text})

    fitting = json.dumps(FACTS._asdict())
    assert shared_artefacts._fits(told(fitting), FACTS._replace(digest="", files=0, commit="another"))
    others = (
        FACTS._replace(project="another"),
        FACTS._replace(variant="another"),
        FACTS._replace(platform="another"),
        FACTS._replace(toolchain="another"),
        FACTS._replace(cook="another"),
    )
    assert not any(shared_artefacts._fits(told(fitting), wanted) for wanted in others)
    for wrong in (told("{"), told("[]"), told(""), manifest(None), manifest([]), manifest({})):
        assert not shared_artefacts._fits(wrong, FACTS)
