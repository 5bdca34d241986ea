"""What an image is for, by a description."""

from __future__ import annotations

from typing import Any

import pytest

from layerdoit.core.platform import PLATFORMS, described_platform


def test_the_engine_may_leave_the_variant_out() -> None:
    found = [described_platform({"Os": "linux", "Architecture": one.name.split("/")[1]}) for one in PLATFORMS]
    assert found == [one.name for one in PLATFORMS]


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"os": "linux", "architecture": "arm64", "variant": "v8"}, "linux/arm64"),
        ({"Os": "linux", "Architecture": "arm", "Variant": "v6"}, "linux/arm/v6"),
        ({"os": "windows", "architecture": "amd64"}, "windows/amd64"),
        ({"os": "unknown", "architecture": "unknown"}, "unknown/unknown"),
        ({"Os": "linux"}, ""),
        ({}, ""),
    ],
)
def test_what_a_description_says(told: dict[str, Any], name: str) -> None:
    assert described_platform(told) == name
