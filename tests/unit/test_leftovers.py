"""Which target mount is in use, and what is noted as left over, before anything is built."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from layerdoit.build import leftovers
from layerdoit.core.state import State


class Images:
    """`there`: tag -> id."""

    def __init__(self, there: dict[str, str]) -> None:
        self.there = there

    def inspect(self, reference: str) -> dict[str, str] | None:
        return {"Id": self.there[reference]} if reference in self.there else None


def noted(state: Path) -> dict[str, str]:
    path = state / "renewal.json"
    found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return {name: value for name, value in found.items() if name.startswith(("image ", "mount "))}


def test_without_anything_the_plain_mount_is_in_use(tmp_path: Path) -> None:
    assert leftovers.mount(State(tmp_path), "m/cook") == "m/cook"
    assert list(tmp_path.iterdir()) == []


def test_a_new_mount_is_left_over_until_it_is_adopted(tmp_path: Path) -> None:
    one = State(tmp_path)
    fresh = leftovers.new_mount(one, "m/cook", "run")
    assert fresh == "m/cook~1"
    assert leftovers.mount(one, "m/cook") == "m/cook"
    assert noted(tmp_path) == {"mount m/cook~1": ""}
    leftovers.adopt(one, fresh)
    assert leftovers.mount(one, "m/cook") == fresh
    assert noted(tmp_path) == {"mount m/cook": ""}
    assert leftovers.mount(one, "m/other") == "m/other"


def test_a_failed_attempt_is_never_used_again(tmp_path: Path) -> None:
    one = State(tmp_path)
    failed = [leftovers.new_mount(one, "m/cook", f"run {number}") for number in range(3)]
    assert failed == ["m/cook~1", "m/cook~2", "m/cook~3"]
    assert leftovers.mount(one, "m/cook") == "m/cook"
    leftovers.adopt(one, "m/cook~3")
    assert leftovers.new_mount(one, "m/cook", "run") == "m/cook~4"
    assert leftovers.mount(one, "m/cook") == "m/cook~3"


def test_all_builds_of_a_run_have_one_new_mount_unless_one_failed(tmp_path: Path) -> None:
    one = State(tmp_path)
    fresh = leftovers.new_mount(one, "m/cook", "run")
    assert leftovers.new_mount(one, "m/cook", "run") == fresh
    leftovers.try_again(one)
    second = leftovers.new_mount(one, "m/cook", "run")
    assert (second, leftovers.new_mount(one, "m/cook", "run")) == ("m/cook~2", "m/cook~2")
    leftovers.adopt(one, second)
    leftovers.adopt(one, second)
    assert noted(tmp_path) == {"mount m/cook": "", "mount m/cook~1": ""}


def test_a_build_that_begins_when_another_of_its_run_has_ended_compiles_in_the_same_mount(tmp_path: Path) -> None:
    one = State(tmp_path)
    leftovers.adopt(one, leftovers.new_mount(one, "m/cook", "run"))
    assert leftovers.new_mount(one, "m/cook", "run") == "m/cook~1" == leftovers.mount(one, "m/cook")
    leftovers.adopt(one, "m/cook~1")
    assert noted(tmp_path) == {"mount m/cook": ""}
    assert leftovers.new_mount(one, "m/cook", "next run") == "m/cook~2"


def test_services_that_are_built_side_by_side_lose_no_word_of_each_other(tmp_path: Path) -> None:
    one, count = State(tmp_path), 40
    images: Any = Images({str(number): f"sha256:{number}" for number in range(count)})

    def service(number: int) -> str:
        leftovers.replacing(one, images, str(number))
        fresh = leftovers.new_mount(one, "m/cook", "run")
        leftovers.adopt(one, fresh)
        return fresh

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(service, range(count))) == {"m/cook~1"}
    assert noted(tmp_path).keys() == {"mount m/cook", *(f"image sha256:{number}" for number in range(count))}


def test_an_image_that_loses_its_tag_is_noted(tmp_path: Path) -> None:
    one = State(tmp_path)
    images: Any = Images({"there": "sha256:1"})
    leftovers.replacing(one, images, "missing")
    assert noted(tmp_path) == {}
    leftovers.replacing(one, images, "there")
    assert noted(tmp_path) == {"image sha256:1": "there"}


def test_a_mount_that_no_image_fits_is_left_over(tmp_path: Path) -> None:
    one = State(tmp_path)
    leftovers.drop_mount(one, "m/cook")
    assert noted(tmp_path) == {"mount m/cook": ""}
    leftovers.adopt(one, leftovers.new_mount(one, "m/other", "run"))
    leftovers.drop_mount(one, "m/other")
    assert noted(tmp_path) == {f"mount {name}": "" for name in ("m/cook", "m/other", "m/other~1")}
    assert leftovers.mount(one, "m/other") == "m/other"


@pytest.mark.parametrize(
    ("text", "found"),
    [('{"use m": "2"', "m"), ('{"use m": "x"}', "m"), ('{"use m": "2"}', "m~2"), ("[]", "m"), ("", "m")],
)
def test_a_broken_file_is_as_none(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "renewal.json").write_text(text)
    assert leftovers.mount(State(tmp_path), "m") == found
